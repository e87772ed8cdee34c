#include "kernels/tables.h"
#include "scalar.h"

const mbn_kernels mbn_scalar_f32 = {
    .name = "scalar",
    .isa = MBN_ISA_SCALAR,
    .element = MBN_ELEMENT_F32,
    .element_bytes = sizeof(float),
    .blocking = {.block = 1, .panel = 1, .depth = 1},
    .depthwise = {{{mbn_scalar_f32_depthwise, mbn_scalar_f32_depthwise},
                   {mbn_scalar_f32_depthwise, mbn_scalar_f32_depthwise}},
                  {{mbn_scalar_f32_depthwise, mbn_scalar_f32_depthwise},
                   {mbn_scalar_f32_depthwise, mbn_scalar_f32_depthwise}}},
    .pointwise = mbn_scalar_f32_pointwise,
    .convolution = mbn_scalar_f32_convolution,
    .batch_norm = mbn_scalar_f32_batch_norm,
    .channel_scale = mbn_scalar_f32_channel_scale,
    .add = mbn_scalar_f32_add,
    .global_average_pool = mbn_scalar_f32_global_average_pool,
    .max_pool = mbn_scalar_f32_max_pool,
    .fully_connected = mbn_scalar_f32_fully_connected,
    .softmax = mbn_scalar_f32_softmax,
    .to_blocked = mbn_scalar_f32_to_blocked,
    .from_blocked = mbn_scalar_f32_from_blocked,
    .pack_convolution = mbn_pack_convolution,
    .pack_depthwise = mbn_pack_depthwise,
    .reads_floats = true,
};
