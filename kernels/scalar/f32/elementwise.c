#include "activation.h"
#include "kernels/contract.h"
#include "scalar.h"

void mbn_scalar_f32_batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_batch_norm(args, range, sizeof(float));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = (const float *)args->scale + (ptrdiff_t)b * args->blocking.block;
        const float *shift = (const float *)args->shift + (ptrdiff_t)b * args->blocking.block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = floats_at(&args->input, b, y);
            float *out = floats_at(&args->output, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->blocking.block; lane++) {
                    float value = *in++ * scale[lane] + shift[lane];
                    *out++ = activate(value, args->finish.activation);
                }
            }
        }
    }
}

void mbn_scalar_f32_channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, sizeof(float));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = (const float *)args->scale + (ptrdiff_t)b * args->blocking.block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = floats_at(&args->input, b, y);
            float *out = floats_at(&args->output, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->blocking.block; lane++)
                    *out++ = *in++ * scale[lane];
            }
        }
    }
}

void mbn_scalar_f32_add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, sizeof(float));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = floats_at(&args->input, b, y);
            const float *other = floats_at(&args->other, b, y);
            float *out = floats_at(&args->output, b, y);
            for (int32_t i = 0; i < args->width * args->blocking.block; i++) {
                out[i] = activate(in[i] + other[i], args->finish.activation);
            }
        }
    }
}
