/* A tile's multiply-adds where an instruction multiplies by a fourth of a register: each pixel's 16
 * inputs are loaded, and made signed, once, and used by fours with no broadcasts.  A tile of 6
 * pixels loads 22 registers for 96 multiply-adds, where broadcasts make it 40. */
#ifndef MBN_KERNELS_BODY_Q8_LANES_H
#define MBN_KERNELS_BODY_Q8_LANES_H

#include "vocabulary.h"

#if VEC_LANES

/* What the next multiply-adds need is in registers before they begin. */
typedef struct lanes_state {
    inputs value[16]; /* of each pixel, as they are in memory */
    quarter row[2];   /* of weights: one is loaded while the other is used */
} lanes_state;

/* In-order cores wait for a load unless it is well before its use, so weights come one quarter
 * ahead.  The first `count` quarters of a step: */
MBN_INLINE void lanes_step(int32_t pixels, int32_t vectors, int32_t lane, int32_t count,
                           const char *w, lanes_state *s, sums acc[16][4]) {
    MBN_UNROLL
    for (int32_t i = 0; i < count; i++) {
        const char *next = w + (lane * vectors * 4 + i + 1) * (STEP_BYTES / 4);
        s->row[(i + 1) % 2] = quarter_load(next);
        VEC_FENCE();
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            quarter_dot_lane(s->value[p], lane, s->row[i % 2], &acc[p][i / 4], i % 4);
        }
    }
}

/* acc[p][v] += the inputs in the state * w; then what comes next is in it.  pixel_stride: bytes
 * between the inputs of neighbouring pixels; it, pixels and vectors are constants. */
MBN_INLINE void lanes_multiply(int32_t pixels, int32_t vectors, const char *w,
                               const char *next_input, ptrdiff_t pixel_stride,
                               const char *next_weights, lanes_state *s, sums acc[16][4]) {
    const int32_t last = 4 * vectors - 1;
    inputs_signed(pixels, s->value);
    lanes_step(pixels, vectors, 0, last + 1, w, s, acc);
    lanes_step(pixels, vectors, 1, last + 1, w, s, acc);
    lanes_step(pixels, vectors, 2, last + 1, w, s, acc);
    lanes_step(pixels, vectors, 3, last, w, s, acc);
    /* With the last quarter each pixel's inputs are done with. */
    s->row[0] = quarter_load(next_weights);
    VEC_FENCE();
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        quarter_dot_lane(s->value[p], 3, s->row[1], &acc[p][vectors - 1], 3);
        s->value[p] = inputs_load(next_input + p * pixel_stride);
        VEC_FENCE();
    }
}

/* The first steps, `count` of them, below four, of what is in the state.  Weights are loaded when
 * they are used, for there may be none behind them. */
MBN_INLINE void lanes_rest(int32_t pixels, int32_t vectors, int32_t count, const char *w,
                           lanes_state *s, sums acc[16][4]) {
    inputs_signed(pixels, s->value);
    MBN_UNROLL
    for (int32_t lane = 0; lane < 3; lane++) {
        if (lane == count) return;
        MBN_UNROLL
        for (int32_t i = 0; i < 4 * vectors; i++) {
            const quarter row = quarter_load(w + (lane * vectors * 4 + i) * (STEP_BYTES / 4));
            VEC_FENCE();
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                quarter_dot_lane(s->value[p], lane, row, &acc[p][i / 4], i % 4);
            }
        }
    }
}

/* acc += the products of `channels` inputs of each pixel and weights; returns where these end.
 * Meanwhile `ahead` is fetched, ahead_step further with each step. */
MBN_INLINE const char *lanes_run(int32_t pixels, int32_t vectors, int32_t channels, const char *x,
                                 ptrdiff_t block_stride, const char *w, const char *ahead,
                                 ptrdiff_t ahead_step, sums acc[16][4]) {
    const ptrdiff_t step = vectors * STEP_BYTES;
    const int32_t steps = steps_of(channels);
    lanes_state s;
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) s.value[p] = inputs_load(x + p * PIXEL_BYTES);
    s.row[0] = quarter_load(w);
    for (int32_t left = steps; left >= 4; left -= 4) {
        MBN_UNROLL
        for (int32_t k = 0; k < 4; k++, ahead += ahead_step) __builtin_prefetch(ahead, 0, 2);
        /* Behind the last ones there may be nothing. */
        if (left > 4) x += block_stride;
        const char *next = left > 4 ? w + 4 * step : w;
        lanes_multiply(pixels, vectors, w, x, PIXEL_BYTES, next, &s, acc);
        w += 4 * step;
    }
    lanes_rest(pixels, vectors, steps % 4, w, &s, acc);
    return w + steps % 4 * step;
}

#endif

#endif
