#include "families.h"

#include <tests/kernels/test_q8_elementwise.c>

void check_q8_elementwises(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    c.outputs = c.channels;
    c.output_height = c.height;
    c.output_width = c.width;
    c.kernel_height = c.kernel_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    check_tables((elementwise_kind)random_int(r, 0, KINDS - 1), &c, memory, r);
}
