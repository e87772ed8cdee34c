#include "families.h"

#include <tests/kernels/test_depthwise.c>

void check_depthwises(const convolution_case *shape, operands *memory, random_state *r) {
    check_tables(*shape, true, memory, r);
}
