#include "model.h"

#include "arch/error.h"
#include "arch/system/file.h"
#include "arch/system/memory.h"
#include "file_kind.h"
#include "integers.h"
#include "metadata.h"
#include "precision.h"
#include "tensors.h"

#include <stdlib.h>
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

static mbn_image_lookup read_image_lookup(const mbn_integers *integers, int32_t channels) {
    const mbn_tensor *table = integers->image_lookup;
    const mbn_tensor *scale = integers->image_scale, *shift = integers->image_shift;
    mbn_image_lookup lookup;
    for (int32_t c = 0; c < channels; c++) {
        lookup.inverse_scale[c] = 1.0F / (float)mbn_tensor_real(scale, mbn_element_of(scale, c));
        lookup.shift[c] = (float)mbn_tensor_real(shift, mbn_element_of(shift, c));
        for (int i = 0; i < 256; i++) {
            lookup.bytes[c][i] = mbn_byte_at(table, (table->rank == 1 ? 0 : 256 * c) + i);
        }
    }
    return lookup;
}

/* What probabilities are made of, of a file whose probabilities are quantised. */
static mbn_q8_probabilities read_probabilities(const mbn_integers *integers,
                                               const mbn_quantization *logits) {
    const mbn_tensor *table = integers->probabilities_table;
    mbn_q8_probabilities p = {.logits = *logits, .output = integers->probabilities};
    for (int i = 0; i < 256; i++) {
        if (table->dtype == MBN_DTYPE_F32) {
            p.kind = MBN_Q8_SOFTMAX_FLOAT;
            p.table.real[i] = (float)mbn_tensor_real(table, i);
        } else if (table->dtype == MBN_DTYPE_I32) {
            p.kind = MBN_Q8_SOFTMAX_FIXED;
            p.table.fixed[i] = mbn_tensor_integer(table, i);
        } else {
            p.kind = MBN_Q8_SIGMOID;
            p.table.lookup[i] = mbn_byte_at(table, i);
        }
    }
    return p;
}

/* `packing`: of the tensors, which were checked. */
static mbn_status assemble(const mbn_packing *packing, const mbn_metadata *metadata,
                           const mbn_kernels *kernels, mbn_model **result, mbn_error *error) {
    const mbn_network *network = packing->network;
    const mbn_integers *integers = packing->integers;
    const int32_t loaded = packing->layers;
    const size_t layer_count = (size_t)network->layer_count;
    const bool in_integers = integers != NULL && kernels->element == MBN_ELEMENT_Q8;
    const bool looks_up = in_integers && integers->image_lookup != NULL;
    const bool quantized =
        in_integers && integers->probabilities_table != NULL && loaded == network->layer_count;
    const size_t layers_at = mbn_align(sizeof(mbn_model));
    const size_t packed_at = layers_at + mbn_align(layer_count * sizeof(mbn_layer));
    const size_t operands_at = packed_at + mbn_align(layer_count * sizeof(mbn_packed_layer));
    const size_t lookup_at = operands_at + mbn_packed_bytes(packing, kernels);
    const size_t quantized_at = lookup_at + (looks_up ? mbn_align(sizeof(mbn_image_lookup)) : 0);
    const size_t labels_at =
        quantized_at + (quantized ? mbn_align(sizeof(mbn_q8_probabilities)) : 0);
    const size_t bytes = labels_at + label_bytes(metadata);
    char *memory = mbn_allocate(packing->allocator, bytes, MBN_ALIGNMENT);
    if (memory == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a model of %zu bytes", bytes);
    }
    mbn_model *model = (mbn_model *)(void *)memory;
    mbn_layer *layers = (mbn_layer *)(void *)(memory + layers_at);
    memcpy(layers, network->layers, layer_count * sizeof *layers);
    *model = (mbn_model){
        .allocator = *packing->allocator,
        .bytes = bytes,
        .network = *network,
        .kernels = kernels,
        .preprocessing = metadata->preprocessing,
        .probabilities = metadata->probabilities,
        .integers = metadata->integers,
        .rescaling = metadata->rescaling,
        .loaded_layers = loaded,
        .packed = (mbn_packed_layer *)(void *)(memory + packed_at),
        .labels = copy_labels(metadata, memory + labels_at),
        .label_count = (int32_t)json_array_size(metadata->labels),
    };
    model->network.layers = layers;
    if (integers != NULL) model->image = integers->image;
    if (looks_up) {
        mbn_image_lookup *lookup = (mbn_image_lookup *)(void *)(memory + lookup_at);
        *lookup = read_image_lookup(integers, network->input_channels);
        model->image_lookup = lookup;
    }
    if (quantized) {
        mbn_q8_probabilities *p = (mbn_q8_probabilities *)(void *)(memory + quantized_at);
        *p = read_probabilities(integers, &integers->layers[layer_count - 1].output);
        model->quantized = p;
    }
    const mbn_status status =
        mbn_pack_layers(packing, kernels, memory + operands_at, model->packed, error);
    if (status != MBN_OK) {
        mbn_release(packing->allocator, memory, bytes);
        return status;
    }
    *result = model;
    return MBN_OK;
}

