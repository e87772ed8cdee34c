/* A loaded model, from the inside. */
#ifndef MBN_ARCH_MODEL_H
#define MBN_ARCH_MODEL_H

#include "arch/system/memory.h"
#include "safetensors.h"

#include <mobilenet.h>

/* What the planner knows of a layer besides its shapes. */
typedef struct mbn_packed_layer {
    const mbn_kernels *kernels; /* the table that it runs with */
    mbn_operands operands;      /* all zero where it has none */
    mbn_finish finish;
    uint8_t halo; /* every byte of what surrounds its output where a kernel reads beyond it */
} mbn_packed_layer;

/* One allocation: this structure, the layers, what is packed of each, the packed weights, the
 * labels. */
struct mbn_model {
    mbn_allocator allocator;
    size_t bytes;
    mbn_network network; /* its layers are the model's own */
    const mbn_kernels *kernels;
    mbn_preprocessing preprocessing;
    mbn_probability_kind probabilities;
    int32_t loaded_layers;    /* the first ones, that can run: all, or those up to the pool */
    mbn_packed_layer *packed; /* [layer_count]; without operands from loaded_layers on */
    const char **labels;      /* [label_count], or NULL */
    int32_t label_count;      /* the classes; or 2, of a single sigmoid */
};

static inline bool mbn_is_headless(const mbn_model *model) {
    return model->loaded_layers < model->network.layer_count;
}

/* Bytes of the packed operands of the first `layers` layers for these kernels, every one aligned
 * to MBN_ALIGNMENT. */
size_t mbn_packed_bytes(const mbn_network *network, int32_t layers, const mbn_kernels *kernels);

/* Packs the tensors of the first `layers` layers, in a file that mbn_check_tensors has passed, into
 * `memory` (mbn_packed_bytes), and fills in packed[layer_count]. */
mbn_status mbn_pack_layers(const mbn_safetensors *file, const mbn_network *network, int32_t layers,
                           const mbn_kernels *kernels, const mbn_allocator *allocator, void *memory,
                           mbn_packed_layer *packed, mbn_error *error);

#endif
