/* Weights of the float32 tables. */
#include "kernels/scalar/f32/element.h"

typedef float source;

#include "convolution.h"
#include "depthwise.h"

size_t mbn_pack_convolution(const mbn_pack_convolution_args *args, void *packed) {
    return pack_convolution(args, packed);
}

size_t mbn_pack_depthwise(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, 1, packed);
}
