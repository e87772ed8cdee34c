/* The table of 8-bit integers for an instruction set: include it behind its words. */
#include "vocabulary.h"

#if VEC_PARTS
#include "convolution_run.h"
#if defined(VEC_BENEATH)
#include "beneath.h"
#else
#include "depthwise_pairs.h"
#endif
#include "pointwise_run.h"
#else
#include "convolution.h"
#if IMAGE_TRIPLES
#include "stem.h"
#endif
#if INPUTS_SIGNED
#include "depthwise_down.h"
#else
#include "depthwise.h"
#endif
#include "pointwise.h"
#endif
#include "fully_connected.h"
#if !defined(VEC_BENEATH)
#include "elementwise.h"
#include "layout.h"
#include "pool.h"

#include "kernels/scalar/q8/element.h"

#include "kernels/scalar/float/max_pool.h"
#include "kernels/scalar/float/softmax.h"
#endif

#include "kernels/tables.h"

const mbn_kernels VEC_TABLE = {
    .name = VEC_ISA_NAME,
    .isa = VEC_ISA,
    .element = MBN_ELEMENT_Q8,
    .element_bytes = ELEMENT_BYTES,
    .blocking = {BLOCK, PANEL, DEPTH},
#if VEC_PARTS
    .depthwise = {{{depthwise, depthwise}, {depthwise, depthwise}},
                  {{depthwise, depthwise}, {depthwise, depthwise}}},
#else
    .depthwise =
        {
            {{depthwise_3x3_s1, depthwise_3x3_s2}, {depthwise_3x3_s1, depthwise_3x3_s2}},
            {{depthwise_5x5_s1, depthwise_5x5_s2}, {depthwise_5x5_s1, depthwise_5x5_s2}},
        },
#endif
    .pointwise = pointwise,
#if IMAGE_TRIPLES
    .convolution = convolution_or_stem,
#else
    .convolution = convolution,
#endif
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
    .pack_channels = PACK_CHANNELS,
    .vectors = NULL,
    .reads_floats = READS_FLOATS,
    .reads_triples = IMAGE_TRIPLES,
};
