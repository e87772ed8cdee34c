#include "families.h"

#include <tests/kernels/test_pointwise.c>

void check_pointwises(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    c.kernel_height = c.kernel_width = 1;
    c.output_height = c.height;
    c.output_width = c.width;
    check_tables(&c, true, memory, r);
}
