#include "model.h"

#include "arch/error.h"
#include "arch/system/file.h"
#include "arch/system/memory.h"
#include "file_kind.h"
#include "metadata.h"
#include "precision.h"
#include "tensors.h"

#include <string.h>

static size_t label_bytes(const mbn_metadata *metadata) {
    size_t bytes = 0;
    for (size_t i = 0; i < json_array_size(metadata->labels); i++) {
        bytes += sizeof(char *) + json_string_length(json_array_get(metadata->labels, i)) + 1;
    }
    return bytes;
}

/* Copies the labels to `memory` (label_bytes): the addresses, then the texts. */
static const char **copy_labels(const mbn_metadata *metadata, void *memory) {
    const size_t count = json_array_size(metadata->labels);
    if (count == 0) return NULL;
    const char **labels = memory;
    char *text = (char *)(labels + count);
    for (size_t i = 0; i < count; i++) {
        const json_t *label = json_array_get(metadata->labels, i);
        const size_t length = json_string_length(label) + 1;
        memcpy(text, json_string_value(label), length);
        labels[i] = text;
        text += length;
    }
    return labels;
}

/* Layers up to the global pool. */
static int32_t backbone_layers(const mbn_network *network) {
    int32_t count = network->layer_count;
    while (network->layers[count - 1].role != MBN_ROLE_HEAD_POOL) count--;
    return count;
}

static mbn_status assemble(const mbn_safetensors *file, const mbn_metadata *metadata,
                           const mbn_network *network, bool headless, const mbn_kernels *kernels,
                           const mbn_allocator *allocator, mbn_model **result, mbn_error *error) {
    const int32_t loaded = headless ? backbone_layers(network) : network->layer_count;
    mbn_status status = mbn_check_tensors(file, network, loaded, error);
    if (status != MBN_OK) return status;
    const size_t layer_count = (size_t)network->layer_count;
    const size_t layers_at = mbn_align(sizeof(mbn_model));
    const size_t packed_at = layers_at + mbn_align(layer_count * sizeof(mbn_layer));
    const size_t operands_at = packed_at + mbn_align(layer_count * sizeof(mbn_packed_layer));
    const size_t labels_at = operands_at + mbn_packed_bytes(network, loaded, kernels);
    const size_t bytes = labels_at + label_bytes(metadata);
    char *memory = mbn_allocate(allocator, bytes, MBN_ALIGNMENT);
    if (memory == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a model of %zu bytes", bytes);
    }
    mbn_model *model = (mbn_model *)(void *)memory;
    mbn_layer *layers = (mbn_layer *)(void *)(memory + layers_at);
    memcpy(layers, network->layers, layer_count * sizeof *layers);
    *model = (mbn_model){
        .allocator = *allocator,
        .bytes = bytes,
        .network = *network,
        .kernels = kernels,
        .preprocessing = metadata->preprocessing,
        .probabilities = metadata->probabilities,
        .loaded_layers = loaded,
        .packed = (mbn_packed_layer *)(void *)(memory + packed_at),
        .labels = copy_labels(metadata, memory + labels_at),
        .label_count = (int32_t)json_array_size(metadata->labels),
    };
    model->network.layers = layers;
    status = mbn_pack_layers(file, network, loaded, kernels, allocator, memory + operands_at,
                             model->packed, error);
    if (status != MBN_OK) {
        mbn_release(allocator, memory, bytes);
        return status;
    }
    *result = model;
    return MBN_OK;
}

/* What the caller of mbn_network_create would have got wrong, a file has. */
static mbn_status create_network(const mbn_metadata *metadata, mbn_network **network,
                                 mbn_error *error) {
    mbn_error reason = {MBN_OK, ""};
    mbn_status status =
        metadata->architecture == NULL
            ? mbn_network_create(&metadata->options, network, &reason)
            : mbn_network_layout(metadata->architecture, &metadata->options, network, &reason);
    if (status == MBN_OK) return MBN_OK;
    if (status == MBN_INVALID_ARGUMENT) status = MBN_MALFORMED;
    return mbn_fail(error, status, "metadata %s", reason.message);
}

/* Says what a file is that is none, if it can be told. */
static mbn_status parse(const void *data, size_t size, mbn_safetensors **file, mbn_error *error) {
    const mbn_status status = mbn_safetensors_parse(data, size, file, error);
    const char *kind = status == MBN_MALFORMED ? mbn_file_kind(data, size) : NULL;
    return kind == NULL ? status : mbn_fail(error, status, "%s", kind);
}

mbn_status mbn_model_load_memory(const void *data, size_t size, const mbn_model_options *options,
                                 mbn_model **model, mbn_error *error) {
    if (model == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "model: is NULL");
    *model = NULL;
    if (data == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "data: is NULL");
    const mbn_model_options asked = options == NULL ? (mbn_model_options){0} : *options;
    const mbn_allocator allocator = mbn_allocator_or_default(asked.allocator);

    const mbn_kernels *kernels;
    mbn_safetensors *file = NULL;
    mbn_network *network = NULL;
    mbn_metadata metadata = {.labels = NULL};
    mbn_status status = mbn_choose_kernels(asked.isa_mask, asked.precision, &kernels, error);
    if (status == MBN_OK) status = parse(data, size, &file, error);
    if (status == MBN_OK) status = mbn_metadata_read(file, &metadata, error);
    if (status == MBN_OK) status = create_network(&metadata, &network, error);
    if (status == MBN_OK) {
        status =
            assemble(file, &metadata, network, asked.headless, kernels, &allocator, model, error);
    }
    mbn_metadata_free(&metadata);
    mbn_network_free(network);
    mbn_safetensors_free(file);
    return status;
}

mbn_status mbn_model_load(const char *path, const mbn_model_options *options, mbn_model **model,
                          mbn_error *error) {
    if (model == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "model: is NULL");
    *model = NULL;
    if (path == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "path: is NULL");
    mbn_file file;
    mbn_status status = mbn_file_map(path, &file, error);
    if (status != MBN_OK && mbn_folder_has(path, "saved_model.pb")) {
        return mbn_fail(error, status,
                        "%s: a TensorFlow SavedModel folder: convert it to TensorFlow Lite "
                        "(tf.lite.TFLiteConverter.from_saved_model), and import that "
                        "(tools/mobilenet-import)",
                        path);
    }
    if (status != MBN_OK) return status;
    mbn_error reason = {MBN_OK, ""};
    status = mbn_model_load_memory(file.data, file.size, options, model, &reason);
    mbn_file_unmap(&file);
    return status == MBN_OK ? MBN_OK : mbn_fail(error, status, "%s: %s", path, reason.message);
}

void mbn_model_free(mbn_model *model) {
    if (model == NULL) return;
    const mbn_allocator allocator = model->allocator;
    mbn_release(&allocator, model, model->bytes);
}

const mbn_network *mbn_model_network(const mbn_model *model) {
    return &model->network;
}

const mbn_kernels *mbn_model_kernels(const mbn_model *model) {
    return model->kernels;
}

size_t mbn_model_bytes(const mbn_model *model) {
    return model->bytes;
}

const char *mbn_model_label(const mbn_model *model, int32_t class_index) {
    if (model->labels == NULL || class_index < 0 || class_index >= model->label_count) {
        return NULL;
    }
    return model->labels[class_index];
}

mbn_probability_kind mbn_model_probabilities(const mbn_model *model) {
    return model->probabilities;
}

void mbn_model_preprocessing(const mbn_model *model, mbn_preprocessing *preprocessing) {
    *preprocessing = model->preprocessing;
}
