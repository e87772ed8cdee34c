#include "families.h"

#include <tests/kernels/test_fully_connected.c>

void check_fully_connecteds(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    c.height = c.width = c.output_height = c.output_width = 1;
    c.kernel_height = c.kernel_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    c.residual = false;
    check_tables(c, true, memory, r);
}
