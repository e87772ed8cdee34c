#include "f32.h"

#include "../declare.h"
#include "../tables.h"

MBN_DECLARE_KERNELS(neon);

const mbn_kernels mbn_neon_kernels = {
    .name = "neon",
    .isa = MBN_ISA_NEON,
    .block = VEC_WIDTH,
    .panel = PANEL,
    .depthwise =
        {
            {{mbn_neon_depthwise_3x3_s11, mbn_neon_depthwise_3x3_s12},
             {mbn_neon_depthwise_3x3_s21, mbn_neon_depthwise_3x3_s22}},
            {{mbn_neon_depthwise_5x5_s11, mbn_neon_depthwise_5x5_s12},
             {mbn_neon_depthwise_5x5_s21, mbn_neon_depthwise_5x5_s22}},
        },
    .pointwise = mbn_neon_pointwise,
    .convolution = mbn_neon_convolution,
    .batch_norm = mbn_neon_batch_norm,
    .channel_scale = mbn_neon_channel_scale,
    .add = mbn_neon_add,
    .global_average_pool = mbn_neon_global_average_pool,
    .max_pool = mbn_neon_max_pool,
    .fully_connected = mbn_neon_fully_connected,
    .softmax = mbn_neon_softmax,
    .to_blocked = mbn_neon_to_blocked,
    .from_blocked = mbn_neon_from_blocked,
};
