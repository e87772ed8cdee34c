/* Pools: channel block by channel block, window by window.
 *
 * The body gives pool_mean and pool_maximum. */
#ifndef MBN_KERNELS_WALK_POOL_H
#define MBN_KERNELS_WALK_POOL_H

#include "taps.h"

static void global_average_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_global_average_pool(args, range, ELEMENT_BYTES);
    assert(args->blocking.block == BLOCK);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        pool_mean(args, mbn_row_at(&args->input, b, 0),
                  mbn_at(&args->output, (ptrdiff_t)b * VECTOR_BYTES));
    }
}

static void max_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_max_pool(args, range, ELEMENT_BYTES);
    assert(args->blocking.block == BLOCK);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const char *input = mbn_row_at(&args->input, b, 0);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            char *output = mbn_row_at(&args->output, b, oy);
            const int32_t top = oy * args->stride_vertical - args->pad_top;
            for (int32_t ox = 0; ox < args->output_width; ox++) {
                const int32_t left = ox * args->stride_horizontal - args->pad_left;
                const taps window = {
                    top < 0 ? 0 : top,
                    smaller(top + args->window_height, args->input_height),
                    left < 0 ? 0 : left,
                    smaller(left + args->window_width, args->input_width),
                };
                pool_maximum(args, input, window, output + (ptrdiff_t)ox * PIXEL_BYTES);
            }
        }
    }
}

#endif
