#include "activation.h"
#include "kernels/contract.h"
#include "scalar.h"

static const float *input_row(const mbn_elementwise_args *args, int32_t b, int32_t y) {
    return args->input + b * args->input_block_stride + y * args->input_row_stride;
}

static float *output_row(const mbn_elementwise_args *args, int32_t b, int32_t y) {
    return args->output + b * args->output_block_stride + y * args->output_row_stride;
}

void mbn_scalar_batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range);
    assert(args->scale != NULL && args->shift != NULL && mbn_valid_activation(args->activation));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = args->scale + (ptrdiff_t)b * args->block;
        const float *shift = args->shift + (ptrdiff_t)b * args->block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = input_row(args, b, y);
            float *out = output_row(args, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->block; lane++) {
                    float value = *in++ * scale[lane] + shift[lane];
                    *out++ = activate(value, args->activation);
                }
            }
        }
    }
}

void mbn_scalar_channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range);
    assert(args->scale != NULL);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const float *scale = args->scale + (ptrdiff_t)b * args->block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = input_row(args, b, y);
            float *out = output_row(args, b, y);
            for (int32_t x = 0; x < args->width; x++) {
                for (int32_t lane = 0; lane < args->block; lane++) *out++ = *in++ * scale[lane];
            }
        }
    }
}

void mbn_scalar_add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range);
    assert(mbn_valid_plane(args->other, args->other_row_stride, args->height, args->width,
                           args->block));
    assert(mbn_valid_activation(args->activation));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in = input_row(args, b, y);
            const float *other =
                args->other + b * args->other_block_stride + y * args->other_row_stride;
            float *out = output_row(args, b, y);
            for (int32_t i = 0; i < args->width * args->block; i++) {
                out[i] = activate(in[i] + other[i], args->activation);
            }
        }
    }
}
