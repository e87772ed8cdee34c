/* Float weights: batch norm is folded into them, and the table packs them. */
#include "arch/error.h"
#include "arch/system/memory.h"
#include "dequantize.h"
#include "packer.h"
#include "tensors.h"

static mbn_pack_depthwise_args depthwise_args(const mbn_layer *layer, const mbn_kernels *kernels) {
    return (mbn_pack_depthwise_args){
        .channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .blocking = kernels->blocking,
    };
}

static mbn_pack_convolution_args convolution_args(const mbn_layer *layer,
                                                  const mbn_kernels *kernels) {
    return (mbn_pack_convolution_args){
        .output_channels = layer->output_channels,
        .input_channels = layer->input_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .blocking = kernels->blocking,
    };
}

/* Bytes of the layer's packed weights. */
static size_t weights_bytes(const mbn_layer *layer, const mbn_kernels *kernels) {
    if (layer->kind == MBN_LAYER_DEPTHWISE) {
        const mbn_pack_depthwise_args args = depthwise_args(layer, kernels);
        return kernels->pack_depthwise(&args, NULL);
    }
    const mbn_pack_convolution_args args = convolution_args(layer, kernels);
    return kernels->pack_convolution(&args, NULL);
}

static size_t bytes(const mbn_packing *packing, int32_t index, const mbn_kernels *kernels) {
    const mbn_layer *layer = &packing->network->layers[index];
    if (layer->weights == 0) return 0;
    const int32_t block = kernels->blocking.block;
    const size_t channels = (size_t)mbn_block_count(layer->output_channels, block) * (size_t)block;
    return mbn_align(weights_bytes(layer, kernels)) + mbn_align(channels * sizeof(float));
}

static void pack_weights(const mbn_layer *layer, const mbn_kernels *kernels,
                         const mbn_layer_floats *floats, const float *scale, void *packed) {
    const mbn_parameter_info *w = &floats->weight;
    if (layer->kind == MBN_LAYER_DEPTHWISE) {
        mbn_pack_depthwise_args args = depthwise_args(layer, kernels);
        args.weights = floats->values[MBN_WEIGHT];
        args.channel_stride = w->output_stride;
        args.row_stride = w->row_stride;
        args.column_stride = w->column_stride;
        args.scale = scale;
        kernels->pack_depthwise(&args, packed);
    } else {
        mbn_pack_convolution_args args = convolution_args(layer, kernels);
        args.weights = floats->values[MBN_WEIGHT];
        args.output_stride = w->output_stride;
        args.input_stride = w->input_stride;
        args.row_stride = w->row_stride;
        args.column_stride = w->column_stride;
        args.scale = scale;
        kernels->pack_convolution(&args, packed);
    }
}

/* scratch: two floats per output channel. */
static void pack_floats(const mbn_network *network, const mbn_layer *layer,
                        const mbn_layer_floats *floats, float *scratch, char *memory,
                        mbn_packed_layer *packed) {
    const mbn_kernels *kernels = packed->kernels;
    const float *const *values = floats->values;
    const float *scale = NULL, *shift = values[MBN_BIAS];
    if (values[MBN_MEAN] != NULL) {
        float *folded_scale = scratch, *folded_shift = scratch + layer->output_channels;
        mbn_fold_batch_norm(layer->output_channels, values[MBN_GAMMA], values[MBN_BETA],
                            values[MBN_MEAN], values[MBN_VARIANCE], values[MBN_BIAS],
                            network->batch_norm_epsilon, folded_scale, folded_shift);
        scale = folded_scale;
        shift = folded_shift;
    }
    const size_t weights = weights_bytes(layer, kernels);
    const int32_t block = kernels->blocking.block;
    float *bias = (float *)(void *)(memory + mbn_align(weights));
    pack_weights(layer, kernels, floats, scale, memory);
    mbn_pack_vector(shift, layer->output_channels, block, bias);
    packed->operands = (mbn_operands){
        .weights = memory,
        .bias = bias,
        .weights_stride = (ptrdiff_t)weights / mbn_block_count(layer->output_channels, block),
        .bias_stride = block * (ptrdiff_t)sizeof(float),
    };
}

static mbn_status pack(const mbn_packing *packing, int32_t index, float *scratch, char *memory,
                       mbn_packed_layer *packed, mbn_error *error) {
    const mbn_network *network = packing->network;
    const mbn_layer *layer = &network->layers[index];
    const mbn_allocator *allocator = packing->allocator;
    mbn_layer_floats floats;
    const mbn_status status =
        packing->integers == NULL
            ? mbn_find_floats(packing->file, network, layer, allocator, &floats, error)
            : mbn_dequantize(&packing->integers->layers[index], layer, allocator, &floats, error);
    if (status == MBN_OK) pack_floats(network, layer, &floats, scratch, memory, packed);
    mbn_release(allocator, floats.converted, floats.converted_bytes);
    return status;
}

const mbn_packer mbn_float_packer = {.bytes = bytes, .pack = pack};
