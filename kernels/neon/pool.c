#include "vec.h"

#include "../body/pool.h"
