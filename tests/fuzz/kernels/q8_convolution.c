#include "families.h"

#include <tests/kernels/test_q8_convolution.c>

void check_q8_convolutions(const convolution_case *shape, operands *memory, random_state *r) {
    q8_check_tables(check_convolution, shape, true, memory, r);
}
