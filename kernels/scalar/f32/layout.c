#include "kernels/contract.h"
#include "scalar.h"

void mbn_scalar_to_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            float *out =
                args->blocked + b * args->blocked_block_stride + y * args->blocked_row_stride;
            for (int32_t lane = 0; lane < args->block; lane++, out++) {
                int32_t c = b * args->block + lane;
                if (c >= args->channels) {
                    for (int32_t x = 0; x < args->width; x++) out[x * args->block] = 0.0f;
                    continue;
                }
                const float *in =
                    args->strided + c * args->channel_stride + y * args->strided_row_stride;
                for (int32_t x = 0; x < args->width; x++) {
                    out[x * args->block] = in[x * args->pixel_stride];
                }
            }
        }
    }
}

void mbn_scalar_from_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        int32_t first = b * args->block;
        int32_t last = first + args->block < args->channels ? first + args->block : args->channels;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *in =
                args->blocked + b * args->blocked_block_stride + y * args->blocked_row_stride;
            for (int32_t c = first; c < last; c++, in++) {
                float *out =
                    args->strided + c * args->channel_stride + y * args->strided_row_stride;
                for (int32_t x = 0; x < args->width; x++) {
                    out[x * args->pixel_stride] = in[x * args->block];
                }
            }
        }
    }
}
