#include "vec.h"

#include "../body/elementwise.h"
