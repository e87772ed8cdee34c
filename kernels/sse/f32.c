#include "f32.h"

#include "kernels/body/float/f32.h"
#include "kernels/body/float/table.h"