/* Whether some layers stay in floats. */
static bool has_floats(const mbn_integers *integers, int32_t layers) {
    for (int32_t i = 0; i < layers; i++) {
        if (integers->layers[i].floats) return true;
    }
    return false;
}

/* Checks the tensors, and makes a model of them. */
static mbn_status load_tensors(const mbn_safetensors *file, const mbn_metadata *metadata,
                               const mbn_network *network, const mbn_model_options *asked,
                               const mbn_allocator *allocator, mbn_model **model,
                               mbn_error *error) {
    const int32_t layers = asked->headless ? mbn_head_pool(network) + 1 : network->layer_count;
    const mbn_kernels *kernels;
    mbn_integers *integers = NULL;
    mbn_status status =
        mbn_choose_kernels(asked->isa_mask, asked->precision, metadata->integers, &kernels, error);
    if (status == MBN_OK) {
        status = metadata->integers
                     ? mbn_integers_read(file, metadata, network, layers, &integers, error)
                     : mbn_check_tensors(file, network, layers, error);
    }
    const mbn_kernels *floats = NULL;
    if (status == MBN_OK && integers != NULL && kernels->element == MBN_ELEMENT_Q8 &&
        has_floats(integers, layers)) {
        status = mbn_choose_kernels(asked->isa_mask, MBN_PRECISION_FLOAT32, true, &floats, error);
    }
    if (status == MBN_OK) {
        const mbn_packing packing = {file, network, integers, layers, allocator, floats};
        status = assemble(&packing, metadata, kernels, model, error);
    }
    free(integers);
    return status;
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

    mbn_safetensors *file = NULL;
    mbn_network *network = NULL;
    mbn_metadata metadata = {.labels = NULL};
    mbn_status status = mbn_check_precision(asked.precision, error);
    if (status == MBN_OK) status = parse(data, size, &file, error);
    if (status == MBN_OK) status = mbn_metadata_read(file, &metadata, error);
    if (status == MBN_OK) status = create_network(&metadata, &network, error);
    if (status == MBN_OK) {
        status = load_tensors(file, &metadata, network, &asked, &allocator, model, error);
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

bool mbn_model_rescaling(const mbn_model *model, mbn_rescaling *rescaling) {
    if (model->integers) *rescaling = model->rescaling;
    return model->integers;
}

bool mbn_model_layer_quantization(const mbn_model *model, int32_t layer,
                                  mbn_quantization *quantization) {
    if (layer < -1 || layer >= model->loaded_layers) return false;
    const mbn_kernels *kernels = layer < 0 ? model->kernels : model->packed[layer].kernels;
    if (kernels->element != MBN_ELEMENT_Q8) return false;
    *quantization = layer < 0 ? model->image : model->packed[layer].quantization;
    return true;
}

bool mbn_model_output_quantization(const mbn_model *model, mbn_output kind,
                                   mbn_quantization *quantization) {
    if (model->network.classes == 0 || mbn_is_headless(model)) return false;
    if (kind == MBN_LOGITS) {
        return mbn_model_layer_quantization(model, model->network.layer_count - 1, quantization);
    }
    if (kind != MBN_PROBABILITIES || model->quantized == NULL) return false;
    *quantization = model->quantized->output;
    return true;
}

void mbn_model_preprocessing(const mbn_model *model, mbn_preprocessing *preprocessing) {
    *preprocessing = model->preprocessing;
}
