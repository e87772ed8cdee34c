#include "vec.h"

#include "../body/softmax.h"
