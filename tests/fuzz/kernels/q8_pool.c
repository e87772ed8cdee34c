#include "families.h"

#include <tests/kernels/test_q8_pool.c>

void check_q8_pools(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    const bool global = random_int(r, 0, 1) == 1;
    c.outputs = c.channels;
    if (global) {
        c.output_height = c.output_width = 1;
    } else { /* every window holds a position inside the plane */
        choose_axis(c.height, c.kernel_height, c.stride_vertical, &c.pad_top, &c.output_height, r);
        choose_axis(c.width, c.kernel_width, c.stride_horizontal, &c.pad_left, &c.output_width, r);
    }
    check_tables(&c, global, memory, r);
}
