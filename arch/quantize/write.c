/* The model file of integers: docs/model-format.md, "Integer networks". */
#include "arch/error.h"
#include "arch/model/sink.h"
#include "arch/network/names.h"
#include "quantizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The header and the data, both counted only, or both written. */
typedef struct writer {
    mbn_sink header, data;
    uint64_t offset;            /* of the data that the header has */
    const mbn_network *network; /* the file's: with folded batch norm */
    const mbn_folded *folded;
    const mbn_plan_of_bytes *plan;
    int8_t *bytes;   /* scratch: [the most weights of a layer] */
    int32_t *biases; /* scratch: [the most outputs] */
    float *scales;   /* likewise */
} writer;

/* ---- Tensors --------------------------------------------------------------------------------- */

static void put(writer *w, const char *name, const char *dtype, const int64_t *shape, int32_t rank,
                const void *values, size_t bytes) {
    mbn_put_tensor(&w->header, name, dtype, shape, rank, bytes, &w->offset);
    mbn_put(&w->data, values, bytes);
}

/* `count` numbers of a layer; NULL: of the network. */
static void put_vector(writer *w, const mbn_layer *layer, const char *what, const char *dtype,
                       const void *values, int64_t count, size_t element) {
    char name[96];
    snprintf(name, sizeof name, "%s%s%s", layer == NULL ? "" : layer->name,
             layer == NULL ? "" : ".", what);
    put(w, name, dtype, &count, 1, values, (size_t)count * element);
}

static void put_affine(writer *w, const mbn_layer *layer, const char *what, mbn_affine affine) {
    char name[32];
    snprintf(name, sizeof name, "%s_scale", what);
    put_vector(w, layer, name, "F32", &affine.scale, 1, sizeof affine.scale);
    snprintf(name, sizeof name, "%s_zero_point", what);
    put_vector(w, layer, name, "U8", &affine.zero, 1, sizeof affine.zero);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static mbn_affine read_by(const writer *w, int32_t layer) {
    return layer < 0 ? w->plan->image : w->plan->layers[layer].value;
}

static void put_floats(writer *w, const mbn_layer *layer, const mbn_folded_layer *from) {
    mbn_parameter_info info;
    mbn_layer_parameter(w->network, layer, MBN_WEIGHT, &info);
    put(w, info.name, "F32", info.shape, info.rank, from->weights,
        (size_t)layer->weights * sizeof(float));
    put_vector(w, layer, "bias", "F32", from->bias, layer->output_channels, sizeof(float));
}

static void put_integers(writer *w, const mbn_layer *layer, const mbn_folded_layer *from,
                         const mbn_layer_plan *plan) {
    const int32_t window = mbn_window(layer), outputs = layer->output_channels;
    const float input = read_by(w, layer->input).scale;
    for (int32_t o = 0; o < outputs; o++) {
        const float *weights = from->weights + (ptrdiff_t)o * window;
        const float scale = mbn_weight_scale_of(from, o, input);
        for (int32_t k = 0; k < window; k++) {
            w->bytes[(ptrdiff_t)o * window + k] = mbn_round_weight(weights[k], scale);
        }
        w->scales[o] = scale;
        w->biases[o] = (int32_t)rint((double)from->bias[o] / ((double)input * (double)scale));
    }
    mbn_parameter_info info;
    mbn_layer_parameter(w->network, layer, MBN_WEIGHT, &info);
    put(w, info.name, "I8", info.shape, info.rank, w->bytes, (size_t)layer->weights);
    put_vector(w, layer, "weight_scale", "F32", w->scales, outputs, sizeof(float));
    put_vector(w, layer, "bias", "I32", w->biases, outputs, sizeof(int32_t));
    for (int32_t o = 0; o < outputs; o++) w->scales[o] = input * w->scales[o] / plan->output.scale;
    put_vector(w, layer, "multiplier", "F32", w->scales, outputs, sizeof(float));
}

/* Whole numbers and a shift; the larger factor has 21 bits. */
static void put_sum(writer *w, const mbn_layer *layer, const mbn_layer_plan *plan) {
    const float scale = plan->value.scale;
    const float own = plan->output.scale / scale;
    const float other = read_by(w, layer->residual).scale / scale;
    int exponent;
    frexpf(fmaxf(own, other), &exponent);
    int32_t factors[3];
    factors[2] = 21 - exponent < 31 ? 21 - exponent : 31;
    factors[0] = (int32_t)rint(ldexp((double)own, factors[2]));
    factors[1] = (int32_t)rint(ldexp((double)other, factors[2]));
    put_vector(w, layer, "sum_multiplier", "I32", factors, 3, sizeof(int32_t));
    put_affine(w, layer, "sum", plan->value);
}

static void put_layer(writer *w, int32_t index) {
    const mbn_layer *layer = &w->network->layers[index];
    const mbn_layer_plan *plan = &w->plan->layers[index];
    const mbn_folded_layer *from = &w->folded->layers[index];
    if (plan->floats) {
        if (layer->weights > 0) put_floats(w, layer, from);
        put_affine(w, layer, "output", plan->value);
        return;
    }
    if (plan->keeps) return;
    if (layer->weights > 0) {
        put_integers(w, layer, from, plan);
    } else if (layer->kind == MBN_LAYER_CHANNEL_SCALE) {
        const float factor =
            read_by(w, layer->input).scale * read_by(w, layer->gate).scale / plan->output.scale;
        put_vector(w, layer, "multiplier", "F32", &factor, 1, sizeof factor);
    }
    put_affine(w, layer, "output", plan->output);
    if (plan->low != 0 || plan->high != 255) {
        put_vector(w, layer, "output_range", "U8", (const uint8_t[]){plan->low, plan->high}, 2, 1);
    }
    if (plan->looks_up) {
        put_vector(w, layer, "lookup", "U8", plan->lookup, 256, 1);
        put_affine(w, layer, "lookup", plan->value);
    }
    if (plan->adds) put_sum(w, layer, plan);
}

/* ---- Metadata -------------------------------------------------------------------------------- */

/* What is said of images and classes, in files of both formats, and of the second alone. */
static const char *const keys[] = {"network", "input_height", "input_width", "classes",
                                   "mean",    "std",          "resize",      "labels"};
static const char *const second_keys[] = {"input_channels", "interpolation", "resampling", "fit",
                                          "fill",           "probabilities"};

/* False when out of memory. */
static bool copy_keys(const mbn_safetensors *file, const char *const *names, size_t count,
                      json_t *metadata) {
    for (size_t i = 0; i < count; i++) {
        const char *value = mbn_safetensors_metadata(file, names[i]);
        if (value != NULL && json_object_set_new(metadata, names[i], json_string(value)) != 0)
            return false;
    }
    return true;
}

static const mbn_naming *naming_of(const mbn_metadata *metadata) {
    const mbn_architecture *architecture = metadata->architecture;
    if (architecture != NULL) return architecture->conventions->naming;
    architecture = mbn_architecture_find(metadata->network);
    return mbn_architecture_conventions(architecture, metadata->options.source)->naming;
}

/* The metadata's JSON, from malloc; NULL when out of memory. */
static char *metadata_text(const mbn_safetensors *file, const mbn_network *network,
                           const char *table) {
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "format", "mobilenet/2", "source",
                             mbn_source_name(MBN_SOURCE_TORCHVISION), "padding",
                             mbn_padding_name(network->padding), "rescaling",
                             mbn_rescaling_name(MBN_RESCALE_FLOAT), "architecture", table);
    const bool second = strcmp(mbn_safetensors_metadata(file, "format"), "mobilenet/2") == 0;
    const bool whole =
        copy_keys(file, keys, sizeof keys / sizeof *keys, json) &&
        (!second || copy_keys(file, second_keys, sizeof second_keys / sizeof *second_keys, json));
    char *text = whole ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(json);
    return text;
}

