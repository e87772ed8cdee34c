#include "kernels/tables.h"
#include "scalar.h"

const mbn_kernels mbn_scalar_kernels = {
    .name = "scalar",
    .isa = MBN_ISA_SCALAR,
    .block = 1,
    .panel = 1,
    .depthwise = {{{mbn_scalar_depthwise, mbn_scalar_depthwise},
                   {mbn_scalar_depthwise, mbn_scalar_depthwise}},
                  {{mbn_scalar_depthwise, mbn_scalar_depthwise},
                   {mbn_scalar_depthwise, mbn_scalar_depthwise}}},
    .pointwise = mbn_scalar_pointwise,
    .convolution = mbn_scalar_convolution,
    .batch_norm = mbn_scalar_batch_norm,
    .channel_scale = mbn_scalar_channel_scale,
    .add = mbn_scalar_add,
    .global_average_pool = mbn_scalar_global_average_pool,
    .max_pool = mbn_scalar_max_pool,
    .fully_connected = mbn_scalar_fully_connected,
    .softmax = mbn_scalar_softmax,
    .to_blocked = mbn_scalar_to_blocked,
    .from_blocked = mbn_scalar_from_blocked,
};
