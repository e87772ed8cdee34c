#include "f32.h"

#include "../declare.h"
#include "../tables.h"

MBN_DECLARE_KERNELS(avx512);

const mbn_kernels mbn_avx512_kernels = {
    .name = "avx512",
    .isa = MBN_ISA_AVX512,
    .block = VEC_WIDTH,
    .panel = PANEL,
    .depthwise =
        {
            {{mbn_avx512_depthwise_3x3_s11, mbn_avx512_depthwise_3x3_s12},
             {mbn_avx512_depthwise_3x3_s21, mbn_avx512_depthwise_3x3_s22}},
            {{mbn_avx512_depthwise_5x5_s11, mbn_avx512_depthwise_5x5_s12},
             {mbn_avx512_depthwise_5x5_s21, mbn_avx512_depthwise_5x5_s22}},
        },
    .pointwise = mbn_avx512_pointwise,
    .convolution = mbn_avx512_convolution,
    .batch_norm = mbn_avx512_batch_norm,
    .channel_scale = mbn_avx512_channel_scale,
    .add = mbn_avx512_add,
    .global_average_pool = mbn_avx512_global_average_pool,
    .max_pool = mbn_avx512_max_pool,
    .fully_connected = mbn_avx512_fully_connected,
    .softmax = mbn_avx512_softmax,
    .to_blocked = mbn_avx512_to_blocked,
    .from_blocked = mbn_avx512_from_blocked,
};
