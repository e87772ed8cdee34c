/* The scalar kernels: the reference that the others are tested against, and what fills the slots
 * that another instruction set has no kernel for.  They take block and panel from their arguments
 * and so serve every table's layout, and kernels and strides of any size. */
#ifndef MBN_KERNELS_SCALAR_SCALAR_H
#define MBN_KERNELS_SCALAR_SCALAR_H

#include <mobilenet/kernels.h>

mbn_depthwise_fn mbn_scalar_depthwise;
mbn_pointwise_fn mbn_scalar_pointwise;
mbn_convolution_fn mbn_scalar_convolution;
mbn_elementwise_fn mbn_scalar_batch_norm;
mbn_elementwise_fn mbn_scalar_channel_scale;
mbn_elementwise_fn mbn_scalar_add;
mbn_pool_fn mbn_scalar_global_average_pool;
mbn_pool_fn mbn_scalar_max_pool;
mbn_fully_connected_fn mbn_scalar_fully_connected;
mbn_softmax_fn mbn_scalar_softmax;
mbn_layout_fn mbn_scalar_to_blocked;
mbn_layout_fn mbn_scalar_from_blocked;

#endif
