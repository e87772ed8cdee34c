/* A tile's multiply-adds where an instruction multiplies matrices: the inputs of two pixels, a
 * block of 4 each, by the weights of two channels for the same 4.  Two pixels side by side are its
 * operand as they stand in memory, and so are packed weights of depth 4.  It does the work of two
 * sums of pairs by lane in the issue slot of one. */
#ifndef MBN_KERNELS_BODY_FLOAT_MATRIX_H
#define MBN_KERNELS_BODY_FLOAT_MATRIX_H

#include "vocabulary.h"

#if VEC_MATRIX

/* Meanwhile acc[p][v] holds the lower two channels of vector v, for pixels p and p + 1, and acc[p +
 * 1][v] their upper two; p is even.  Of an odd number of pixels the last one has nobody beside
 * it. */
typedef struct matrix_state {
    matrix value[8]; /* of each two pixels, their inputs at hand */
    matrix row[2];   /* of weights: one is loaded while the other is used */
} matrix_state;

MBN_INLINE matrix matrix_inputs(const char *x, int32_t p, int32_t pixels) {
    if (p + 1 < pixels) return matrix_load(x + p * PIXEL_BYTES);
    return matrix_load_first(x + p * PIXEL_BYTES);
}

MBN_INLINE void matrix_begin(int32_t pixels, int32_t vectors, const char *x, const char *w,
                             const vec *bias, matrix_state *s, vec acc[16][4]) {
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p += 2) {
        s->value[p / 2] = matrix_inputs(x, p, pixels);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            acc[p][v] = vec_lower(bias[v], bias[v]);
            acc[p + 1][v] = vec_upper(bias[v], bias[v]);
        }
    }
    s->row[0] = matrix_load(w);
}

/* acc += x[p][k] * w[k][v] for the four k in the state; then what comes next is in it.  Weights
 * come one load ahead.  pixels and vectors are constants. */
MBN_INLINE void matrix_multiply(int32_t pixels, int32_t vectors, const char *w,
                                const char *next_input, const char *next_weights, matrix_state *s,
                                vec acc[16][4]) {
    const int32_t loads = 2 * vectors;
    MBN_UNROLL
    for (int32_t i = 0; i < loads; i++) {
        const bool last = i + 1 == loads;
        s->row[(i + 1) % 2] = matrix_load(last ? next_weights : w + (i + 1) * STEP_BYTES / 2);
        VEC_FENCE();
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p += 2) {
            vec *sum = &acc[p + i % 2][i / 2];
            *sum = matrix_dot(s->value[p / 2], s->row[i % 2], *sum);
            if (!last) continue;
            /* These pixels' inputs are done with. */
            s->value[p / 2] = matrix_inputs(next_input, p, pixels);
            VEC_FENCE();
        }
    }
}

/* acc[p][v] as everywhere else. */
MBN_INLINE void matrix_end(int32_t pixels, int32_t vectors, vec acc[16][4]) {
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p += 2) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const vec lower = acc[p][v], upper = acc[p + 1][v];
            acc[p][v] = vec_lower(lower, upper);
            acc[p + 1][v] = vec_upper(lower, upper);
        }
    }
}

#endif

#endif
