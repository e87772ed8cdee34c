/* A scalar table: the reference that the others of its element type are tested against.  Its
 * functions take the blocking from their arguments and so serve every layout, and kernels and
 * strides of any size.
 *
 * Include it behind the element's words (element.h):
 *     element                of planes and weights
 *     to_float, from_float
 *     in_turn(i, count)      in which order products are summed
 * and the table's own: TABLE, ELEMENT, VECTORS, PACK_CONVOLUTION, PACK_DEPTHWISE, READS_FLOATS. */
#include "convolution.h"
#include "depthwise.h"
#include "elementwise.h"
#include "fully_connected.h"
#include "layout.h"
#include "max_pool.h"
#include "pointwise.h"
#include "pool.h"
#include "softmax.h"

#include "kernels/tables.h"

const mbn_kernels TABLE = {
    .name = "scalar",
    .isa = MBN_ISA_SCALAR,
    .element = ELEMENT,
    .element_bytes = sizeof(element),
    .blocking = {.block = 1, .panel = 1, .depth = 1},
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
    .pack_convolution = PACK_CONVOLUTION,
    .pack_depthwise = PACK_DEPTHWISE,
    .vectors = VECTORS,
    .reads_floats = READS_FLOATS,
};
