#include "f32.h"

#include "../declare.h"
#include "../tables.h"

MBN_DECLARE_KERNELS(sse);

const mbn_kernels mbn_sse_kernels = {
    .name = "sse",
    .isa = MBN_ISA_SSE,
    .block = VEC_WIDTH,
    .panel = PANEL,
    .depthwise =
        {
            {{mbn_sse_depthwise_3x3_s11, mbn_sse_depthwise_3x3_s12},
             {mbn_sse_depthwise_3x3_s21, mbn_sse_depthwise_3x3_s22}},
            {{mbn_sse_depthwise_5x5_s11, mbn_sse_depthwise_5x5_s12},
             {mbn_sse_depthwise_5x5_s21, mbn_sse_depthwise_5x5_s22}},
        },
    .pointwise = mbn_sse_pointwise,
    .convolution = mbn_sse_convolution,
    .batch_norm = mbn_sse_batch_norm,
    .channel_scale = mbn_sse_channel_scale,
    .add = mbn_sse_add,
    .global_average_pool = mbn_sse_global_average_pool,
    .max_pool = mbn_sse_max_pool,
    .fully_connected = mbn_sse_fully_connected,
    .softmax = mbn_sse_softmax,
    .to_blocked = mbn_sse_to_blocked,
    .from_blocked = mbn_sse_from_blocked,
};
