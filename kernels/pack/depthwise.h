/* Weights from a framework's layout to [channels / B][KH * KW][B].  Included as convolution.h
 * is. */
#include <mobilenet/kernels.h>

static size_t pack_depthwise(const mbn_pack_depthwise_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t padded_channels = mbn_block_count(args->channels, block) * block;
    element *out = packed;
    for (int32_t first = 0; packed != NULL && first < padded_channels; first += block) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                for (int32_t c = first; c < first + block; c++) {
                    float weight = 0.0f;
                    if (c < args->channels) {
                        weight = args->weights[c * args->channel_stride + ky * args->row_stride +
                                               kx * args->column_stride];
                        if (args->scale != NULL) weight *= args->scale[c];
                    }
                    *out++ = from_float(weight);
                }
            }
        }
    }
    return (size_t)padded_channels * (size_t)args->kernel_height * (size_t)args->kernel_width *
           sizeof(element);
}
