/* Weights as int16, of the q8 tables whose instructions sum the products of a pair of these. */
#include <mobilenet/kernels.h>

enum { FOUR = 4 };

static int16_t weight_at(const mbn_pack_convolution_args *args, ptrdiff_t tap, int32_t n,
                         int32_t c) {
    if (n >= args->output_channels || c >= args->input_channels) return 0;
    const int16_t *weights = args->weights;
    return weights[tap + n * args->output_stride + c * args->input_stride];
}

/* One tap of a panel of `width` blocks: [channel / 4][block][pair][lane][2]. */
static int16_t *pack_tap(const mbn_pack_convolution_args *args, ptrdiff_t tap, int32_t b,
                         int32_t width, int16_t *out) {
    const int32_t block = args->blocking.block;
    for (int32_t c = 0; c < args->input_channels; c += FOUR) {
        for (int32_t i = b; i < b + width; i++) {
            for (int32_t pair = c; pair < c + FOUR; pair += 2) {
                for (int32_t n = i * block; n < (i + 1) * block; n++) {
                    *out++ = weight_at(args, tap, n, pair);
                    *out++ = weight_at(args, tap, n, pair + 1);
                }
            }
        }
    }
    return out;
}

size_t mbn_pack_convolution_q8_pairs(const mbn_pack_convolution_args *args, void *packed) {
    const int32_t blocks = mbn_block_count(args->output_channels, args->blocking.block);
    int16_t *out = packed;
    for (int32_t b = 0, width; packed != NULL && b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, args->blocking.panel);
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                out =
                    pack_tap(args, ky * args->row_stride + kx * args->column_stride, b, width, out);
            }
        }
    }
    return (size_t)blocks * (size_t)args->blocking.block * (size_t)args->kernel_height *
           (size_t)args->kernel_width * (size_t)mbn_block_count(args->input_channels, FOUR) * FOUR *
           sizeof *out;
}

static int16_t tap_at(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky, int32_t kx) {
    if (c >= args->channels || ky < 0 || ky >= args->kernel_height) return 0;
    const int16_t *weights = args->weights;
    return weights[c * args->channel_stride + ky * args->row_stride + kx * args->column_stride];
}

size_t mbn_pack_depthwise_q8_pairs(const mbn_pack_depthwise_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t blocks = mbn_block_count(args->channels, block);
    const int32_t row_pairs = (args->kernel_height + 1) / 2;
    int16_t *out = packed;
    for (int32_t b = 0; packed != NULL && b < blocks; b++) {
        for (int32_t second = 0; second < 2; second++) {
            for (int32_t ky = -second; ky < 2 * row_pairs - second; ky += 2) {
                for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                    for (int32_t c = b * block; c < (b + 1) * block; c++) {
                        *out++ = tap_at(args, c, ky, kx);
                        *out++ = tap_at(args, c, ky + 1, kx);
                    }
                }
            }
        }
    }
    return (size_t)blocks * (size_t)block * 2 * (size_t)row_pairs * (size_t)args->kernel_width * 2 *
           sizeof *out;
}
