/* A layer's integers as floats: what the network computes whose integers they approximate. */
#ifndef MBN_ARCH_DEQUANTIZE_H
#define MBN_ARCH_DEQUANTIZE_H

#include "integers.h"
#include "tensors.h"

/* Weight w of a channel becomes (w - zero point) * weight scale; its bias b becomes b * (input
 * scale * weight scale).  floats->converted is the caller's to release, on failure too. */
mbn_status mbn_dequantize(const mbn_layer_integers *integers, const mbn_layer *layer,
                          const mbn_allocator *allocator, mbn_layer_floats *floats,
                          mbn_error *error);

#endif
