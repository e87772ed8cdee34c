#include "families.h"

#include <tests/kernels/test_q8_layout.c>

void check_q8_layouts(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    c.outputs = c.channels;
    c.output_height = c.height;
    c.output_width = c.width;
    c.kernel_height = c.kernel_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    const int32_t depth = 1 << random_int(r, 0, 2);
    switch (random_int(r, 0, 2)) {
    case 0: check_to_blocked(&c, mbn_block_count(c.channels, depth) * depth, memory, r); break;
    case 1: check_to_blocked(&c, 0, memory, r); break;
    default: check_from_blocked(&c, memory, r);
    }
}
