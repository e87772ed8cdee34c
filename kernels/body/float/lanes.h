/* A tile's multiply-adds where an instruction multiplies by one lane of a register: each pixel's
 * VEC_WIDTH inputs are loaded once and used lane by lane, with no broadcasts.  A tile of 6 pixels x
 * 4 vectors loads 22 vectors for 96 multiply-adds, where broadcasts make it 40.  Cycles for a
 * multiply-add of that tile, by llvm-mca (docs/neon.md, gcc 12), were 0.56 on Neoverse N1, 0.27 on
 * V1 and 1.77 on Cortex-A55 with broadcasts, and are 0.50, 0.25 and 0.74. */
#ifndef MBN_KERNELS_BODY_FLOAT_LANES_H
#define MBN_KERNELS_BODY_FLOAT_LANES_H

#include "vocabulary.h"

#if VEC_LANES

/* What the next multiply-adds need is in registers before they begin. */
typedef struct lanes_state {
    vec value[16]; /* of each pixel, the VEC_WIDTH inputs at hand */
    vec row[2];    /* of weights: one is loaded while the other is used */
} lanes_state;

MBN_INLINE void lanes_begin(int32_t pixels, const char *x, ptrdiff_t pixel_stride, const char *w,
                            lanes_state *s) {
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) s->value[p] = vec_load(x + p * pixel_stride);
    s->row[0] = vec_load(w);
}

/* In-order cores wait for a load unless it is well before its use, so weights come one vector
 * ahead.  The first `count` vectors: */
#define LANES_STEP(lane, count)                                                                    \
    MBN_UNROLL                                                                                     \
    for (int32_t v = 0; v < count; v++) {                                                          \
        const int32_t i = lane * vectors + v;                                                      \
        s->row[(i + 1) % 2] = vec_load(w + (i + 1) * STEP_BYTES);                                  \
        VEC_FENCE();                                                                               \
        MBN_UNROLL                                                                                 \
        for (int32_t p = 0; p < pixels; p++) {                                                     \
            acc[p][v] = vec_fma_lane(s->row[i % 2], s->value[p], lane, acc[p][v]);                 \
        }                                                                                          \
    }

/* acc[p][v] += x[p][k] * w[k][v] for VEC_WIDTH k in ascending order, x being what is in the state;
 * then what comes next is in it.  pixel_stride: bytes between the inputs of neighbouring pixels;
 * it, pixels and vectors are constants. */
MBN_INLINE void lanes_multiply(int32_t pixels, int32_t vectors, const char *w,
                               const char *next_input, ptrdiff_t pixel_stride,
                               const char *next_weights, lanes_state *s, vec acc[16][4]) {
    LANES_STEP(0, vectors)
    LANES_STEP(1, vectors)
    LANES_STEP(2, vectors)
    LANES_STEP(3, vectors - 1)
    /* With the last vector each pixel's inputs are done with. */
    s->row[0] = vec_load(next_weights);
    VEC_FENCE();
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        acc[p][vectors - 1] = vec_fma_lane(s->row[1], s->value[p], 3, acc[p][vectors - 1]);
        s->value[p] = vec_load(next_input + p * pixel_stride);
        VEC_FENCE();
    }
}

#endif

#endif
