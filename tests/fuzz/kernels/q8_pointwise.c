#include "families.h"

#include <tests/kernels/test_q8_pointwise.c>

void check_q8_pointwises(const convolution_case *shape, operands *memory, random_state *r) {
    convolution_case c = *shape;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    c.kernel_height = c.kernel_width = 1;
    c.output_height = c.height;
    c.output_width = c.width;
    if (random_int(r, 0, 1) == 1) {
        check_vectors(c, true, memory, r);
    } else {
        q8_check_tables(check_pointwise, &c, true, memory, r);
    }
}
