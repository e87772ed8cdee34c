/* The convolutions compute one output row of one channel block at a time, and the row itself is
 * the accumulator: it starts as the bias, every tap adds its products to all pixels that it
 * reaches, and the epilogue ends it.  So each output has one chain in ascending k, borders are
 * ranges of pixels rather than conditions, and the inner loop runs along the row. */
#ifndef MBN_KERNELS_SCALAR_ROW_H
#define MBN_KERNELS_SCALAR_ROW_H

#include "activation.h"

#include <stdint.h>

/* Output pixels [begin, end) of a row (or rows of a plane): those whose tap lies in the input. */
typedef struct span {
    int32_t begin, end;
} span;

/* The outputs x below output_size for which 0 <= x * stride + offset < input_size. */
static inline span outputs_inside(int32_t offset, int32_t stride, int32_t input_size,
                                  int32_t output_size) {
    span s = {0, 0};
    if (offset < 0) s.begin = (-offset + stride - 1) / stride;
    if (offset < input_size) s.end = (input_size - 1 - offset) / stride + 1;
    if (s.end > output_size) s.end = output_size;
    return s;
}

static inline void row_begin(float *row, const float *bias, int32_t width, int32_t block) {
    for (int32_t x = 0; x < width; x++) {
        for (int32_t lane = 0; lane < block; lane++) row[x * block + lane] = bias[lane];
    }
}

/* One tap: row[x][lane] += input[x * pixel_step + lane * lane_step] * weights[lane]. */
static inline void add_products(float *restrict row, const float *restrict input,
                                ptrdiff_t pixel_step, ptrdiff_t lane_step,
                                const float *restrict weights, int32_t width, int32_t block) {
    for (int32_t x = 0; x < width; x++) {
        for (int32_t lane = 0; lane < block; lane++) {
            row[x * block + lane] += input[x * pixel_step + lane * lane_step] * weights[lane];
        }
    }
}

/* The same with the number of lanes known to the compiler, which then vectorises over them, or
 * over pixels where there is one lane. */
static inline void row_add_products(float *row, const float *input, ptrdiff_t pixel_step,
                                    ptrdiff_t lane_step, const float *weights, int32_t width,
                                    int32_t block) {
    switch (block) {
    case 1: add_products(row, input, pixel_step, lane_step, weights, width, 1); break;
    case 4: add_products(row, input, pixel_step, lane_step, weights, width, 4); break;
    case 8: add_products(row, input, pixel_step, lane_step, weights, width, 8); break;
    case 16: add_products(row, input, pixel_step, lane_step, weights, width, 16); break;
    default: add_products(row, input, pixel_step, lane_step, weights, width, block); break;
    }
}

/* residual is NULL or a row of the same shape. */
static inline void row_end(float *row, const float *residual, int32_t count,
                           mbn_activation activation) {
    if (residual != NULL) {
        for (int32_t i = 0; i < count; i++) row[i] += residual[i];
    }
    for (int32_t i = 0; i < count; i++) row[i] = activate(row[i], activation);
}

#endif
