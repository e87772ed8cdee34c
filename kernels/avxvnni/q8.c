#include "q8.h"

#include "kernels/body/q8/table.h"
