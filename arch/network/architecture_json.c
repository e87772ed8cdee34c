/* Network tables out of a model file: docs/model-format.md, "Tables". */
#include "arch/error.h"
#include "arch/json.h"
#include "architecture.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above any MobileNet, and low enough that no sum or product of sizes overflows. */
enum { MAX_CHANNELS = 16384, MAX_ROWS = 256, MAX_HIDDEN = 16, MAX_WINDOW = 64 };

/* One object of the JSON, and where it stands, for messages. */
struct object {
    const json_t *json;
    char path[32]; /* "rows[3]."; "" for the whole */
    mbn_error *error;
};

enum presence { REQUIRED, OPTIONAL };

__attribute__((format(printf, 3, 4))) static bool fail(const struct object *object, const char *key,
                                                       const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mbn_fail(object->error, MBN_MALFORMED, "metadata architecture: %s%.64s: %s", object->path, key,
             text);
    return false;
}

/* True if `json` is an object with no other keys than these. */
static bool check_object(const struct object *object, const char *const keys[]) {
    if (!json_is_object(object->json)) {
        const size_t length = strlen(object->path);
        mbn_fail(object->error, MBN_MALFORMED, "metadata architecture: %.*s%s is not an object",
                 length > 0 ? (int)length - 1 : 0, object->path, length > 0 ? "" : "it");
        return false;
    }
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object->json, key, value) {
        bool known = false;
        for (const char *const *k = keys; !known && *k != NULL; k++) known = strcmp(*k, key) == 0;
        if (!known) return fail(object, key, "no such field");
    }
    return true;
}

/* *value stays if an optional field is absent; so it does in what follows. */
static bool read_integer(const struct object *object, const char *key, enum presence presence,
                         int32_t low, int32_t high, int32_t *value) {
    const json_t *json = json_object_get(object->json, key);
    if (json == NULL) return presence == OPTIONAL || fail(object, key, "missing");
    const json_int_t number = json_integer_value(json);
    if (!json_is_integer(json) || number < low || number > high)
        return fail(object, key, "not a whole number from %d to %d", (int)low, (int)high);
    *value = (int32_t)number;
    return true;
}

static bool read_float(const struct object *object, const char *key, double low, double high,
                       float *value) {
    const json_t *json = json_object_get(object->json, key);
    if (json == NULL) return true;
    const double number = json_number_value(json);
    if (!json_is_number(json) || !(number >= low && number <= high))
        return fail(object, key, "not a number from %g to %g", low, high);
    *value = (float)number;
    return true;
}

static bool read_bool(const struct object *object, const char *key, bool *value) {
    const json_t *json = json_object_get(object->json, key);
    if (json == NULL) return true;
    if (!json_is_boolean(json)) return fail(object, key, "neither true nor false");
    *value = json_is_true(json);
    return true;
}

