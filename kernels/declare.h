/* The functions of an instruction set's folder, for its table and for those that borrow from it. */
#ifndef MBN_KERNELS_DECLARE_H
#define MBN_KERNELS_DECLARE_H

#include <mobilenet/kernels.h>

#define MBN_DECLARE_KERNELS(isa)                                                                   \
    mbn_depthwise_fn mbn_##isa##_depthwise_3x3_s11, mbn_##isa##_depthwise_3x3_s12,                 \
        mbn_##isa##_depthwise_3x3_s21, mbn_##isa##_depthwise_3x3_s22,                              \
        mbn_##isa##_depthwise_5x5_s11, mbn_##isa##_depthwise_5x5_s12,                              \
        mbn_##isa##_depthwise_5x5_s21, mbn_##isa##_depthwise_5x5_s22;                              \
    mbn_pointwise_fn mbn_##isa##_pointwise;                                                        \
    mbn_convolution_fn mbn_##isa##_convolution;                                                    \
    mbn_elementwise_fn mbn_##isa##_batch_norm, mbn_##isa##_channel_scale, mbn_##isa##_add;         \
    mbn_pool_fn mbn_##isa##_global_average_pool, mbn_##isa##_max_pool;                             \
    mbn_fully_connected_fn mbn_##isa##_fully_connected;                                            \
    mbn_softmax_fn mbn_##isa##_softmax;                                                            \
    mbn_layout_fn mbn_##isa##_to_blocked, mbn_##isa##_from_blocked

#endif
