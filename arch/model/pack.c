/* From a model file's tensors to what runs. */
#include "arch/error.h"
#include "arch/system/memory.h"
#include "packer.h"

/* The packer of each element type. */
static const mbn_packer *const packers[MBN_ELEMENT_COUNT] = {
    [MBN_ELEMENT_F32] = &mbn_float_packer,
    [MBN_ELEMENT_BF16] = &mbn_float_packer,
    [MBN_ELEMENT_Q8] = &mbn_q8_packer,
};

size_t mbn_pack_weights(const mbn_layer *layer, const mbn_kernels *kernels,
                        const mbn_weights *weights, void *packed) {
    const mbn_parameter_info *layout = weights->layout;
    if (layer->kind == MBN_LAYER_DEPTHWISE) {
        const mbn_pack_depthwise_args args = {
            .weights = weights->values,
            .channel_stride = layout->output_stride,
            .row_stride = layout->row_stride,
            .column_stride = layout->column_stride,
            .scale = weights->scale,
            .channels = layer->output_channels,
            .kernel_height = layer->kernel_height,
            .kernel_width = layer->kernel_width,
            .blocking = kernels->blocking,
            .wide = weights->wide,
        };
        return kernels->pack_depthwise(&args, packed);
    }
    const mbn_pack_convolution_args args = {
        .weights = weights->values,
        .output_stride = layout->output_stride,
        .input_stride = layout->input_stride,
        .row_stride = layout->row_stride,
        .column_stride = layout->column_stride,
        .scale = weights->scale,
        .output_channels = layer->output_channels,
        .input_channels = layer->input_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .blocking = kernels->blocking,
        .wide = weights->wide,
        .input_block = layer->input >= 0
                           ? 0
                           : mbn_image_block(kernels, layer->input_channels, layer->kernel_height,
                                             layer->kernel_width, layer->stride_horizontal),
    };
    return kernels->pack_convolution(&args, packed);
}

/* The table of a layer of a model that is packed for `kernels`. */
static const mbn_kernels *table_of(const mbn_packing *packing, int32_t layer,
                                   const mbn_kernels *kernels) {
    const bool in_floats =
        kernels->element == MBN_ELEMENT_Q8 && packing->integers->layers[layer].floats;
    return in_floats ? packing->floats : kernels;
}

size_t mbn_packed_bytes(const mbn_packing *packing, const mbn_kernels *kernels) {
    size_t bytes = 0;
    for (int32_t i = 0; i < packing->layers; i++) {
        const mbn_kernels *table = table_of(packing, i, kernels);
        bytes += packers[table->element]->bytes(packing, i, table);
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

mbn_status mbn_pack_layers(const mbn_packing *packing, const mbn_kernels *kernels, void *memory,
                           mbn_packed_layer *packed, mbn_error *error) {
    const mbn_network *network = packing->network;
    const size_t scratch_bytes = 2 * (size_t)most_channels(network) * sizeof(float);
    float *scratch = mbn_allocate(packing->allocator, scratch_bytes, MBN_ALIGNMENT);
    if (scratch == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to fold batch norm");
    mbn_status status = MBN_OK;
    char *next = memory;
    for (int32_t i = 0; status == MBN_OK && i < network->layer_count; i++) {
        const mbn_kernels *table = table_of(packing, i, kernels);
        const mbn_packer *packer = packers[table->element];
        packed[i] = (mbn_packed_layer){.kernels = table,
                                       .finish = {.activation = network->layers[i].activation}};
        if (packing->integers != NULL) {
            packed[i].quantization = packing->integers->layers[i].output;
        }
        const size_t bytes = i < packing->layers ? packer->bytes(packing, i, table) : 0;
        if (bytes == 0) continue;
        status = packer->pack(packing, i, scratch, next, &packed[i], error);
        next += bytes;
    }
    mbn_release(packing->allocator, scratch, scratch_bytes);
    return status;
}

uint8_t mbn_halo_byte(const mbn_kernels *form, const mbn_quantization *quantization) {
    return packers[form->element]->zero_is_a_byte ? (uint8_t)quantization->zero : 0;
}
