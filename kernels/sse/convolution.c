#include "vec.h"

#include "../body/convolution.h"
