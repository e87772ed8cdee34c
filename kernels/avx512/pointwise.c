#include "vec.h"

#include "../body/pointwise.h"
