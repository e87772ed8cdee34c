#include "kernels/contract.h"
#include "plane.h"

/* Of one channel. */
static float plane_mean(const mbn_pool_args *args, int32_t b, int32_t lane) {
    float total = 0.0f;
    for (int32_t y = 0; y < args->input_height; y++) {
        const element *row = row_at(&args->input, b, y);
        float sum = 0.0f;
        for (int32_t x = 0; x < args->input_width; x++) {
            sum += to_float(row[(ptrdiff_t)x * args->blocking.block + lane]);
        }
        total += sum;
    }
    return total / ((float)args->input_height * (float)args->input_width);
}

static void global_average_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_global_average_pool(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        float *out = (float *)args->output.data + (ptrdiff_t)b * args->blocking.block;
        for (int32_t lane = 0; lane < args->blocking.block; lane++) {
            out[lane] = plane_mean(args, b, lane);
        }
    }
}
