/* A shape as a pool's, global or of windows. */
#ifndef MBN_TESTS_FUZZ_KERNELS_POOL_CASE_H
#define MBN_TESTS_FUZZ_KERNELS_POOL_CASE_H

#include "families.h"

static inline convolution_case pool_case(const convolution_case *shape, bool *global,
                                         random_state *r) {
    convolution_case c = *shape;
    *global = random_int(r, 0, 1) == 1;
    c.outputs = c.channels;
    if (*global) {
        c.output_height = c.output_width = 1;
    } else {
        choose_windows(&c, r);
    }
    return c;
}

#endif
