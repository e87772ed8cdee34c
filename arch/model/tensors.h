/* The tensors of a model file, as its network wants them. */
#ifndef MBN_ARCH_TENSORS_H
#define MBN_ARCH_TENSORS_H

#include "arch/network/names.h"
#include "safetensors.h"

/* Fails with the tensor's name if it is missing or of another shape than `info` says. */
mbn_status mbn_check_shape(const mbn_tensor *tensor, const mbn_parameter_info *info,
                           mbn_error *error);

/* Checks the tensors of the first `layers` layers against the network.  Fails on the first that is
 * missing, of another shape or type, or not of the network; so what the file holds bounds the
 * memory that a model takes. */
mbn_status mbn_check_tensors(const mbn_safetensors *file, const mbn_network *network,
                             int32_t layers, mbn_error *error);

/* The tensors of one layer as floats; those that need no conversion stay where they are. */
typedef struct mbn_layer_floats {
    const float *values[MBN_PARAMETER_COUNT]; /* NULL where the layer has no such parameter */
    mbn_parameter_info weight;
    float *converted; /* what had to be copied, or NULL */
    size_t converted_bytes;
} mbn_layer_floats;

/* Finds them in a file that mbn_check_tensors has passed.  floats->converted is the caller's to
 * release, on failure too. */
mbn_status mbn_find_floats(const mbn_safetensors *file, const mbn_network *network,
                           const mbn_layer *layer, const mbn_allocator *allocator,
                           mbn_layer_floats *floats, mbn_error *error);

#endif
