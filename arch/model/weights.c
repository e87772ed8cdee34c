/* From a model file's tensors to packed weights. */
#include "arch/error.h"
#include "arch/network/names.h"
#include "arch/system/memory.h"
#include "model.h"

#include <stdio.h>
#include <string.h>

static bool is_depthwise(const mbn_layer *layer) {
    return layer->kind == MBN_LAYER_DEPTHWISE;
}

/* Floats of a layer's packed weights. */
static size_t packed_weights(const mbn_layer *layer, int32_t block) {
    if (is_depthwise(layer)) {
        return mbn_packed_depthwise_size(layer->output_channels, layer->kernel_height,
                                         layer->kernel_width, block);
    }
    return mbn_packed_convolution_size(layer->output_channels, layer->input_channels,
                                       layer->kernel_height, layer->kernel_width, block);
}

static size_t packed_bias(const mbn_layer *layer, int32_t block) {
    return (size_t)mbn_block_count(layer->output_channels, block) * (size_t)block;
}

static size_t aligned_floats(size_t floats) {
    return mbn_align(floats * sizeof(float)) / sizeof(float);
}

size_t mbn_packed_bytes(const mbn_network *network, int32_t layers, const mbn_kernels *kernels) {
    size_t floats = 0;
    for (int32_t i = 0; i < layers; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->weights == 0) continue;
        floats += aligned_floats(packed_weights(layer, kernels->block)) +
                  aligned_floats(packed_bias(layer, kernels->block));
    }
    return floats * sizeof(float);
}

static void format_shape(char *text, size_t size, const int64_t *shape, int32_t rank) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? "," : "",
                                 (long long)shape[i]);
    }
    if (used < size) snprintf(text + used, size - used, "]");
}

/* The tensors of one layer as floats; those that need no conversion stay where they are. */
typedef struct layer_tensors {
    const float *values[MBN_PARAMETER_COUNT]; /* NULL where the layer has no such parameter */
    mbn_parameter_info weight;
    float *converted; /* what had to be copied, or NULL */
    size_t converted_bytes;
} layer_tensors;

static mbn_status check_tensor(const mbn_tensor *tensor, const mbn_parameter_info *info,
                               mbn_error *error) {
    if (tensor == NULL) {
        return mbn_fail(error, MBN_MALFORMED, "%s: missing from the file", info->name);
    }
    bool same = tensor->rank == info->rank;
    for (int32_t i = 0; same && i < info->rank; i++) same = tensor->shape[i] == info->shape[i];
    if (!same) {
        char expected[128], got[256];
        format_shape(expected, sizeof expected, info->shape, info->rank);
        format_shape(got, sizeof got, tensor->shape, tensor->rank);
        return mbn_fail(error, MBN_MALFORMED, "%s: expected %s, got %s", info->name, expected, got);
    }
    if (tensor->dtype == MBN_DTYPE_OTHER) {
        return mbn_fail(error, MBN_UNSUPPORTED, "%s: type %s; F32, F16 and BF16 are read",
                        info->name, tensor->dtype_name);
    }
    return MBN_OK;
}

static bool in_place(const mbn_tensor *tensor) {
    return tensor->dtype == MBN_DTYPE_F32 && (uintptr_t)tensor->data % sizeof(float) == 0;
}

/* All tensors have been checked.  tensors->converted is the caller's to release, on failure too. */
static mbn_status find_tensors(const mbn_safetensors *file, const mbn_network *network,
                               const mbn_layer *layer, const mbn_allocator *allocator,
                               layer_tensors *tensors, mbn_error *error) {
    const mbn_tensor *sources[MBN_PARAMETER_COUNT] = {NULL};
    size_t floats = 0;
    *tensors = (layer_tensors){.converted = NULL};
    for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
        mbn_parameter_info info;
        if (!mbn_layer_parameter(network, layer, (mbn_parameter)p, &info)) continue;
        sources[p] = mbn_safetensors_find(file, info.name);
        if (p == MBN_WEIGHT) tensors->weight = info;
        if (!in_place(sources[p])) floats += (size_t)sources[p]->count;
    }
    if (floats > 0) {
        tensors->converted_bytes = floats * sizeof(float);
        tensors->converted = mbn_allocate(allocator, tensors->converted_bytes, MBN_ALIGNMENT);
        if (tensors->converted == NULL) {
            return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s: no memory to convert it", layer->name);
        }
    }
    float *next = tensors->converted;
    for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
        if (sources[p] == NULL) continue;
        if (in_place(sources[p])) {
            tensors->values[p] = (const float *)sources[p]->data;
        } else {
            mbn_tensor_to_floats(sources[p], next);
            tensors->values[p] = next;
            next += sources[p]->count;
        }
    }
    const float *variance = tensors->values[MBN_VARIANCE];
    for (int32_t c = 0; variance != NULL && c < layer->output_channels; c++) {
        if (variance[c] < 0.0F) {
            return mbn_fail(error, MBN_MALFORMED, "%s: variance [%d] is negative",
                            sources[MBN_VARIANCE]->name, (int)c);
        }
    }
    return MBN_OK;
}

