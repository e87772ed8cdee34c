/* Weights from a framework's layout to [channels / B][KH][KW / together, rounded up][B][together],
 * with 0 beside a last tap that is alone.  Included behind convolution.h. */
#include <mobilenet/kernels.h>

static float depthwise_weight(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky,
                              int32_t kx) {
    if (c >= args->channels || kx >= args->kernel_width) return 0.0f;
    const source *weights = args->weights;
    const float weight =
        weights[c * args->channel_stride + ky * args->row_stride + kx * args->column_stride];
    return args->scale != NULL ? weight * args->scale[c] : weight;
}

/* together: taps of a row that stand side by side for each channel. */
static size_t pack_depthwise(const mbn_pack_depthwise_args *args, int32_t together, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t padded_channels = mbn_block_count(args->channels, block) * block;
    element *out = packed;
    for (int32_t first = 0; packed != NULL && first < padded_channels; first += block) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx += together) {
                for (int32_t c = first; c < first + block; c++) {
                    for (int32_t i = 0; i < together; i++) {
                        *out++ = from_float(depthwise_weight(args, c, ky, kx + i));
                    }
                }
            }
        }
    }
    return (size_t)padded_channels * (size_t)args->kernel_height *
           (size_t)round_up(args->kernel_width, together) * sizeof(element);
}
