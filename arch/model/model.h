/* A loaded model, from the inside. */
#ifndef MBN_ARCH_MODEL_H
#define MBN_ARCH_MODEL_H

#include "safetensors.h"

#include <mobilenet.h>

/* Everything in memory starts on a cache line. */
enum { MBN_ALIGNMENT = 64 };

static inline size_t mbn_align(size_t bytes) {
    return (bytes + MBN_ALIGNMENT - 1) & ~(size_t)(MBN_ALIGNMENT - 1);
}

/* A layer's packed operands; NULL where it has none. */
typedef struct mbn_layer_weights {
    const float *weights;
    const float *bias;
} mbn_layer_weights;

/* One allocation: this structure, the layers, their weights' addresses, the packed weights, the
 * labels. */
struct mbn_model {
    mbn_allocator allocator;
    size_t bytes;
    mbn_network network; /* its layers are the model's own */
    const mbn_kernels *kernels;
    mbn_preprocessing preprocessing;
    int32_t loaded_layers;      /* the first ones, that can run: all, or those up to the pool */
    mbn_layer_weights *weights; /* [layer_count]; NULLs from loaded_layers on */
    const char **labels;        /* [classes], or NULL */
};

static inline bool mbn_is_headless(const mbn_model *model) {
    return model->loaded_layers < model->network.layer_count;
}

/* Bytes of the packed operands of the first `layers` layers for these kernels, every one aligned
 * to MBN_ALIGNMENT. */
size_t mbn_packed_bytes(const mbn_network *network, int32_t layers, const mbn_kernels *kernels);

/* Checks the tensors of the first `layers` layers against the network.  Fails on the first that is
 * missing, of another shape or type, or not of the network; so what the file holds bounds the
 * memory that a model takes. */
mbn_status mbn_check_tensors(const mbn_safetensors *file, const mbn_network *network,
                             int32_t layers, mbn_error *error);

/* Finds the tensors of the first `layers` layers in a file that mbn_check_tensors has passed, folds
 * batch norm and packs them into `packed` (mbn_packed_bytes), whose addresses go to
 * weights[layer_count]. */
mbn_status mbn_pack_weights(const mbn_safetensors *file, const mbn_network *network, int32_t layers,
                            const mbn_kernels *kernels, const mbn_allocator *allocator,
                            float *packed, mbn_layer_weights *weights, mbn_error *error);

#endif
