/* Float weights: batch norm is folded into them, and the table packs them. */
#include "arch/error.h"
#include "arch/system/memory.h"
#include "dequantize.h"
#include "packer.h"
#include "tensors.h"

/* Packs the layer's weights, or with packed NULL only counts the bytes; what is not packed needs no
 * floats. */
static size_t pack_weights(const mbn_layer *layer, const mbn_kernels *kernels,
                           const mbn_layer_floats *floats, const float *scale, void *packed) {
    const mbn_weights weights = {
        .values = floats->values[MBN_WEIGHT],
        .layout = &floats->weight,
        .scale = scale,
    };
    return mbn_pack_weights(layer, kernels, &weights, packed);
}

static size_t bytes(const mbn_packing *packing, int32_t index, const mbn_kernels *kernels) {
    const mbn_layer *layer = &packing->network->layers[index];
    if (layer->weights == 0) return 0;
    const int32_t block = kernels->blocking.block;
    const size_t channels = (size_t)mbn_block_count(layer->output_channels, block) * (size_t)block;
    const mbn_layer_floats none = {0};
    return mbn_align(pack_weights(layer, kernels, &none, NULL, NULL)) +
           mbn_align(channels * sizeof(float));
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
    const size_t weights = pack_weights(layer, kernels, floats, scale, NULL);
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
    const mbn_layer_integers *integers =
        packing->integers == NULL ? NULL : &packing->integers->layers[index];
    const mbn_status status =
        integers == NULL || integers->floats
            ? mbn_find_floats(packing->file, network, layer, allocator, &floats, error)
            : mbn_dequantize(integers, layer, allocator, &floats, error);
    if (status == MBN_OK) pack_floats(network, layer, &floats, scratch, memory, packed);
    mbn_release(allocator, floats.converted, floats.converted_bytes);
    return status;
}

const mbn_packer mbn_float_packer = {.bytes = bytes, .pack = pack};
