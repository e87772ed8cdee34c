#include "activation.h"
#include "kernels/contract.h"
#include "plane.h"

static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_batch_norm(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = (const float *)args->scale + (ptrdiff_t)b * args->blocking.block;
        const float *shift = (const float *)args->shift + (ptrdiff_t)b * args->blocking.block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->blocking.block; lane++) {
                    const float value = to_float(*in++) * scale[lane] + shift[lane];
                    *out++ = from_float(activate(value, args->finish.activation));
                }
            }
        }
    }
}

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = (const float *)args->scale + (ptrdiff_t)b * args->blocking.block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->blocking.block; lane++) {
                    *out++ = from_float(to_float(*in++) * scale[lane]);
                }
            }
        }
    }
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            const element *other = row_at(&args->other, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t i = 0; i < args->width * args->blocking.block; i++) {
                const float sum = to_float(in[i]) + to_float(other[i]);
                out[i] = from_float(activate(sum, args->finish.activation));
            }
        }
    }
}
