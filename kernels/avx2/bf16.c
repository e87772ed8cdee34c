#include "bf16.h"

#include "kernels/body/float/split.h"
#include "kernels/body/float/table.h"
