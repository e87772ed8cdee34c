#include "families.h"

#include <tests/kernels/test_q8_depthwise.c>

void check_q8_depthwises(const convolution_case *shape, operands *memory, random_state *r) {
    check_shape(*shape, true, memory, r);
}
