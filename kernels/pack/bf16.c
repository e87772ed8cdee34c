/* Weights of the bfloat16 tables. */
#include "kernels/scalar/bf16/element.h"

#include "convolution.h"
#include "depthwise.h"

size_t mbn_pack_convolution_bf16(const mbn_pack_convolution_args *args, void *packed) {
    return pack_convolution(args, packed);
}

size_t mbn_pack_depthwise_bf16(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, packed);
}

/* Both lanes of a pair of taps, beside those of the other channels. */
static void pack_pair(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky, int32_t kx,
                      element *packed) {
    for (int32_t i = 0; i < 2; i++) {
        float weight = 0.0f;
        if (c < args->channels && kx + i < args->kernel_width) {
            weight = args->weights[c * args->channel_stride + ky * args->row_stride +
                                   (kx + i) * args->column_stride];
            if (args->scale != NULL) weight *= args->scale[c];
        }
        packed[i] = from_float(weight);
    }
}

size_t mbn_pack_depthwise_bf16_pairs(const mbn_pack_depthwise_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t padded_channels = mbn_block_count(args->channels, block) * block;
    element *out = packed;
    for (int32_t first = 0; packed != NULL && first < padded_channels; first += block) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx += 2) {
                for (int32_t c = first; c < first + block; c++, out += 2) {
                    pack_pair(args, c, ky, kx, out);
                }
            }
        }
    }
    return (size_t)padded_channels * (size_t)args->kernel_height *
           (size_t)round_up(args->kernel_width, 2) * sizeof(element);
}
