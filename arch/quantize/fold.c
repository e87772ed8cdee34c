/* A model file's layers with batch norm folded in. */
#include "arch/error.h"
#include "arch/model/tensors.h"
#include "arch/system/memory.h"
#include "quantizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What all layers have: weights, a bias, scales, factors. */
static size_t count_floats(const mbn_network *network) {
    size_t count = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        count += (size_t)layer->weights + 3 * (size_t)layer->output_channels;
    }
    return count;
}

static size_t header_bytes(const mbn_network *network) {
    return sizeof(mbn_folded) + (size_t)network->layer_count * sizeof(mbn_folded_layer);
}

static mbn_folded *create(const mbn_network *network) {
    const size_t header = header_bytes(network);
    mbn_folded *folded = calloc(1, header + count_floats(network) * sizeof(float));
    if (folded == NULL) return NULL;
    float *next = (float *)(void *)((char *)folded + header);
    folded->network = network;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->weights == 0) continue;
        folded->layers[i].weights = next;
        folded->layers[i].bias = next + layer->weights;
        folded->layers[i].scales = folded->layers[i].bias + layer->output_channels;
        next += layer->weights + 3 * layer->output_channels;
    }
    return folded;
}

mbn_folded *mbn_folded_copy(const mbn_folded *folded) {
    const mbn_network *network = folded->network;
    mbn_folded *copy = create(network);
    for (int32_t i = 0; copy != NULL && i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        const size_t count = (size_t)layer->weights + 2 * (size_t)layer->output_channels;
        if (layer->weights == 0) continue;
        memcpy(copy->layers[i].weights, folded->layers[i].weights, count * sizeof(float));
    }
    return copy;
}

/* The file's order of weights becomes [outputs][inputs][rows][columns]. */
static void fold_layer(const mbn_layer *layer, const mbn_layer_floats *from, double epsilon,
                       mbn_folded_layer *to) {
    const int32_t outputs = layer->output_channels;
    const float *const *values = from->values;
    float *scale = to->scales; /* whose place serves as scratch: there are none yet */
    assert(scale != NULL);
    if (values[MBN_MEAN] != NULL) {
        mbn_fold_batch_norm(outputs, values[MBN_GAMMA], values[MBN_BETA], values[MBN_MEAN],
                            values[MBN_VARIANCE], values[MBN_BIAS], epsilon, scale, to->bias);
    } else {
        for (int32_t c = 0; c < outputs; c++) {
            scale[c] = 1.0F;
            to->bias[c] = values[MBN_BIAS] == NULL ? 0.0F : values[MBN_BIAS][c];
        }
    }
    const int32_t inputs = mbn_window(layer) / (layer->kernel_height * layer->kernel_width);
    float *weight = to->weights;
    for (int32_t o = 0; o < outputs; o++) {
        for (int32_t i = 0; i < inputs; i++) {
            for (int32_t y = 0; y < layer->kernel_height; y++) {
                for (int32_t x = 0; x < layer->kernel_width; x++) {
                    const ptrdiff_t at =
                        o * from->weight.output_stride + i * from->weight.input_stride +
                        y * from->weight.row_stride + x * from->weight.column_stride;
                    *weight++ = values[MBN_WEIGHT][at] * scale[o];
                }
            }
        }
    }
}

mbn_status mbn_fold(const mbn_safetensors *file, const mbn_network *network, mbn_folded **result,
                    mbn_error *error) {
    mbn_folded *folded = create(network);
    if (folded == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to fold batch norm");
    const mbn_allocator allocator = mbn_allocator_or_default(NULL);
    mbn_status status = MBN_OK;
    for (int32_t i = 0; status == MBN_OK && i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->weights == 0) continue;
        mbn_layer_floats floats;
        status = mbn_find_floats(file, network, layer, &allocator, &floats, error);
        if (status == MBN_OK) {
            fold_layer(layer, &floats, network->batch_norm_epsilon, &folded->layers[i]);
        }
        mbn_release(&allocator, floats.converted, floats.converted_bytes);
    }
    if (status == MBN_OK) {
        *result = folded;
    } else {
        free(folded);
    }
    return status;
}
