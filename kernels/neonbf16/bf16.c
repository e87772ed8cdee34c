#include "bf16.h"

#include "kernels/body/float/bf16.h"
#include "kernels/body/float/table.h"
