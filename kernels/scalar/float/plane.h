/* Where elements are. */
#ifndef MBN_KERNELS_SCALAR_PLANE_H
#define MBN_KERNELS_SCALAR_PLANE_H

#include <mobilenet/kernels.h>

/* Row y of channel block b. */
static inline element *row_at(const mbn_plane *plane, int32_t b, int32_t y) {
    return (element *)(void *)((char *)plane->data + b * plane->block_stride +
                               y * plane->row_stride);
}

static inline const element *weights_of(const mbn_operands *operands, int32_t b) {
    return (const element *)(const void *)((const char *)operands->weights +
                                           b * operands->weights_stride);
}

static inline const float *bias_of(const mbn_operands *operands, int32_t b) {
    return (const float *)(const void *)((const char *)operands->bias + b * operands->bias_stride);
}

#endif
