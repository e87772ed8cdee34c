#include "kernels/contract.h"
#include "plane.h"

static void to_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            element *out = row_at(&args->blocked, b, y);
            for (int32_t lane = 0; lane < args->blocking.block; lane++, out++) {
                int32_t c = b * args->blocking.block + lane;
                if (c >= args->channels) {
                    for (int32_t x = 0; x < args->width; x++)
                        out[x * args->blocking.block] = from_float(0.0f);
                    continue;
                }
                const float *in =
                    args->strided + c * args->channel_stride + y * args->strided_row_stride;
                for (int32_t x = 0; x < args->width; x++) {
                    out[x * args->blocking.block] = from_float(in[x * args->pixel_stride]);
                }
            }
        }
    }
}

static void from_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        int32_t first = b * args->blocking.block;
        int32_t last = first + args->blocking.block < args->channels ? first + args->blocking.block
                                                                     : args->channels;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->blocked, b, y);
            for (int32_t c = first; c < last; c++, in++) {
                float *out =
                    args->strided + c * args->channel_stride + y * args->strided_row_stride;
                for (int32_t x = 0; x < args->width; x++) {
                    out[x * args->pixel_stride] = to_float(in[x * args->blocking.block]);
                }
            }
        }
    }
}
