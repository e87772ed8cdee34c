/* Checking and finding a model file's tensors, and their elements as numbers. */
#include "tensors.h"

#include "arch/error.h"
#include "arch/system/memory.h"

#include <stdio.h>
#include <string.h>

static void format_shape(char *text, size_t size, const int64_t *shape, int32_t rank) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? "," : "",
                                 (long long)shape[i]);
    }
    if (used < size) snprintf(text + used, size - used, "]");
}

mbn_status mbn_check_shape(const mbn_tensor *tensor, const mbn_parameter_info *info,
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
    return MBN_OK;
}

static mbn_status check_tensor(const mbn_tensor *tensor, const mbn_parameter_info *info,
                               mbn_error *error) {
    const mbn_status status = mbn_check_shape(tensor, info, error);
    if (status != MBN_OK || mbn_tensor_has_floats(tensor)) return status;
    const bool integers = tensor->dtype == MBN_DTYPE_I8 || tensor->dtype == MBN_DTYPE_U8;
    return mbn_fail(error, MBN_UNSUPPORTED, "%s: type %s; F32, F16 and BF16 are read%s", info->name,
                    tensor->dtype_name,
                    integers ? ", and integers where a file of mobilenet/2 says its `rescaling'"
                             : "");
}

static bool in_place(const mbn_tensor *tensor) {
    return tensor->dtype == MBN_DTYPE_F32 && (uintptr_t)tensor->data % sizeof(float) == 0;
}

mbn_status mbn_find_floats(const mbn_safetensors *file, const mbn_network *network,
                           const mbn_layer *layer, const mbn_allocator *allocator,
                           mbn_layer_floats *floats, mbn_error *error) {
    const mbn_tensor *sources[MBN_PARAMETER_COUNT] = {NULL};
    size_t count = 0;
    *floats = (mbn_layer_floats){.converted = NULL};
    for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
        mbn_parameter_info info;
        if (!mbn_layer_parameter(network, layer, (mbn_parameter)p, &info)) continue;
        sources[p] = mbn_safetensors_find(file, info.name);
        if (p == MBN_WEIGHT) floats->weight = info;
        if (!in_place(sources[p])) count += (size_t)sources[p]->count;
    }
    if (count > 0) {
        floats->converted_bytes = count * sizeof(float);
        floats->converted = mbn_allocate(allocator, floats->converted_bytes, MBN_ALIGNMENT);
        if (floats->converted == NULL) {
            return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s: no memory to convert it", layer->name);
        }
    }
    float *next = floats->converted;
    for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
        if (sources[p] == NULL) continue;
        if (in_place(sources[p])) {
            floats->values[p] = (const float *)sources[p]->data;
        } else {
            mbn_tensor_to_floats(sources[p], next);
            floats->values[p] = next;
            next += sources[p]->count;
        }
    }
    const float *variance = floats->values[MBN_VARIANCE];
    for (int32_t c = 0; variance != NULL && c < layer->output_channels; c++) {
        if (variance[c] < 0.0F) {
            return mbn_fail(error, MBN_MALFORMED, "%s: variance [%d] is negative",
                            sources[MBN_VARIANCE]->name, (int)c);
        }
    }
    return MBN_OK;
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

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 0x1f;
    const uint32_t fraction = half & 0x3ff;
    if (exponent == 0) { /* zero and subnormals: a multiple of 2^-24 */
        const float magnitude = (float)fraction * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    /* The bias grows from 15 to 127; infinity and NaN keep the largest exponent. */
    const uint32_t widened = exponent == 0x1f ? 0xff : exponent + 127 - 15;
    return float_of_bits(sign | widened << 23 | fraction << 13);
}

void mbn_tensor_to_floats(const mbn_tensor *tensor, float *out) {
    const uint8_t *data = tensor->data;
    switch (tensor->dtype) {
    case MBN_DTYPE_F32:
        if (tensor->bytes > 0) memcpy(out, data, tensor->bytes);
        break;
    case MBN_DTYPE_F16:
    case MBN_DTYPE_BF16:
        for (int64_t i = 0; i < tensor->count; i++) {
            uint16_t bits;
            memcpy(&bits, data + 2 * i, sizeof bits);
            out[i] = tensor->dtype == MBN_DTYPE_F16 ? float_of_half(bits)
                                                    : float_of_bits((uint32_t)bits << 16);
        }
        break;
    case MBN_DTYPE_F64:
    case MBN_DTYPE_I8:
    case MBN_DTYPE_U8:
    case MBN_DTYPE_I32:
    case MBN_DTYPE_OTHER: break;
    }
}

int32_t mbn_tensor_integer(const mbn_tensor *tensor, int64_t index) {
    if (tensor->dtype == MBN_DTYPE_I8) return ((const int8_t *)tensor->data)[index];
    if (tensor->dtype == MBN_DTYPE_U8) return ((const uint8_t *)tensor->data)[index];
    int32_t value;
    memcpy(&value, (const char *)tensor->data + index * (int64_t)sizeof value, sizeof value);
    return value;
}

double mbn_tensor_real(const mbn_tensor *tensor, int64_t index) {
    if (tensor->dtype == MBN_DTYPE_F32) {
        float value;
        memcpy(&value, (const char *)tensor->data + index * (int64_t)sizeof value, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, (const char *)tensor->data + index * (int64_t)sizeof value, sizeof value);
    return value;
}
