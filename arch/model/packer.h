/* From a layer's tensors to its operands: a packer for each kind of tensors. */
#ifndef MBN_ARCH_PACKER_H
#define MBN_ARCH_PACKER_H

#include "model.h"
#include "tensors.h"

typedef struct mbn_packer {
    /* Bytes of the layer's operands for these kernels, each aligned to MBN_ALIGNMENT. */
    size_t (*bytes)(const mbn_layer *layer, const mbn_kernels *kernels);
    /* Packs the layer into `memory`, that many bytes, and sets packed->operands.  scratch: two
     * floats for each output channel. */
    mbn_status (*pack)(const mbn_safetensors *file, const mbn_network *network,
                       const mbn_layer *layer, const mbn_allocator *allocator, float *scratch,
                       char *memory, mbn_packed_layer *packed, mbn_error *error);
} mbn_packer;

/* For tables whose packing takes floats, and whose bias is float32. */
extern const mbn_packer mbn_float_packer;

#endif
