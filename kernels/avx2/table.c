#include "f32.h"

#include "../declare.h"
#include "../tables.h"

MBN_DECLARE_KERNELS(avx2);

const mbn_kernels mbn_avx2_kernels = {
    .name = "avx2",
    .isa = MBN_ISA_AVX2,
    .block = VEC_WIDTH,
    .panel = PANEL,
    .depthwise =
        {
            {{mbn_avx2_depthwise_3x3_s11, mbn_avx2_depthwise_3x3_s12},
             {mbn_avx2_depthwise_3x3_s21, mbn_avx2_depthwise_3x3_s22}},
            {{mbn_avx2_depthwise_5x5_s11, mbn_avx2_depthwise_5x5_s12},
             {mbn_avx2_depthwise_5x5_s21, mbn_avx2_depthwise_5x5_s22}},
        },
    .pointwise = mbn_avx2_pointwise,
    .convolution = mbn_avx2_convolution,
    .batch_norm = mbn_avx2_batch_norm,
    .channel_scale = mbn_avx2_channel_scale,
    .add = mbn_avx2_add,
    .global_average_pool = mbn_avx2_global_average_pool,
    .max_pool = mbn_avx2_max_pool,
    .fully_connected = mbn_avx2_fully_connected,
    .softmax = mbn_avx2_softmax,
    .to_blocked = mbn_avx2_to_blocked,
    .from_blocked = mbn_avx2_from_blocked,
};
