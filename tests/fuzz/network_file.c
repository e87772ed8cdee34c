#include "network_file.h"

#include <arch/network/architecture.h>
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tests/random.h>
#include <tests/run/integer_file.h>

/* ---- Tables ---------------------------------------------------------------------------------- */

static json_t *choose_activation(choices *c) {
    static const char *const names[] = {"hard_swish", "relu", "relu6", "none", "hard_sigmoid"};
    return json_string(names[choose(c, 0, 4)]);
}

/* Fewer than a block, about one, or several panels. */
static json_t *choose_channels(choices *c) {
    return json_integer(choose_mostly(c, 1, 24, 100));
}

static void put(json_t *object, const char *key, json_t *value) {
    cr_assert_eq(json_object_set_new(object, key, value), 0);
}

static json_t *choose_row(choices *c) {
    json_t *row = json_object();
    const int32_t parts = choose(c, 0, 255);
    put(row, "kernel", json_integer((parts & 1) != 0 ? 5 : 3));
    put(row, "channels", choose_channels(c));
    put(row, "activation", choose_activation(c));
    if ((parts & 2) != 0) put(row, "squeeze", choose_channels(c));
    if ((parts & 6) == 6) put(row, "squeeze_activation", choose_activation(c));
    if ((parts & 24) == 24) {
        put(row, "kind", json_string("separable"));
    } else if ((parts & 8) != 0) {
        put(row, "expand", choose_channels(c));
    }
    if ((parts & 32) != 0) {
        const int32_t vertical = choose(c, 1, 2), horizontal = choose(c, 1, 2);
        put(row, "strides", json_pack("[ii]", vertical, horizontal));
    }
    if ((parts & 192) == 192) put(row, "residual", json_false());
    return row;
}

static json_t *choose_table(choices *c) {
    json_t *table = json_object(), *stem = json_object(), *rows = json_array();
    put(stem, "channels", choose_channels(c));
    put(stem, "activation", choose_activation(c));
    const int32_t parts = choose(c, 0, 1023);
    if ((parts & 1) != 0) {
        const int32_t vertical = choose(c, 1, 2), horizontal = choose(c, 1, 2);
        put(stem, "strides", json_pack("[ii]", vertical, horizontal));
    }
    put(table, "stem", stem);
    for (int32_t count = choose(c, 1, 5); count > 0; count--) {
        json_array_append_new(rows, choose_row(c));
    }
    put(table, "rows", rows);
    if ((parts & 2) != 0) {
        json_t *head = json_object();
        put(head, "channels", choose_channels(c));
        put(head, "activation", choose_activation(c));
        put(table, "head", head);
    }
    if ((parts & 4) != 0) put(table, "batch_norm", json_false());
    if ((parts & 8) != 0) put(table, "convolution_bias", json_true());
    if ((parts & 16) != 0) {
        json_t *hidden = json_array();
        for (int32_t count = choose(c, 1, 2); count > 0; count--) {
            json_t *layer = json_object();
            put(layer, "channels", choose_channels(c));
            put(layer, "activation", choose_activation(c));
            json_array_append_new(hidden, layer);
        }
        put(table, "hidden", hidden);
    }
    if ((parts & 96) == 96) put(table, "pool", json_string("max"));
    if ((parts & 384) == 384) {
        const int32_t window = choose(c, 1, 3), stride = choose(c, 1, 3);
        put(table, "max_pool", json_pack("{sisi}", "window", window, "stride", stride));
    }
    if ((parts & 612) == 612) put(table, "logits", json_false());
    return table;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

typedef struct writer {
    json_t *header;
    uint8_t *data;
    size_t size;
    random_state random;
    int32_t dtype; /* an index of dtypes */
} writer;

static const char *const dtypes[] = {"F32", "BF16", "F16"};

/* Between low and high, which are both positive or mirror each other. */
static void write_tensor(writer *w, const char *layer, const char *what, const int64_t *shape,
                         int rank, float low, float high) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    const size_t bytes = w->dtype == 0 ? 4 : 2, begin = w->size;
    size_t count = 1;
    json_t *sizes = json_array();
    for (int i = 0; i < rank; i++) {
        count *= (size_t)shape[i];
        json_array_append_new(sizes, json_integer(shape[i]));
    }
    w->data = realloc(w->data, w->size + count * bytes);
    cr_assert_not_null(w->data);
    for (size_t i = 0; i < count; i++, w->size += bytes) {
        const float value = random_float(&w->random, low, high);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        /* Half precision: any mantissa, an exponent of 2^-4 to 1/2, and the value's sign. */
        uint16_t half =
            (uint16_t)((bits >> 16 & 0x8000) | (11u + (bits & 3)) << 10 | (bits >> 4 & 0x3ff));
        if (w->dtype == 1) half = (uint16_t)(bits >> 16);
        if (bytes == 4) {
            memcpy(w->data + w->size, &bits, 4);
        } else {
            memcpy(w->data + w->size, &half, 2);
        }
    }
    put(w->header, name,
        json_pack("{sssos[II]}", "dtype", dtypes[w->dtype], "shape", sizes, "data_offsets",
                  (json_int_t)begin, (json_int_t)w->size));
}

