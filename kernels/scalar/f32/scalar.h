/* The scalar float32 kernels: the reference that the others are tested against, and what fills the
 * slots that another instruction set has no kernel for.  They take the blocking from their
 * arguments (depth 1) and so serve every table's layout, and kernels and strides of any size. */
#ifndef MBN_KERNELS_SCALAR_F32_SCALAR_H
#define MBN_KERNELS_SCALAR_F32_SCALAR_H

#include <mobilenet/kernels.h>

mbn_depthwise_fn mbn_scalar_f32_depthwise;
mbn_pointwise_fn mbn_scalar_f32_pointwise;
mbn_convolution_fn mbn_scalar_f32_convolution;
mbn_elementwise_fn mbn_scalar_f32_batch_norm;
mbn_elementwise_fn mbn_scalar_f32_channel_scale;
mbn_elementwise_fn mbn_scalar_f32_add;
mbn_pool_fn mbn_scalar_f32_global_average_pool;
mbn_pool_fn mbn_scalar_f32_max_pool;
mbn_fully_connected_fn mbn_scalar_f32_fully_connected;
mbn_softmax_fn mbn_scalar_f32_softmax;
mbn_layout_fn mbn_scalar_f32_to_blocked;
mbn_layout_fn mbn_scalar_f32_from_blocked;

/* Row y of channel block b. */
static inline float *floats_at(const mbn_plane *plane, int32_t b, int32_t y) {
    return (float *)(void *)((char *)plane->data + b * plane->block_stride + y * plane->row_stride);
}

static inline const float *weights_of(const mbn_operands *operands, int32_t b) {
    return (const float *)(const void *)((const char *)operands->weights +
                                         b * operands->weights_stride);
}

static inline const float *bias_of(const mbn_operands *operands, int32_t b) {
    return (const float *)(const void *)((const char *)operands->bias + b * operands->bias_stride);
}

#endif
