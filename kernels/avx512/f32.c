#include "f32.h"

#include "kernels/body/f32/table.h"
