/* The table of an element type for an instruction set: include it behind their words. */
#include "vocabulary.h"

#include "convolution.h"
#include "depthwise.h"
#include "elementwise.h"
#include "fully_connected.h"
#include "layout.h"
#include "pointwise.h"
#include "pool.h"
#include "softmax.h"

#include "kernels/tables.h"

const mbn_kernels VEC_TABLE = {
    .name = VEC_ISA_NAME,
    .isa = VEC_ISA,
    .element = ELEMENT,
    .element_bytes = ELEMENT_BYTES,
    .blocking = {VEC_WIDTH, PANEL, DEPTH},
    .depthwise =
        {
            {{depthwise_3x3_s1, depthwise_3x3_s2}, {depthwise_3x3_s1, depthwise_3x3_s2}},
            {{depthwise_5x5_s1, depthwise_5x5_s2}, {depthwise_5x5_s1, depthwise_5x5_s2}},
        },
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
    .pack_convolution = PACK_CONVOLUTION,
    .pack_depthwise = PACK_DEPTHWISE,
    .vectors = VECTORS,
    .reads_floats = READS_FLOATS,
};
