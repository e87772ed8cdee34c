#include "vec.h"

#include "../body/layout.h"
