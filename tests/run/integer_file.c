#include "integer_file.h"

#include "arch/network/architecture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tests/random.h>

/* Residuals with and without squeeze-excite, both kernels, all strides, a row of v1's kind, layers
 * of fewer and of more channels than a block. */
static const char architecture[] =
    "{\"stem\":{\"channels\":8,\"activation\":\"relu6\"},\"rows\":["
    "{\"kernel\":3,\"expand\":24,\"channels\":8,\"activation\":\"relu6\"},"
    "{\"kernel\":5,\"expand\":40,\"channels\":24,\"squeeze\":16,\"strides\":[2,2],"
    "\"activation\":\"hard_swish\"},"
    "{\"kernel\":3,\"expand\":72,\"channels\":24,\"squeeze\":24,\"activation\":\"hard_swish\"},"
    "{\"kind\":\"separable\",\"kernel\":3,\"channels\":40,\"strides\":[2,1],"
    "\"activation\":\"relu\"}],"
    "\"head\":{\"channels\":48,\"activation\":\"hard_swish\"},"
    "\"hidden\":[{\"channels\":32,\"activation\":\"hard_swish\"}],\"batch_norm\":false}";

/* ---- Tensors --------------------------------------------------------------------------------- */

static size_t bytes_of(const char *dtype) {
    if (strcmp(dtype, "F64") == 0) return 8;
    return strcmp(dtype, "F32") == 0 || strcmp(dtype, "I32") == 0 ? 4 : 1;
}

static void write_element(const char *dtype, double value, char *at) {
    const float real = (float)value;
    const int32_t whole = strcmp(dtype, "I32") == 0 ? (int32_t)value : 0;
    const int8_t byte = (int8_t)(bytes_of(dtype) == 1 ? (int)value : 0);
    if (strcmp(dtype, "F64") == 0) {
        memcpy(at, &value, sizeof value);
    } else if (strcmp(dtype, "F32") == 0) {
        memcpy(at, &real, sizeof real);
    } else if (strcmp(dtype, "I32") == 0) {
        memcpy(at, &whole, sizeof whole);
    } else {
        memcpy(at, &byte, sizeof byte);
    }
}

integer_tensor *integer_file_find(integer_file *file, const char *name) {
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    }
    return NULL;
}

void integer_file_put(integer_file *file, const char *name, const char *dtype, int rank,
                      const int64_t *shape, const double *values, size_t given) {
    integer_tensor *tensor = integer_file_find(file, name);
    if (tensor == NULL) {
        cr_assert_lt(file->count, INTEGER_TENSORS);
        tensor = &file->tensors[file->count++];
    } else {
        free(tensor->data);
    }
    *tensor = (integer_tensor){.dtype = dtype, .rank = rank, .bytes = bytes_of(dtype)};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    for (int i = 0; i < rank; i++) {
        tensor->shape[i] = shape[i];
        tensor->bytes *= (size_t)shape[i];
    }
    tensor->data = malloc(tensor->bytes + 1);
    cr_assert_not_null(tensor->data);
    const size_t size = bytes_of(dtype);
    for (size_t i = 0; i < tensor->bytes / size; i++) {
        write_element(dtype, values[i < given ? i : given - 1], (char *)tensor->data + i * size);
    }
}

void integer_file_remove(integer_file *file, const char *name) {
    integer_tensor *tensor = integer_file_find(file, name);
    cr_assert_not_null(tensor, "%s", name);
    free(tensor->data);
    *tensor = file->tensors[--file->count];
}

void integer_file_set(integer_file *file, const char *key, const char *value) {
    int i = 0;
    while (file->metadata[i][0] != NULL && strcmp(file->metadata[i][0], key) != 0) i++;
    cr_assert_lt(i + 1, INTEGER_KEYS);
    if (file->metadata[i][0] == NULL) file->metadata[i][0] = strdup(key);
    free(file->metadata[i][1]);
    file->metadata[i][1] = value != NULL ? strdup(value) : NULL;
}