static void write_layer(writer *w, const mbn_layer *layer) {
    if (layer->weights == 0) return;
    const bool depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
    const int64_t inputs = depthwise ? 1 : layer->input_channels, outputs = layer->output_channels;
    const int64_t shape[4] = {outputs, inputs, layer->kernel_height, layer->kernel_width};
    const float most = 2.0F / sqrtf((float)(layer->weights / outputs));
    write_tensor(w, layer->name, "weight", shape, layer->matrix ? 2 : 4, -most, most);
    if (layer->bias) write_tensor(w, layer->name, "bias", shape, 1, -1.0F, 1.0F);
    if (layer->batch_norm_name[0] == '\0') return;
    write_tensor(w, layer->batch_norm_name, "weight", shape, 1, 0.5F, 1.5F);
    write_tensor(w, layer->batch_norm_name, "bias", shape, 1, -1.0F, 1.0F);
    write_tensor(w, layer->batch_norm_name, "running_mean", shape, 1, -0.5F, 0.5F);
    write_tensor(w, layer->batch_norm_name, "running_var", shape, 1, 0.5F, 1.5F);
}

/* Header and data as a file; both are freed. */
static uint8_t *join(writer *w, size_t *size) {
    char *text = json_dumps(w->header, JSON_COMPACT);
    json_decref(w->header);
    cr_assert_not_null(text);
    const size_t length = strlen(text);
    uint8_t *bytes = malloc(8 + length + w->size);
    cr_assert_not_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, text, length);
    if (w->size > 0) memcpy(bytes + 8 + length, w->data, w->size);
    *size = 8 + length + w->size;
    free(text);
    free(w->data);
    return bytes;
}

static void put_number(json_t *metadata, const char *key, int32_t number) {
    put(metadata, key, json_sprintf("%d", (int)number));
}

uint8_t *choose_network_file(choices *c, size_t *size) {
    static const char *const paddings[] = {NULL, "same", "symmetric", "trailing"};
    static const char *const probabilities[] = {"softmax", "sigmoid", "none"};
    json_t *table = choose_table(c);
    char *text = json_dumps(table, JSON_COMPACT);
    json_decref(table);
    cr_assert_not_null(text);
    const mbn_network_options options = {
        .input_height = choose(c, 32, 79),
        .input_width = choose(c, 32, 79),
        .classes = choose_mostly(c, 1, 20, 70),
        .padding = (mbn_padding)choose(c, MBN_PADDING_DEFAULT, MBN_PADDING_TRAILING),
        .input_channels = choose(c, 0, 3) == 1 ? choose(c, 1, 4) : 3,
    };
    json_t *metadata =
        json_pack("{ssssss}", "format", "mobilenet/2", "network", "any", "architecture", text);
    put_number(metadata, "input_height", options.input_height);
    put_number(metadata, "input_width", options.input_width);
    put_number(metadata, "classes", options.classes);
    put_number(metadata, "input_channels", options.input_channels);
    if (options.padding != MBN_PADDING_DEFAULT) {
        put(metadata, "padding", json_string(paddings[options.padding]));
    }
    put(metadata, "probabilities", json_string(probabilities[choose(c, 0, 2)]));
    writer w = {.header = json_object(), .dtype = choose(c, 0, 2)};
    w.random.state = choose_bits(c, 2);
    put(w.header, "__metadata__", metadata);

    mbn_architecture *architecture;
    mbn_network *network;
    mbn_error error;
    cr_assert_eq(mbn_architecture_parse(text, "any", &architecture, &error), MBN_OK, "%s: %s",
                 error.message, text);
    free(text);
    const mbn_status status = mbn_network_layout(architecture, &options, &network, &error);
    if (status == MBN_OK) {
        for (int32_t i = 0; i < network->layer_count; i++) write_layer(&w, &network->layers[i]);
    }
    mbn_network_free(network);
    free(architecture);
    uint8_t *bytes = join(&w, size);
    if (status == MBN_OK) return bytes;
    free(bytes);
    return NULL;
}

uint8_t *choose_integer_file(choices *c, size_t *size) {
    static struct {
        void *bytes;
        size_t size;
    } made[ARITHMETICS][2][2]; /* it takes longer to make one than to load it */
    const int32_t arithmetic = choose(c, 0, ARITHMETICS - 1), kinds = choose(c, 0, 3);
    const bool activations = (kinds & 1) != 0, weights = (kinds & 2) != 0;
    void **bytes = &made[arithmetic][activations][weights].bytes;
    size_t *bytes_size = &made[arithmetic][activations][weights].size;
    if (*bytes == NULL) {
        integer_file *file =
            integer_file_make((integer_arithmetic)arithmetic, activations, weights);
        *bytes = integer_file_bytes(file, bytes_size);
        integer_file_free(file);
    }
    uint8_t *copy = malloc(*bytes_size);
    cr_assert_not_null(copy);
    *size = *bytes_size;
    return memcpy(copy, *bytes, *bytes_size);
}
