/* Pools. */
#include "epilogue.h"

#include "kernels/walk/taps.h"

/* Sums of several rows run side by side, each from left to right: one alone would wait for the
 * latency of every addition. */
enum { POOL_ROWS = 4 };

MBN_INLINE vec sum_rows(const mbn_pool_args *args, const char *input, int32_t rows, vec sum) {
    vec acc[POOL_ROWS];
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) acc[r] = vec_zero();
    for (ptrdiff_t x = 0; x < (ptrdiff_t)args->input_width * PIXEL_BYTES; x += PIXEL_BYTES) {
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            acc[r] = vec_add(acc[r], element_load(input + r * args->input.row_stride + x));
        }
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) sum = vec_add(sum, acc[r]);
    return sum;
}

/* The means of a channel block. */
MBN_INLINE void pool_mean(const mbn_pool_args *args, const char *input, char *output) {
    vec sum = vec_zero();
    int32_t y = 0;
    for (; y + POOL_ROWS <= args->input_height; y += POOL_ROWS) {
        sum = sum_rows(args, input + y * args->input.row_stride, POOL_ROWS, sum);
    }
    for (; y < args->input_height; y++) {
        sum = sum_rows(args, input + y * args->input.row_stride, 1, sum);
    }
    vec_store(output,
              vec_div(sum, vec_splat((float)args->input_height * (float)args->input_width)));
}

/* The maxima of a channel block in a window, whose positions inside the plane are given. */
MBN_INLINE void pool_maximum(const mbn_pool_args *args, const char *input, taps inside_taps,
                             char *output) {
    vec most = vec_splat(-INFINITY), nan = vec_zero();
    for (int32_t y = inside_taps.y_begin; y < inside_taps.y_end; y++) {
        for (int32_t x = inside_taps.x_begin; x < inside_taps.x_end; x++) {
            const vec value =
                element_load(input + y * args->input.row_stride + (ptrdiff_t)x * PIXEL_BYTES);
            nan = vec_keep_nan(value, nan);
            most = vec_max(most, value);
        }
    }
    /* max keeps a NaN only until the next value: `nan` remembers it. */
    element_store(output, vec_keep_nan(nan, most));
}

#include "kernels/walk/pool.h"