void integer_file_free(integer_file *file) {
    for (int i = 0; i < file->count; i++) free(file->tensors[i].data);
    for (int i = 0; i < INTEGER_KEYS; i++) {
        free(file->metadata[i][0]);
        free(file->metadata[i][1]);
    }
    free(file);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

typedef struct quantization {
    double scale;
    int zero; /* a byte */
} quantization;

typedef struct maker {
    integer_file *file;
    const mbn_network *network;
    integer_arithmetic arithmetic;
    bool signed_activations, signed_weights;
    random_state random;
    quantization outputs[256]; /* of layers */
    const mbn_layer *layer;
} maker;

static const char *type_of(const maker *m) {
    return m->signed_activations ? "I8" : "U8";
}

static int origin_of(const maker *m) {
    return m->signed_activations ? 128 : 0;
}

static void put(maker *m, const char *what, const char *dtype, int rank, const int64_t *shape,
                const double *values) {
    char name[96];
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= (size_t)shape[i];
    snprintf(name, sizeof name, "%s%s%s", m->layer != NULL ? m->layer->name : "",
             m->layer != NULL ? "." : "", what);
    integer_file_put(m->file, name, dtype, rank, shape, values, count);
}

static void put_vector(maker *m, const char *what, const char *dtype, int64_t count,
                       const double *values) {
    put(m, what, dtype, 1, &count, values);
}

static void put_quantization(maker *m, const char *what, quantization q) {
    char name[32];
    const double zero = q.zero - origin_of(m);
    snprintf(name, sizeof name, "%s_scale", what);
    put_vector(m, name, "F32", 1, &q.scale);
    snprintf(name, sizeof name, "%s_zero_point", what);
    put_vector(m, name, type_of(m), 1, &zero);
}

static void split_fixed(double factor, double pair[2]) {
    int shift;
    pair[0] = round(frexp(factor, &shift) * 0x1p31);
    if (pair[0] == 0x1p31) {
        pair[0] /= 2;
        shift++;
    }
    pair[1] = shift;
}

static void put_multipliers(maker *m, int64_t count, const double *factors) {
    double *pairs = malloc(2 * (size_t)count * sizeof *pairs);
    cr_assert_not_null(pairs);
    for (int64_t i = 0; i < count; i++) split_fixed(factors[i], pairs + 2 * i);
    if (m->arithmetic != ARITHMETIC_FIXED) {
        put_vector(m, "multiplier", "F32", count, factors);
    } else if (m->layer->kind == MBN_LAYER_FULLY_CONNECTED) {
        put_vector(m, "multiplier", "F64", count, factors);
    } else {
        put(m, "multiplier", "I32", 2, (const int64_t[]){count, 2}, pairs);
    }
    free(pairs);
}

static double activated(const mbn_activation *activation, double x) {
    const double gate =
        fmin(fmax((double)activation->slope * x + (double)activation->offset, 0), 1);
    return activation->kind == MBN_ACTIVATION_HARD_SWISH ? x * gate : gate;
}

/* A lookup where the activation is more than a clamp; else the output's range. */
static quantization put_activation(maker *m, quantization q) {
    const mbn_activation *activation = &m->layer->activation;
    const int origin = origin_of(m);
    if (activation->kind == MBN_ACTIVATION_RELU || activation->kind == MBN_ACTIVATION_RELU6) {
        double range[2] = {q.zero - origin, 255 - origin};
        if (activation->kind == MBN_ACTIVATION_RELU6) {
            range[1] = fmin(255, q.zero + round(6 / q.scale)) - origin;
        }
        put_vector(m, "output_range", type_of(m), 2, range);
    }
    if (activation->kind != MBN_ACTIVATION_HARD_SIGMOID &&
        activation->kind != MBN_ACTIVATION_HARD_SWISH) {
        return q;
    }
    const bool gate = activation->kind == MBN_ACTIVATION_HARD_SIGMOID;
    const quantization after = gate ? (quantization){1 / 256.0, 0} : (quantization){0.035, 11};
    double table[256];
    for (int i = 0; i < 256; i++) {
        const double y = activated(activation, q.scale * (i - q.zero)) / after.scale + after.zero;
        table[i] = fmin(fmax(round(y), 0), 255) - origin;
    }
    put_vector(m, "lookup", type_of(m), 256, table);
    put_quantization(m, "lookup", after);
    return after;
}

static quantization put_sum(maker *m, quantization own, quantization residual) {
    const quantization sum = {0.061, 121};
    const double factors[2] = {own.scale / sum.scale, residual.scale / sum.scale};
    const double origin = origin_of(m);
    if (m->arithmetic == ARITHMETIC_FLOAT) {
        const int shift = 20 - (int)floor(log2(fmax(factors[0], factors[1])));
        put_vector(m, "sum_multiplier", "I32", 3,
                   (const double[]){rint(ldexp(factors[0], shift)), rint(ldexp(factors[1], shift)),
                                    shift});
    } else if (m->arithmetic == ARITHMETIC_ONNX) {
        const double offset = sum.zero - origin - factors[0] * (own.zero - origin) -
                              factors[1] * (residual.zero - origin);
        put_vector(m, "sum_multiplier", "F32", 3, (const double[]){factors[0], factors[1], offset});
        put_vector(m, "sum_swapped", "U8", 1, (const double[]){1});
    } else {
        const double twice = 2 * fmax(own.scale, residual.scale);
        double pairs[6];
        split_fixed(own.scale / twice, pairs);
        split_fixed(residual.scale / twice, pairs + 2);
        split_fixed(twice / (0x1p20 * sum.scale), pairs + 4);
        put(m, "sum_multiplier", "I32", 2, (const int64_t[]){3, 2}, pairs);
    }
    put_quantization(m, "sum", sum);
    return sum;
}

/* Weights as far as their type goes, multipliers such that outputs use most of their bytes. */
static quantization put_weighted(maker *m, quantization input) {
    const mbn_layer *layer = m->layer;
    const bool depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
    const int64_t inputs = depthwise ? 1 : layer->input_channels;
    const int64_t shape[4] = {layer->output_channels, inputs, layer->kernel_height,
                              layer->kernel_width};
    const int64_t channels = layer->output_channels;
    const int64_t each = inputs * layer->kernel_height * layer->kernel_width;
    const double zero = m->signed_weights ? 0 : 100;
    double *weights = malloc((size_t)(channels * each) * sizeof *weights);
    double *rest = malloc(3 * (size_t)channels * sizeof *rest);
    cr_assert(weights != NULL && rest != NULL);
    double *scales = rest, *bias = rest + channels, *factors = rest + 2 * channels;
    const bool clamped = layer->activation.kind == MBN_ACTIVATION_RELU ||
                         layer->activation.kind == MBN_ACTIVATION_RELU6;
    const quantization output = {0.052, clamped ? 9 : 127};
    for (int64_t i = 0; i < channels * each; i++) {
        const int most = m->signed_weights ? 127 : 60;
        weights[i] = zero + random_int(&m->random, -most, most);
    }
    if (!m->signed_weights) weights[channels * each / 2] = 255; /* the wide one */
    for (int64_t c = 0; c < channels; c++) {
        const double spread =
            (m->signed_weights ? 73 : 35) / (layer->kind == MBN_LAYER_FULLY_CONNECTED ? 3.0 : 1.0);
        factors[c] = (0.3 + (int)(c % 4) * 0.1) * 50 / (spread * 60 * sqrt((double)each));
        scales[c] = (double)(float)(factors[c] * output.scale / input.scale);
        bias[c] = random_int(&m->random, -20, 40) / factors[c];
        bias[c] = trunc(bias[c]);
    }
    put(m, "weight", m->signed_weights ? "I8" : "U8", layer->matrix ? 2 : 4, shape, weights);
    put_vector(m, "weight_scale", "F32", channels, scales);
    if (!m->signed_weights) put_vector(m, "weight_zero_point", "U8", 1, &zero);
    put_vector(m, "bias", "I32", channels, bias);
    put_multipliers(m, channels, factors);
    put_quantization(m, "output", output);
    free(rest);
    free(weights);
    const quantization after = put_activation(m, output);
    return layer->residual < 0 ? after : put_sum(m, after, m->outputs[layer->residual]);
}

static quantization put_layer(maker *m, quantization input) {
    quantization q = {0.03, 14};
    switch (m->layer->kind) {
    case MBN_LAYER_CONVOLUTION:
    case MBN_LAYER_DEPTHWISE:
    case MBN_LAYER_POINTWISE:
    case MBN_LAYER_FULLY_CONNECTED: return put_weighted(m, input);
    case MBN_LAYER_CHANNEL_SCALE: {
        const double factor = input.scale * m->outputs[m->layer->gate].scale / q.scale;
        put_multipliers(m, 1, &factor);
        put_quantization(m, "output", q);
        return q;
    }
    case MBN_LAYER_GLOBAL_POOL: /* that of the head averages bytes */
        if (m->layer->role != MBN_ROLE_SQUEEZE_POOL) break;
        q = (quantization){0.021, 30};
        put_quantization(m, "output", q);
        return q;
    case MBN_LAYER_MAX_POOL: break;
    }
    return input;
}

integer_file *integer_file_make(integer_arithmetic arithmetic, bool signed_activations,
                                bool signed_weights) {
    static const char *const rescalings[ARITHMETICS] = {"float", "fixed", "float"};
    integer_file *file = calloc(1, sizeof *file);
    cr_assert_not_null(file);
    char height[16], width[16], classes[16];
    snprintf(height, sizeof height, "%d", HEIGHT);
    snprintf(width, sizeof width, "%d", WIDTH);
    snprintf(classes, sizeof classes, "%d", CLASSES);
    integer_file_set(file, "format", "mobilenet/2");
    integer_file_set(file, "network", "integers");
    integer_file_set(file, "architecture", architecture);
    integer_file_set(file, "input_height", height);
    integer_file_set(file, "input_width", width);
    integer_file_set(file, "classes", classes);
    integer_file_set(file, "rescaling", rescalings[arithmetic]);
    integer_file_set(file, "arithmetic", arithmetic == ARITHMETIC_ONNX ? "onnx" : "tensorflow");

    mbn_architecture *table;
    mbn_network *network;
    mbn_error error;
    cr_assert_eq(mbn_architecture_parse(architecture, "integers", &table, &error), MBN_OK, "%s",
                 error.message);
    const mbn_network_options options = {
        .input_height = HEIGHT, .input_width = WIDTH, .classes = CLASSES};
    cr_assert_eq(mbn_network_layout(table, &options, &network, &error), MBN_OK, "%s",
                 error.message);
    maker m = {.file = file,
               .network = network,
               .arithmetic = arithmetic,
               .signed_activations = signed_activations,
               .signed_weights = signed_weights,
               .random = {17}};
    const quantization image = {1 / 127.5, 127};
    put_quantization(&m, "input", image);
    for (int32_t i = 0; i < network->layer_count; i++) {
        m.layer = &network->layers[i];
        m.outputs[i] = put_layer(&m, m.layer->input < 0 ? image : m.outputs[m.layer->input]);
    }
    mbn_network_free(network);
    free(table);
    return file;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void append(char **text, const char *more) {
    const size_t length = *text == NULL ? 0 : strlen(*text);
    *text = realloc(*text, length + strlen(more) + 1);
    cr_assert_not_null(*text);
    memcpy(*text + length, more, strlen(more) + 1);
}

static void append_quoted(char **text, const char *more) {
    append(text, "\"");
    for (; *more != '\0'; more++) {
        append(text, *more == '"' ? "\\\"" : (const char[]){*more, '\0'});
    }
    append(text, "\"");
}

void *integer_file_bytes(const integer_file *file, size_t *size) {
    char *header = NULL, number[64];
    size_t at = 0;
    append(&header, "{\"__metadata__\":{");
    bool first = true;
    for (int i = 0; i < INTEGER_KEYS; i++) {
        if (file->metadata[i][1] == NULL) continue;
        if (!first) append(&header, ",");
        first = false;
        append_quoted(&header, file->metadata[i][0]);
        append(&header, ":");
        append_quoted(&header, file->metadata[i][1]);
    }
    append(&header, "}");
    for (int i = 0; i < file->count; i++) {
        const integer_tensor *tensor = &file->tensors[i];
        append(&header, ",");
        append_quoted(&header, tensor->name);
        append(&header, ":{\"dtype\":");
        append_quoted(&header, tensor->dtype);
        append(&header, ",\"shape\":[");
        for (int d = 0; d < tensor->rank; d++) {
            snprintf(number, sizeof number, "%s%lld", d > 0 ? "," : "",
                     (long long)tensor->shape[d]);
            append(&header, number);
        }
        snprintf(number, sizeof number, "],\"data_offsets\":[%zu,%zu]}", at, at + tensor->bytes);
        append(&header, number);
        at += tensor->bytes;
    }
    append(&header, "}");
    const uint64_t length = strlen(header);
    *size = 8 + (size_t)length + at;
    char *bytes = malloc(*size);
    cr_assert_not_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    at = 8 + (size_t)length;
    for (int i = 0; i < file->count; i++) {
        memcpy(bytes + at, file->tensors[i].data, file->tensors[i].bytes);
        at += file->tensors[i].bytes;
    }
    free(header);
    return bytes;
}

mbn_model *integer_file_load(const integer_file *file, const mbn_model_options *options) {
    size_t size;
    void *bytes = integer_file_bytes(file, &size);
    mbn_model *model = NULL;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_model_load_memory(bytes, size, options, &model, &error), MBN_OK, "%s",
                 error.message);
    free(bytes);
    return model;
}