/* ---- The file -------------------------------------------------------------------------------- */

static void put_all(writer *w, const char *metadata) {
    mbn_put_text(&w->header, "{\"__metadata__\":");
    mbn_put(&w->header, metadata, strlen(metadata));
    put_affine(w, NULL, "input", w->plan->image);
    for (int32_t i = 0; i < w->network->layer_count; i++) put_layer(w, i);
    mbn_put_header_end(&w->header);
}

/* Counts, then writes. */
static mbn_status write_all(writer *w, const char *metadata, void **bytes, size_t *size,
                            mbn_error *error) {
    put_all(w, metadata);
    const size_t header = w->header.length;
    *size = sizeof(uint64_t) + header + w->data.length;
    unsigned char *buffer = malloc(*size);
    if (buffer == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a file of %zu bytes", *size);
    }
    mbn_sink length = {buffer, 0};
    mbn_put_little_endian(&length, header, sizeof(uint64_t));
    w->header = (mbn_sink){buffer + length.length, 0};
    w->data = (mbn_sink){buffer + length.length + header, 0};
    w->offset = 0;
    put_all(w, metadata);
    *bytes = buffer;
    return MBN_OK;
}

/* The file's own network, whose layers have the same names. */
static mbn_status lay_out(const mbn_metadata *metadata, const char *table,
                          const mbn_network *network, mbn_network **result, mbn_error *error) {
    mbn_architecture *architecture;
    mbn_status status = mbn_architecture_parse(table, metadata->network, &architecture, error);
    if (status != MBN_OK) return status;
    mbn_network_options options = metadata->options;
    options.source = MBN_SOURCE_TORCHVISION;
    options.padding = network->padding;
    options.width = 0.0;
    options.batch_norm_epsilon = 0.0;
    status = mbn_network_layout(architecture, &options, result, error);
    free(architecture);
    return status;
}

static mbn_status write_network(writer *w, const char *metadata, void **bytes, size_t *size,
                                mbn_error *error) {
    size_t weights = 0, outputs = 0;
    for (int32_t i = 0; i < w->network->layer_count; i++) {
        const mbn_layer *layer = &w->network->layers[i];
        if ((size_t)layer->weights > weights) weights = (size_t)layer->weights;
        if ((size_t)layer->output_channels > outputs) outputs = (size_t)layer->output_channels;
    }
    w->bytes = malloc(weights);
    w->biases = malloc(outputs * sizeof *w->biases);
    w->scales = malloc(outputs * sizeof *w->scales);
    mbn_status status;
    if (w->bytes == NULL || w->biases == NULL || w->scales == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to round weights");
    } else {
        status = write_all(w, metadata, bytes, size, error);
    }
    free(w->bytes);
    free(w->biases);
    free(w->scales);
    return status;
}

mbn_status mbn_write_integers(const mbn_safetensors *file, const mbn_metadata *metadata,
                              const mbn_folded *folded, const mbn_plan_of_bytes *plan, void **bytes,
                              size_t *size, mbn_error *error) {
    json_t *json = mbn_table_of(folded->network, naming_of(metadata));
    char *table = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    char *text = table == NULL ? NULL : metadata_text(file, folded->network, table);
    mbn_network *network = NULL;
    mbn_status status;
    if (text == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a network's table");
    } else {
        status = lay_out(metadata, table, folded->network, &network, error);
    }
    if (status == MBN_OK) {
        writer w = {.network = network, .folded = folded, .plan = plan};
        status = write_network(&w, text, bytes, size, error);
    }
    mbn_network_free(network);
    free(text);
    free(table);
    return status;
}
