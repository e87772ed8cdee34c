#include "f32.h"

#include "../body/f32/fully_connected.h"
