#include "kernels/contract.h"
#include "kernels/q8.h"
#include "kernels/q8_mean.h"
#include "kernels/scalar/float/plane.h"

/* Of one channel. */
static int32_t plane_sum(const mbn_pool_args *args, int32_t b, int32_t lane) {
    int32_t sum = 0;
    for (int32_t y = 0; y < args->input_height; y++) {
        const element *row = row_at(&args->input, b, y);
        for (int32_t x = 0; x < args->input_width; x++) {
            sum += row[(ptrdiff_t)x * args->blocking.block + lane];
        }
    }
    return sum;
}

static void global_average_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_global_average_pool(args, range, sizeof(element));
    mbn_assert_q8_finish(args->finish.q8, false);
    const mbn_q8_finish *finish = args->finish.q8;
    const int32_t n = args->input_height * args->input_width;
    const mbn_multiplier multiplier = mbn_mean_multiplier(&finish->mean, n);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        element *out = (element *)args->output.data + (ptrdiff_t)b * args->blocking.block;
        if (finish->mean.kind == MBN_MEAN_VALUES) {
            mbn_mean_of_values(args, b, out);
            continue;
        }
        for (int32_t lane = 0; lane < args->blocking.block; lane++) {
            out[lane] = mbn_mean_of(&finish->mean, &multiplier, plane_sum(args, b, lane), n,
                                    finish->input_zero, finish->range);
        }
    }
}
