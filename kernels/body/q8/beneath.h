/* What a table has of the one beneath its instruction set (VEC_BENEATH), whose planes, channels and
 * depthwise weights are the same: it gains nothing there by instructions of its own. */
#include "vocabulary.h"

#include "kernels/tables.h"

#define BENEATH(name, type)                                                                        \
    static void name(const type *args, mbn_range range) {                                          \
        VEC_BENEATH.name(args, range);                                                             \
    }

BENEATH(batch_norm, mbn_elementwise_args)
BENEATH(channel_scale, mbn_elementwise_args)
BENEATH(add, mbn_elementwise_args)
BENEATH(global_average_pool, mbn_pool_args)
BENEATH(max_pool, mbn_pool_args)
BENEATH(to_blocked, mbn_layout_args)
BENEATH(from_blocked, mbn_layout_args)
#undef BENEATH

static void depthwise(const mbn_depthwise_args *args, mbn_range range) {
    VEC_BENEATH.depthwise[args->kernel_height == 5][args->stride_vertical - 1]
                         [args->stride_horizontal - 1](args, range);
}
static void softmax(const mbn_softmax_args *args) {
    VEC_BENEATH.softmax(args);
}
