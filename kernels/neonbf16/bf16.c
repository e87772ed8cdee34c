#include "bf16.h"

#include "kernels/body/float/table.h"