const char *mbn_activation_name(mbn_activation_kind kind) {
    static const char *const names[] = {
        [MBN_ACTIVATION_NONE] = "none",
        [MBN_ACTIVATION_RELU] = "relu",
        [MBN_ACTIVATION_RELU6] = "relu6",
        [MBN_ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
        [MBN_ACTIVATION_HARD_SWISH] = "hard_swish",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

static bool read_activation(const struct object *object, const char *key, enum presence presence,
                            mbn_activation_kind *value) {
    const json_t *json = json_object_get(object->json, key);
    if (json == NULL) return presence == OPTIONAL || fail(object, key, "missing");
    const char *text = json_string_value(json);
    const char *name;
    for (int i = 0; text != NULL && (name = mbn_activation_name((mbn_activation_kind)i)); i++) {
        if (strcmp(name, text) == 0) {
            *value = (mbn_activation_kind)i;
            return true;
        }
    }
    return fail(object, key, "%.32s is not none, relu, relu6, hard_sigmoid or hard_swish",
                text != NULL ? text : "it");
}

/* [vertical, horizontal]. */
static bool read_strides(const struct object *object, int32_t *vertical, int32_t *horizontal) {
    const json_t *json = json_object_get(object->json, "strides");
    if (json == NULL) return true;
    int32_t *const values[2] = {vertical, horizontal};
    bool good = json_is_array(json) && json_array_size(json) == 2;
    for (size_t i = 0; good && i < 2; i++) {
        const json_t *item = json_array_get(json, i);
        const json_int_t stride = json_integer_value(item);
        good = json_is_integer(item) && (stride == 1 || stride == 2);
        if (good) *values[i] = (int32_t)stride;
    }
    return good || fail(object, "strides", "not two numbers, each 1 or 2");
}

static bool read_stem(const struct object *object, mbn_architecture *a) {
    static const char *const keys[] = {"channels", "strides", "activation", NULL};
    a->stem_stride_vertical = a->stem_stride_horizontal = 2;
    return check_object(object, keys) &&
           read_integer(object, "channels", REQUIRED, 1, MAX_CHANNELS, &a->stem_channels) &&
           read_strides(object, &a->stem_stride_vertical, &a->stem_stride_horizontal) &&
           read_activation(object, "activation", REQUIRED, &a->stem_activation);
}

static bool read_row(const struct object *object, mbn_row *row) {
    static const char *const keys[] = {
        "kind",    "kernel",     "expand",   "channels",           "squeeze",
        "strides", "activation", "residual", "squeeze_activation", NULL};
    *row = (mbn_row){.kind = MBN_ROW_INVERTED_RESIDUAL,
                     .squeeze = MBN_SQUEEZE_NONE,
                     .stride_vertical = 1,
                     .stride_horizontal = 1,
                     .repeat = 1};
    bool residual = true;
    if (!check_object(object, keys)) return false;
    const json_t *kind = json_object_get(object->json, "kind");
    if (kind != NULL) {
        const char *text = json_is_string(kind) ? json_string_value(kind) : "it";
        if (strcmp(text, "separable") == 0)
            row->kind = MBN_ROW_SEPARABLE;
        else if (strcmp(text, "inverted_residual") != 0)
            return fail(object, "kind", "%.32s is neither separable nor inverted_residual", text);
    }
    if (!read_integer(object, "kernel", REQUIRED, 3, 5, &row->kernel) ||
        !read_integer(object, "expand", OPTIONAL, 1, MAX_CHANNELS, &row->expansion) ||
        !read_integer(object, "channels", REQUIRED, 1, MAX_CHANNELS, &row->output_channels) ||
        !read_integer(object, "squeeze", OPTIONAL, 1, MAX_CHANNELS, &row->squeeze) ||
        !read_strides(object, &row->stride_vertical, &row->stride_horizontal) ||
        !read_activation(object, "activation", REQUIRED, &row->activation) ||
        !read_activation(object, "squeeze_activation", OPTIONAL, &row->squeeze_activation) ||
        !read_bool(object, "residual", &residual))
        return false;
    row->own_squeeze_activation = json_object_get(object->json, "squeeze_activation") != NULL;
    if (row->own_squeeze_activation && row->squeeze == MBN_SQUEEZE_NONE)
        return fail(object, "squeeze_activation", "there is no squeeze");
    row->no_residual = !residual;
    if (row->kernel == 4) return fail(object, "kernel", "neither 3 nor 5");
    if (row->kind == MBN_ROW_SEPARABLE && row->expansion != 0)
        return fail(object, "expand", "a separable row has no expansion");
    return true;
}

static bool read_gate(const struct object *object, mbn_architecture *a) {
    static const char *const keys[] = {"activation", "slope", "offset", NULL};
    if (!check_object(object, keys) ||
        !read_activation(object, "activation", REQUIRED, &a->gate.kind))
        return false;
    const bool data = a->gate.kind == MBN_ACTIVATION_HARD_SIGMOID;
    if (!data && json_object_size(object->json) > 1)
        return fail(object, "activation", "slope and offset are the hard_sigmoid's alone");
    return read_float(object, "slope", 1e-3, 1e3, &a->gate.slope) &&
           read_float(object, "offset", -1e3, 1e3, &a->gate.offset);
}

static bool read_head(const struct object *object, mbn_architecture *a) {
    static const char *const keys[] = {"channels", "activation", NULL};
    return check_object(object, keys) &&
           read_integer(object, "channels", REQUIRED, 1, MAX_CHANNELS, &a->head_channels) &&
           read_activation(object, "activation", REQUIRED, &a->head_activation);
}

static bool read_max_pool(const struct object *object, mbn_architecture *a) {
    static const char *const keys[] = {"window", "stride", NULL};
    return check_object(object, keys) &&
           read_integer(object, "window", REQUIRED, 1, MAX_WINDOW, &a->head_max_pool_window) &&
           read_integer(object, "stride", REQUIRED, 1, MAX_WINDOW, &a->head_max_pool_stride);
}

static bool read_hidden(const struct object *object, mbn_hidden *hidden) {
    static const char *const keys[] = {"channels", "activation", NULL};
    return check_object(object, keys) &&
           read_integer(object, "channels", REQUIRED, 1, MAX_CHANNELS, &hidden->channels) &&
           read_activation(object, "activation", REQUIRED, &hidden->activation);
}

/* The global pool's kind. */
static bool read_pool(const struct object *whole, mbn_architecture *a) {
    const json_t *json = json_object_get(whole->json, "pool");
    if (json == NULL) return true;
    const char *text = json_is_string(json) ? json_string_value(json) : "it";
    a->global_max_pool = strcmp(text, "max") == 0;
    return a->global_max_pool || strcmp(text, "average") == 0 ||
           fail(whole, "pool", "%.32s is neither average nor max", text);
}

/* One allocation. */
struct table {
    mbn_architecture architecture;
    mbn_conventions conventions;
    mbn_hidden hidden[MAX_HIDDEN];
    mbn_row rows[];
};

/* Whose names layers have: those of one of the library's own tables. */
static bool read_names(const struct object *whole, struct table *table) {
    const json_t *json = json_object_get(whole->json, "names");
    if (json == NULL) return true;
    const char *text = json_is_string(json) ? json_string_value(json) : "it";
    table->conventions.naming = mbn_naming_find(text);
    return table->conventions.naming != NULL ||
           fail(whole, "names", "%.32s is no table of names", text);
}

/* A field that is an object: false if it is wrong, true where it is absent. */
static bool read_part(const struct object *whole, const char *key,
                      bool (*read)(const struct object *, mbn_architecture *),
                      mbn_architecture *a) {
    struct object part = {.json = json_object_get(whole->json, key), .error = whole->error};
    if (part.json == NULL) return true;
    snprintf(part.path, sizeof part.path, "%s.", key);
    return read(&part, a);
}

static struct object item_of(const struct object *whole, const char *key, size_t index) {
    struct object item = {.json = json_array_get(json_object_get(whole->json, key), index),
                          .error = whole->error};
    snprintf(item.path, sizeof item.path, "%s[%d].", key, (int)index);
    return item;
}

static bool count_items(const struct object *whole, const char *key, size_t low, size_t high,
                        size_t *count) {
    const json_t *json = json_object_get(whole->json, key);
    *count = json_array_size(json);
    if (json == NULL && low == 0) return true;
    if (!json_is_array(json) || *count < low || *count > high)
        return fail(whole, key, "not a list of %d to %d objects", (int)low, (int)high);
    return true;
}

static struct table *create_table(const char *name, size_t row_count, size_t hidden_count) {
    struct table *table = calloc(1, sizeof *table + row_count * sizeof(mbn_row));
    if (table == NULL) return NULL;
    table->conventions = (mbn_conventions){
        .source = MBN_SOURCE_TORCHVISION,
        .padding = MBN_PADDING_SYMMETRIC,
        .batch_norm_epsilon = 1e-3,
        .stem = MBN_FIXED,
        .head = MBN_FIXED,
        .hidden = MBN_FIXED,
        .expansion = MBN_FIXED,
        .naming = &mbn_naming_torchvision_v3,
    };
    table->architecture = (mbn_architecture){
        .name = name,
        .fixed_width = true,
        .expand_always = true,
        .rows = table->rows,
        .row_count = (int32_t)row_count,
        .squeeze_activation = MBN_ACTIVATION_RELU,
        .gate = MBN_HARD_SIGMOID_GATE,
        .hidden = table->hidden,
        .hidden_count = (int32_t)hidden_count,
        .conventions = &table->conventions,
        .convention_count = 1,
    };
    return table;
}

static bool read_table(const struct object *whole, struct table *table) {
    mbn_architecture *a = &table->architecture;
    bool batch_norm = true, logits = true;
    if (!read_part(whole, "stem", read_stem, a) || !read_part(whole, "gate", read_gate, a) ||
        !read_part(whole, "head", read_head, a) ||
        !read_part(whole, "max_pool", read_max_pool, a) || !read_pool(whole, a) ||
        !read_activation(whole, "squeeze_activation", OPTIONAL, &a->squeeze_activation) ||
        !read_bool(whole, "batch_norm", &batch_norm) ||
        !read_bool(whole, "convolution_bias", &a->convolution_bias) ||
        !read_bool(whole, "logits", &logits) || !read_names(whole, table))
        return false;
    if (a->stem_channels == 0) return fail(whole, "stem", "missing");
    a->folded = !batch_norm;
    a->no_logits = !logits;
    for (int32_t i = 0; i < a->row_count; i++) {
        const struct object row = item_of(whole, "rows", (size_t)i);
        if (!read_row(&row, &table->rows[i])) return false;
    }
    for (int32_t i = 0; i < a->hidden_count; i++) {
        const struct object hidden = item_of(whole, "hidden", (size_t)i);
        if (!read_hidden(&hidden, &table->hidden[i])) return false;
    }
    return true;
}

mbn_status mbn_architecture_parse(const char *text, const char *name,
                                  mbn_architecture **architecture, mbn_error *error) {
    static const char *const keys[] = {
        "stem",   "rows",       "squeeze_activation", "gate",   "head",  "max_pool", "pool",
        "hidden", "batch_norm", "convolution_bias",   "logits", "names", NULL};
    *architecture = NULL;
    mbn_status status = MBN_MALFORMED;
    json_t *json = mbn_json_value("architecture", text, 0, &status, error);
    if (json == NULL) return status;
    const struct object whole = {.json = json, .error = error};
    size_t row_count, hidden_count;
    if (check_object(&whole, keys) && count_items(&whole, "rows", 1, MAX_ROWS, &row_count) &&
        count_items(&whole, "hidden", 0, MAX_HIDDEN, &hidden_count)) {
        struct table *table = create_table(name, row_count, hidden_count);
        if (table == NULL) {
            status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a network's table");
        } else if (read_table(&whole, table)) {
            *architecture = &table->architecture;
            status = MBN_OK;
        } else {
            free(table);
        }
    }
    json_decref(json);
    return status;
}
