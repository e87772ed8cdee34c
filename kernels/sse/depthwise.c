#include "f32.h"

#include "../body/f32/depthwise.h"
