#include "vec.h"

#include "../body/depthwise.h"
