/* Pools over a vec.h. */
#include "epilogue.h"

/* Sums of several rows run side by side, each from left to right: one alone would wait for the
 * latency of every addition. */
enum { POOL_ROWS = 4 };

MBN_INLINE vec sum_rows(const mbn_pool_args *args, const float *input, int32_t rows, vec sum) {
    vec acc[POOL_ROWS];
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) acc[r] = vec_zero();
    for (ptrdiff_t x = 0; x < (ptrdiff_t)args->input_width * VEC_WIDTH; x += VEC_WIDTH) {
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            acc[r] = vec_add(acc[r], vec_load(input + r * args->input_row_stride + x));
        }
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) sum = vec_add(sum, acc[r]);
    return sum;
}

void MBN_ISA_NAME(global_average_pool)(const mbn_pool_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH);
    const vec count = vec_splat((float)args->input_height * (float)args->input_width);
    for (int32_t block = range.block_begin; block < range.block_end; block++) {
        const float *input = args->input + block * args->input_block_stride;
        vec sum = vec_zero();
        int32_t y = 0;
        for (; y + POOL_ROWS <= args->input_height; y += POOL_ROWS) {
            sum = sum_rows(args, input + y * args->input_row_stride, POOL_ROWS, sum);
        }
        for (; y < args->input_height; y++) {
            sum = sum_rows(args, input + y * args->input_row_stride, 1, sum);
        }
        vec_store(args->output + (ptrdiff_t)block * VEC_WIDTH, vec_div(sum, count));
    }
}

void MBN_ISA_NAME(max_pool)(const mbn_pool_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH);
    for (int32_t block = range.block_begin; block < range.block_end; block++) {
        const float *input = args->input + block * args->input_block_stride;
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            float *output =
                args->output + block * args->output_block_stride + oy * args->output_row_stride;
            const int32_t top = oy * args->stride_vertical - args->pad_top;
            const int32_t y_begin = top < 0 ? 0 : top;
            const int32_t y_end = top + args->window_height < args->input_height
                                      ? top + args->window_height
                                      : args->input_height;
            for (int32_t ox = 0; ox < args->output_width; ox++) {
                const int32_t left = ox * args->stride_horizontal - args->pad_left;
                const int32_t x_begin = left < 0 ? 0 : left;
                const int32_t x_end = left + args->window_width < args->input_width
                                          ? left + args->window_width
                                          : args->input_width;
                vec most = vec_splat(-INFINITY), nan = vec_zero();
                for (int32_t y = y_begin; y < y_end; y++) {
                    for (int32_t x = x_begin; x < x_end; x++) {
                        const vec value =
                            vec_load(input + y * args->input_row_stride + (ptrdiff_t)x * VEC_WIDTH);
                        nan = vec_keep_nan(value, nan);
                        most = vec_max(most, value);
                    }
                }
                /* max keeps a NaN only until the next value: `nan` remembers it. */
                vec_store(output + (ptrdiff_t)ox * VEC_WIDTH, vec_keep_nan(nan, most));
            }
        }
    }
}
