/* Weights of the bfloat16 tables. */
#include "kernels/scalar/bf16/element.h"

typedef float source;

#include "convolution.h"
#include "depthwise.h"

size_t mbn_pack_convolution_bf16(const mbn_pack_convolution_args *args, void *packed) {
    return pack_convolution(args, packed);
}

size_t mbn_pack_depthwise_bf16(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, 1, packed);
}

size_t mbn_pack_depthwise_bf16_pairs(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, 2, packed);
}