/* scratch: two floats per output channel. */
static void pack_layer(const mbn_network *network, const mbn_layer *layer,
                       const mbn_kernels *kernels, const layer_tensors *tensors, float *scratch,
                       float *weights, float *bias) {
    const float *const *values = tensors->values;
    const mbn_parameter_info *w = &tensors->weight;
    const float *scale = NULL, *shift = values[MBN_BIAS];
    if (values[MBN_MEAN] != NULL) {
        float *folded_scale = scratch, *folded_shift = scratch + layer->output_channels;
        mbn_fold_batch_norm(layer->output_channels, values[MBN_GAMMA], values[MBN_BETA],
                            values[MBN_MEAN], values[MBN_VARIANCE], values[MBN_BIAS],
                            network->batch_norm_epsilon, folded_scale, folded_shift);
        scale = folded_scale;
        shift = folded_shift;
    }
    if (is_depthwise(layer)) {
        const mbn_pack_depthwise_args args = {
            .weights = values[MBN_WEIGHT],
            .channel_stride = w->output_stride,
            .row_stride = w->row_stride,
            .column_stride = w->column_stride,
            .scale = scale,
            .channels = layer->output_channels,
            .kernel_height = layer->kernel_height,
            .kernel_width = layer->kernel_width,
            .block = kernels->block,
        };
        mbn_pack_depthwise(&args, weights);
    } else {
        const mbn_pack_convolution_args args = {
            .weights = values[MBN_WEIGHT],
            .output_stride = w->output_stride,
            .input_stride = w->input_stride,
            .row_stride = w->row_stride,
            .column_stride = w->column_stride,
            .scale = scale,
            .output_channels = layer->output_channels,
            .input_channels = layer->input_channels,
            .kernel_height = layer->kernel_height,
            .kernel_width = layer->kernel_width,
            .block = kernels->block,
            .panel = kernels->panel,
        };
        mbn_pack_convolution(&args, weights);
    }
    mbn_pack_vector(shift, layer->output_channels, kernels->block, bias);
}

/* PyTorch counts batches for the moving averages' sake; nobody needs it to run. */
static bool is_counter(const char *name) {
    static const char suffix[] = ".num_batches_tracked";
    const size_t length = strlen(name);
    return length >= sizeof suffix - 1 && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

static bool is_wanted(const mbn_network *network, const char *name) {
    mbn_parameter_info info;
    for (int32_t i = 0; i < network->layer_count; i++) {
        for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
            if (mbn_layer_parameter(network, &network->layers[i], (mbn_parameter)p, &info) &&
                strcmp(info.name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Tensors in the file of the layers from `first` on. */
static size_t count_tensors(const mbn_safetensors *file, const mbn_network *network,
                            int32_t first) {
    size_t count = 0;
    for (int32_t i = first; i < network->layer_count; i++) {
        for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
            mbn_parameter_info info;
            if (mbn_layer_parameter(network, &network->layers[i], (mbn_parameter)p, &info) &&
                mbn_safetensors_find(file, info.name) != NULL) {
                count++;
            }
        }
    }
    return count;
}

/* `found` of the file's tensors are the network's: are there more? */
static mbn_status check_unwanted(const mbn_safetensors *file, const mbn_network *network,
                                 size_t found, mbn_error *error) {
    const mbn_tensor *tensor;
    size_t count = 0;
    for (size_t i = 0; (tensor = mbn_safetensors_at(file, i)) != NULL; i++) {
        if (!is_counter(tensor->name)) count++;
    }
    if (count == found) return MBN_OK;
    for (size_t i = 0; (tensor = mbn_safetensors_at(file, i)) != NULL; i++) {
        if (!is_counter(tensor->name) && !is_wanted(network, tensor->name)) {
            return mbn_fail(error, MBN_MALFORMED, "%s: %s has no such tensor", tensor->name,
                            network->name);
        }
    }
    return MBN_OK;
}

mbn_status mbn_check_tensors(const mbn_safetensors *file, const mbn_network *network,
                             int32_t layers, mbn_error *error) {
    size_t found = 0;
    for (int32_t i = 0; i < layers; i++) {
        for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
            mbn_parameter_info info;
            if (!mbn_layer_parameter(network, &network->layers[i], (mbn_parameter)p, &info))
                continue;
            const mbn_status status =
                check_tensor(mbn_safetensors_find(file, info.name), &info, error);
            if (status != MBN_OK) return status;
            found++;
        }
    }
    found += count_tensors(file, network, layers);
    return check_unwanted(file, network, found, error);
}

mbn_status mbn_pack_weights(const mbn_safetensors *file, const mbn_network *network, int32_t layers,
                            const mbn_kernels *kernels, const mbn_allocator *allocator,
                            float *packed, mbn_layer_weights *weights, mbn_error *error) {
    int32_t most_channels = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        if (network->layers[i].output_channels > most_channels) {
            most_channels = network->layers[i].output_channels;
        }
    }
    const size_t scratch_bytes = 2 * (size_t)most_channels * sizeof(float);
    float *scratch = mbn_allocate(allocator, scratch_bytes, MBN_ALIGNMENT);
    if (scratch == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to fold batch norm");

    mbn_status status = MBN_OK;
    for (int32_t i = 0; status == MBN_OK && i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        weights[i] = (mbn_layer_weights){NULL, NULL};
        if (layer->weights == 0 || i >= layers) continue;
        layer_tensors tensors;
        status = find_tensors(file, network, layer, allocator, &tensors, error);
        if (status == MBN_OK) {
            float *bias = packed + aligned_floats(packed_weights(layer, kernels->block));
            pack_layer(network, layer, kernels, &tensors, scratch, packed, bias);
            weights[i] = (mbn_layer_weights){packed, bias};
            packed = bias + aligned_floats(packed_bias(layer, kernels->block));
        }
        mbn_release(allocator, tensors.converted, tensors.converted_bytes);
    }
    mbn_release(allocator, scratch, scratch_bytes);
    return status;
}
