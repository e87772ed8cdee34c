/* Of any elements that floats hold: behind `element`, to_float, from_float. */
#include "kernels/contract.h"
#include "plane.h"

#include <math.h>

/* Maximum of one channel over rows [y0, y1) and columns [x0, x1); NaN if there is one. */
static float window_max(const mbn_pool_args *args, int32_t b, int32_t lane, int32_t y0, int32_t y1,
                        int32_t x0, int32_t x1) {
    float max = -INFINITY;
    for (int32_t y = y0; y < y1; y++) {
        const element *row = row_at(&args->input, b, y);
        for (int32_t x = x0; x < x1; x++) {
            float value = to_float(row[(ptrdiff_t)x * args->blocking.block + lane]);
            if (value > max || isnan(value)) max = value;
        }
    }
    return max;
}

static int32_t clip(int32_t value, int32_t high) {
    return value < 0 ? 0 : value > high ? high : value;
}

static void max_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_max_pool(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            element *row = row_at(&args->output, b, oy);
            int32_t top = oy * args->stride_vertical - args->pad_top;
            int32_t y0 = clip(top, args->input_height);
            int32_t y1 = clip(top + args->window_height, args->input_height);
            for (int32_t ox = 0; ox < args->output_width; ox++) {
                int32_t left = ox * args->stride_horizontal - args->pad_left;
                int32_t x0 = clip(left, args->input_width);
                int32_t x1 = clip(left + args->window_width, args->input_width);
                for (int32_t lane = 0; lane < args->blocking.block; lane++) {
                    *row++ = from_float(window_max(args, b, lane, y0, y1, x0, x1));
                }
            }
        }
    }
}
