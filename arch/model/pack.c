/* From a model file's tensors to what runs. */
#include "arch/error.h"
#include "arch/system/memory.h"
#include "packer.h"

/* The packer of each element type. */
static const mbn_packer *const packers[MBN_ELEMENT_COUNT] = {
    [MBN_ELEMENT_F32] = &mbn_float_packer,
    [MBN_ELEMENT_BF16] = &mbn_float_packer,
};

size_t mbn_packed_bytes(const mbn_network *network, int32_t layers, const mbn_kernels *kernels) {
    size_t bytes = 0;
    for (int32_t i = 0; i < layers; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->weights > 0) bytes += packers[kernels->element]->bytes(layer, kernels);
    }
    return bytes;
}

static int32_t most_channels(const mbn_network *network) {
    int32_t most = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        if (network->layers[i].output_channels > most) most = network->layers[i].output_channels;
    }
    return most;
}

mbn_status mbn_pack_layers(const mbn_safetensors *file, const mbn_network *network, int32_t layers,
                           const mbn_kernels *kernels, const mbn_allocator *allocator, void *memory,
                           mbn_packed_layer *packed, mbn_error *error) {
    const mbn_packer *packer = packers[kernels->element];
    const size_t scratch_bytes = 2 * (size_t)most_channels(network) * sizeof(float);
    float *scratch = mbn_allocate(allocator, scratch_bytes, MBN_ALIGNMENT);
    if (scratch == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to fold batch norm");
    mbn_status status = MBN_OK;
    char *next = memory;
    for (int32_t i = 0; status == MBN_OK && i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        packed[i] =
            (mbn_packed_layer){.kernels = kernels, .finish = {.activation = layer->activation}};
        if (layer->weights == 0 || i >= layers) continue;
        status = packer->pack(file, network, layer, allocator, scratch, next, &packed[i], error);
        next += packer->bytes(layer, kernels);
    }
    mbn_release(allocator, scratch, scratch_bytes);
    return status;
}
