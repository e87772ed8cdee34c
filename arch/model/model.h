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
    mbn_quantization quantization; /* what its output has where it is in bytes; of a file of floats
                                      all zero */
} mbn_packed_layer;

/* Bytes of an image whose network computes with quantised pixels: bytes[channel][p] of a float x of
 * that channel, with p = (x - shift) * (1 / scale) in float32, to nearest, ties to even, within 0
 * to 255. */
typedef struct mbn_image_lookup {
    float inverse_scale[4], shift[4];
    uint8_t bytes[4][256];
} mbn_image_lookup;

/* Bytes of probabilities, out of those of logits.  With e the exponentials by distance from the
 * largest logit, which the file has, and s their sum in order of index:
 *   SOFTMAX_FLOAT  e * (1 / (s * output scale)), each operation rounded to float32, then to the
 *                  nearest whole number (TensorFlow Lite)
 *   SOFTMAX_FIXED  in gemmlowp's fixed-point numbers: e counts 2^-31, s 2^-19, and 1 / s comes from
 *                  Newton's method (its reference kernel)
 *   SIGMOID        lookup[logit] */
typedef enum mbn_q8_probability_kind {
    MBN_Q8_SOFTMAX_FLOAT,
    MBN_Q8_SOFTMAX_FIXED,
    MBN_Q8_SIGMOID
} mbn_q8_probability_kind;

typedef struct mbn_q8_probabilities {
    mbn_q8_probability_kind kind;
    mbn_quantization logits, output;
    union {
        float real[256];
        int32_t fixed[256];
        uint8_t lookup[256];
    } table;
} mbn_q8_probabilities;

/* One allocation: this structure, the layers, what is packed of each, the packed weights, the
 * tables of a quantised image and of quantised probabilities, the labels. */
struct mbn_model {
    mbn_allocator allocator;
    size_t bytes;
    mbn_network network; /* its layers are the model's own */
    const mbn_kernels *kernels;
    mbn_preprocessing preprocessing;
    mbn_probability_kind probabilities;
    bool integers;                         /* the file's tensors are 8-bit integers, with ... */
    mbn_rescaling rescaling;               /* ... this */
    mbn_quantization image;                /* of bytes that the first layer reads */
    const mbn_image_lookup *image_lookup;  /* NULL: the image is quantised at once */
    const mbn_q8_probabilities *quantized; /* NULL: probabilities are made of floats */
    int32_t loaded_layers;    /* the first ones, that can run: all, or those up to the pool */
    mbn_packed_layer *packed; /* [layer_count]; without operands from loaded_layers on */
    const char **labels;      /* [label_count], or NULL */
    int32_t label_count;      /* the classes; or 2, of a single sigmoid */
};

static inline bool mbn_is_headless(const mbn_model *model) {
    return model->loaded_layers < model->network.layer_count;
}

/* A file whose tensors were checked. */
typedef struct mbn_packing {
    const mbn_safetensors *file;
    const mbn_network *network;
    const struct mbn_integers *integers; /* NULL: its tensors are floats */
    int32_t layers;                      /* that are packed: the first ones */
    const mbn_allocator *allocator;
    const mbn_kernels *floats; /* the table of layers that stay in floats where others are integers;
                                  NULL: there are none */
} mbn_packing;

/* Bytes of the layers' packed operands for these kernels, every one aligned to MBN_ALIGNMENT. */
size_t mbn_packed_bytes(const mbn_packing *packing, const mbn_kernels *kernels);

/* Packs the layers' tensors into `memory` (mbn_packed_bytes), and fills in packed[layer_count]. */
mbn_status mbn_pack_layers(const mbn_packing *packing, const mbn_kernels *kernels, void *memory,
                           mbn_packed_layer *packed, mbn_error *error);

/* Every byte of what surrounds a plane of this form where a kernel reads beyond it. */
uint8_t mbn_halo_byte(const mbn_kernels *form, const mbn_quantization *quantization);

#endif
