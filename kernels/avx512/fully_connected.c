#include "vec.h"

#include "../body/fully_connected.h"
