#include "kernels/contract.h"
#include "kernels/q8.h"
#include "kernels/scalar/float/plane.h"

static void to_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range, sizeof(element));
    const int32_t block = args->blocking.block;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            element *out = row_at(&args->blocked, b, y);
            for (int32_t i = 0; i < args->width * block; i++) {
                const int32_t c = b * block + i % block, x = i / block;
                out[i] =
                    c < args->channels
                        ? mbn_quantize(
                              args->strided[c * args->channel_stride +
                                            y * args->strided_row_stride + x * args->pixel_stride],
                              &args->quantization)
                        : (element)args->quantization.zero;
            }
        }
    }
}

static void from_blocked(const mbn_layout_args *args, mbn_range range) {
    mbn_assert_layout(args, range, sizeof(element));
    const int32_t block = args->blocking.block;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->blocked, b, y);
            for (int32_t i = 0; i < args->width * block; i++) {
                const int32_t c = b * block + i % block, x = i / block;
                if (c >= args->channels) continue;
                args->strided[c * args->channel_stride + y * args->strided_row_stride +
                              x * args->pixel_stride] = mbn_dequantize(in[i], &args->quantization);
            }
        }
    }
}
