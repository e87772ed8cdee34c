/* A step of a tile: of the pointwise convolution's and of the standard one's. */
#ifndef MBN_KERNELS_BODY_Q8_TILE_H
#define MBN_KERNELS_BODY_Q8_TILE_H

#include "vocabulary.h"

/* acc[pixel][block] += four inputs of the pixel * weights; pixel_stride: bytes between the inputs
 * of neighbouring pixels; it, pixels and vectors are constants, and `halved`: whether the last
 * block has at most half of its channels. */
MBN_INLINE void tile_step(int32_t pixels, int32_t vectors, bool halved, const char *x,
                          ptrdiff_t pixel_stride, const char *w, sums acc[16][4]) {
    packed row[4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) row[v] = packed_load(w + v * STEP_BYTES);
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        const operand value = operand_broadcast(x + p * pixel_stride);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
#if VEC_HALVES
            if (halved && v == vectors - 1) {
                acc[p][v] = operand_dot_half(value, row[v], acc[p][v]);
                continue;
            }
#else
            (void)halved;
#endif
            acc[p][v] = operand_dot(value, row[v], acc[p][v]);
        }
    }
}

#endif
