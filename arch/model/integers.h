/* What an integer model file says of every layer (docs/model-format.md, "Integer networks"). */
#ifndef MBN_ARCH_INTEGERS_H
#define MBN_ARCH_INTEGERS_H

#include "arch/network/names.h"
#include "metadata.h"
#include "safetensors.h"

/* Of one layer.  What it has not is NULL or all zero.  Weights are those of a table of the file's
 * own: channel by channel. */
typedef struct mbn_layer_integers {
    bool floats;    /* it stays in floats: of its tensors there are none but these, ... */
    bool has_bytes; /* ... and `output`, where a layer of integers reads it */
    mbn_quantization input, output; /* of what it reads, and of what it writes in the end */
    const mbn_tensor *weight, *weight_scale, *weight_zero_point, *bias, *multiplier, *lookup;
    const mbn_tensor *values;  /* of a global pool: the floats that it averages */
    mbn_parameter_info layout; /* of the weights */
    bool wide;                 /* there are weights, less their zero points, beyond -128 .. 127 */
    bool adds;                 /* the residual, as `add` says */
    mbn_q8_add add;
    mbn_q8_finish finish; /* without its addresses */
} mbn_layer_integers;

typedef struct mbn_integers {
    mbn_quantization image;
    const mbn_tensor *image_lookup, *image_scale, *image_shift; /* NULL: it is quantised at once */
    mbn_quantization probabilities;
    /* NULL: probabilities are floats.  Of a softmax its exponentials, F32 or I32; of a sigmoid its
     * bytes. */
    const mbn_tensor *probabilities_table;
    mbn_layer_integers layers[]; /* [layer_count]; all zero where they were not read */
} mbn_integers;

/* Reads and checks the tensors of the first `layers` layers, in a file whose metadata says that it
 * has integers.  Fails on the first that is missing, of another shape or type, has a value that is
 * none of those that the format allows, or is not of the network.  The file must outlive the
 * result.  Allocates with the C library; free it with free. */
mbn_status mbn_integers_read(const mbn_safetensors *file, const mbn_metadata *metadata,
                             const mbn_network *network, int32_t layers, mbn_integers **integers,
                             mbn_error *error);

/* Of a channel. */
int32_t mbn_weight_zero(const mbn_layer_integers *layer, int32_t channel);
float mbn_weight_scale(const mbn_layer_integers *layer, int32_t channel);
mbn_multiplier mbn_channel_multiplier(const mbn_layer_integers *layer, int32_t channel);

/* The element of a tensor that has one for all channels, or one for each. */
int64_t mbn_element_of(const mbn_tensor *tensor, int32_t channel);

/* The unsigned byte of element `index` of a tensor of I8 or U8. */
uint8_t mbn_byte_at(const mbn_tensor *tensor, int64_t index);

#endif
