/* The definition of the kernels of 8-bit integers: other tables give the same bytes.  What has no
 * weights takes its block from the arguments, and so serves every table and image; kernels and
 * strides are of any size. */
#include "element.h"

#include "convolution.h"
#include "depthwise.h"
#include "elementwise.h"
#include "fully_connected.h"
#include "layout.h"
#include "pool.h"

#include "kernels/scalar/float/max_pool.h"
#include "kernels/scalar/float/pointwise.h"
#include "kernels/scalar/float/softmax.h"

#include "kernels/tables.h"

const mbn_kernels mbn_scalar_q8 = {
    .name = "scalar",
    .isa = MBN_ISA_SCALAR,
    .element = MBN_ELEMENT_Q8,
    .element_bytes = sizeof(element),
    .blocking = {.block = LANES, .panel = 1, .depth = 1},
    .depthwise = {{{depthwise, depthwise}, {depthwise, depthwise}},
                  {{depthwise, depthwise}, {depthwise, depthwise}}},
    .pointwise = pointwise,
    .convolution = convolution,
    .batch_norm = batch_norm,
    .channel_scale = channel_scale,
    .add = add,
    .global_average_pool = global_average_pool,
    .max_pool = max_pool,
    .fully_connected = fully_connected,
    .softmax = softmax,
    .to_blocked = to_blocked,
    .from_blocked = from_blocked,
    .pack_convolution = mbn_pack_convolution_q8,
    .pack_depthwise = mbn_pack_depthwise_q8,
    .pack_channels = mbn_pack_channels_q8,
};
