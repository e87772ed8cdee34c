#include "families.h"

#include <tests/kernels/test_convolution.c>

void check_convolutions(const convolution_case *shape, operands *memory, random_state *r) {
    check_tables(shape, true, memory, r);
}
