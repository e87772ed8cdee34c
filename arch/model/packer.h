/* From a layer's tensors to its operands: a packer for each kind of tables. */
#ifndef MBN_ARCH_PACKER_H
#define MBN_ARCH_PACKER_H

#include "integers.h"
#include "model.h"

typedef struct mbn_packer {
    /* Bytes of what a layer has for these kernels, each part aligned to MBN_ALIGNMENT; 0: nothing.
     */
    size_t (*bytes)(const mbn_packing *packing, int32_t layer, const mbn_kernels *kernels);
    /* Packs a layer that has something into `memory`, that many bytes, and completes *packed, which
     * has its kernels.  scratch: two floats for each output channel. */
    mbn_status (*pack)(const mbn_packing *packing, int32_t layer, float *scratch, char *memory,
                       mbn_packed_layer *packed, mbn_error *error);
    bool zero_is_a_byte; /* planes have the quantisation's zero point around them, else zeros */
} mbn_packer;

/* A layer's weights as its table's packers take them: floats, or 16-bit integers. */
typedef struct mbn_weights {
    const void *values;
    const mbn_parameter_info *layout;
    const float *scale; /* of floats: NULL, or a factor for each output channel */
    bool wide;          /* of integers: some are beyond a signed byte */
} mbn_weights;

/* Packs them, and returns the bytes; with packed NULL it only counts these. */
size_t mbn_pack_weights(const mbn_layer *layer, const mbn_kernels *kernels,
                        const mbn_weights *weights, void *packed);

/* For tables whose packing takes floats, and whose bias is float32.  Integers are dequantised. */
extern const mbn_packer mbn_float_packer;

/* For tables of 8-bit integers. */
extern const mbn_packer mbn_q8_packer;

#endif
