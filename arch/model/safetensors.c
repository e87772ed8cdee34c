#include "safetensors.h"

#include "arch/error.h"
#include "arch/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BYTES = 8,
    MAX_HEADER_BYTES = 100000000, /* the reference implementation's limit */
    /* A valid header nests three deep and has some 14 values per tensor.  The limits keep a hostile
     * one from driving the JSON library into deep recursion, or into allocating 80 times the
     * file's size, which is what "{}," repeated costs. */
    MAX_DEPTH = 16,
    MAX_VALUES = 1 << 18
};

/* Names in messages are cut, so that a long one leaves room for the reason. */
#define NAME "%.200s"

struct mbn_safetensors {
    json_t *header; /* owns the names and the metadata ... */
    char *text;     /* ... but names of a header that is plain */
    const json_t *metadata;
    size_t count;
    mbn_tensor *tensors; /* in the order of their data */
    const mbn_tensor **by_name;
};

static const struct dtype {
    const char *name;
    int32_t bytes;
    mbn_dtype dtype;
} dtypes[] = {
    {"BOOL", 1, MBN_DTYPE_OTHER},    {"U8", 1, MBN_DTYPE_U8},         {"I8", 1, MBN_DTYPE_I8},
    {"F8_E5M2", 1, MBN_DTYPE_OTHER}, {"F8_E4M3", 1, MBN_DTYPE_OTHER}, {"I16", 2, MBN_DTYPE_OTHER},
    {"U16", 2, MBN_DTYPE_OTHER},     {"F16", 2, MBN_DTYPE_F16},       {"BF16", 2, MBN_DTYPE_BF16},
    {"I32", 4, MBN_DTYPE_I32},       {"U32", 4, MBN_DTYPE_OTHER},     {"F32", 4, MBN_DTYPE_F32},
    {"F64", 8, MBN_DTYPE_F64},       {"I64", 8, MBN_DTYPE_OTHER},     {"U64", 8, MBN_DTYPE_OTHER},
};

static const struct dtype *find_dtype(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    }
    return NULL;
}

/* Bounds the depth and the number of values of a JSON text without understanding it. */
static mbn_status check_extent(const char *text, size_t size, mbn_error *error) {
    size_t depth = 0, values = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            if (c == '\\') i++;
        } else if (c == '{' || c == '[') {
            depth++;
            values++;
        } else if (c == ',') {
            values++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > MAX_DEPTH) {
            return mbn_fail(error, MBN_MALFORMED, "header: nested deeper than %d levels",
                            MAX_DEPTH);
        }
        if (values > MAX_VALUES) {
            return mbn_fail(error, MBN_UNSUPPORTED, "header: more than %d values", MAX_VALUES);
        }
    }
    return MBN_OK;
}

static mbn_status parse_header(const char *text, size_t size, json_t **header, mbn_error *error) {
    if (text[0] != '{') return mbn_fail(error, MBN_MALFORMED, "header: does not begin with {");
    mbn_status status = check_extent(text, size, error);
    if (status != MBN_OK) return status;

    json_error_t detail;
    *header = mbn_json_read(text, size, 0, &status, &detail);
    if (*header != NULL) return MBN_OK;
    if (status == MBN_OUT_OF_MEMORY) return mbn_fail(error, status, "header: out of memory");
    return mbn_fail(error, status, "header: %s (byte %d)", detail.text, detail.position);
}

static mbn_status check_metadata(json_t *metadata, mbn_error *error) {
    if (!json_is_object(metadata)) {
        return mbn_fail(error, MBN_MALFORMED, "__metadata__: not an object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) {
            return mbn_fail(error, MBN_MALFORMED, "__metadata__: " NAME ": not a string", key);
        }
    }
    return MBN_OK;
}

static mbn_status check_name(const char *name, mbn_error *error) {
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return mbn_fail(error, MBN_MALFORMED, NAME ": control character in the name", name);
        }
    }
    return MBN_OK;
}

static mbn_status add_extent(int64_t extent, mbn_tensor *tensor, mbn_error *error) {
    if (extent < 0) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": shape[%" PRId32 "] is %" PRId64, tensor->name,
                        tensor->rank, extent);
    }
    if (__builtin_mul_overflow(tensor->count, extent, &tensor->count)) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": shape overflows", tensor->name);
    }
    tensor->shape[tensor->rank++] = extent;
    return MBN_OK;
}

static mbn_status read_shape(const json_t *shape, mbn_tensor *tensor, mbn_error *error) {
    if (!json_is_array(shape)) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": shape is missing or not an array",
                        tensor->name);
    }
    const size_t rank = json_array_size(shape);
    if (rank > MBN_TENSOR_MAX_RANK) {
        return mbn_fail(error, MBN_UNSUPPORTED, NAME ": rank %zu, at most %d is supported",
                        tensor->name, rank, MBN_TENSOR_MAX_RANK);
    }
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size)) {
            return mbn_fail(error, MBN_MALFORMED, NAME ": shape[%zu] is not an integer",
                            tensor->name, i);
        }
        const mbn_status status = add_extent(json_integer_value(size), tensor, error);
        if (status != MBN_OK) return status;
    }
    return MBN_OK;
}

/* "[2,2]" */
static const char *shape_text(const mbn_tensor *tensor, char *text, size_t size) {
    size_t length = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < tensor->rank; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s%" PRId64, i > 0 ? "," : "",
                                   tensor->shape[i]);
    }
    snprintf(text + length, size - length, "]");
    return text;
}

static mbn_status place(int64_t begin, int64_t end, const struct dtype *dtype, const uint8_t *data,
                        size_t data_size, mbn_tensor *tensor, mbn_error *error) {
    if (begin > end) {
        return mbn_fail(error, MBN_MALFORMED,
                        NAME ": data_offsets [%" PRId64 ", %" PRId64 "] are reversed", tensor->name,
                        begin, end);
    }
    if (begin < 0 || (uint64_t)end > data_size) {
        return mbn_fail(error, MBN_MALFORMED,
                        NAME ": data_offsets [%" PRId64 ", %" PRId64
                             "] reach outside of the file's %zu bytes of data",
                        tensor->name, begin, end, data_size);
    }
    int64_t needed;
    if (__builtin_mul_overflow(tensor->count, (int64_t)dtype->bytes, &needed)) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": shape overflows", tensor->name);
    }
    if (needed != end - begin) {
        char shape[MBN_TENSOR_MAX_RANK * 20 + 3];
        return mbn_fail(error, MBN_MALFORMED,
                        NAME ": data_offsets [%" PRId64 ", %" PRId64 "] hold %" PRId64
                             " bytes, but %s %s needs %" PRId64,
                        tensor->name, begin, end, end - begin, dtype->name,
                        shape_text(tensor, shape, sizeof shape), needed);
    }
    tensor->data = data + begin;
    tensor->bytes = (size_t)needed;
    return MBN_OK;
}

static mbn_status read_offsets(const json_t *offsets, const struct dtype *dtype,
                               const uint8_t *data, size_t data_size, mbn_tensor *tensor,
                               mbn_error *error) {
    const json_t *first = json_array_get(offsets, 0);
    const json_t *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second)) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": data_offsets are missing or not two integers",
                        tensor->name);
    }
    return place(json_integer_value(first), json_integer_value(second), dtype, data, data_size,
                 tensor, error);
}

static mbn_status read_tensor(const char *name, const json_t *entry, const uint8_t *data,
                              size_t data_size, mbn_tensor *tensor, mbn_error *error) {
    *tensor = (mbn_tensor){.name = name, .count = 1};
    mbn_status status = check_name(name, error);
    if (status != MBN_OK) return status;
    if (!json_is_object(entry)) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": not an object", name);
    }
    tensor->dtype_name = json_string_value(json_object_get(entry, "dtype"));
    if (tensor->dtype_name == NULL) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": dtype is missing or not a string", name);
    }
    const struct dtype *dtype = find_dtype(tensor->dtype_name);
    if (dtype == NULL) {
        return mbn_fail(error, MBN_MALFORMED, NAME ": unknown dtype %.40s", name,
                        tensor->dtype_name);
    }
    tensor->dtype = dtype->dtype;
    status = read_shape(json_object_get(entry, "shape"), tensor, error);
    if (status != MBN_OK) return status;
    return read_offsets(json_object_get(entry, "data_offsets"), dtype, data, data_size, tensor,
                        error);
}

static int compare_data(const void *left, const void *right) {
    const mbn_tensor *a = left, *b = right;
    if (a->data != b->data) return (const uint8_t *)a->data < (const uint8_t *)b->data ? -1 : 1;
    /* Empty tensors come before the one that begins where they are. */
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right) {
    const mbn_tensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int compare_with_name(const void *name, const void *element) {
    const mbn_tensor *const *tensor = element;
    return strcmp(name, (*tensor)->name);
}

/* The sorted tensors must cover the data: each begins where the one before it ends. */
static mbn_status check_coverage(const mbn_safetensors *file, const uint8_t *data, size_t data_size,
                                 mbn_error *error) {
    size_t covered = 0;
    for (size_t i = 0; i < file->count; i++) {
        const mbn_tensor *tensor = &file->tensors[i];
        const size_t begin = (size_t)((const uint8_t *)tensor->data - data);
        if (begin < covered) {
            return mbn_fail(error, MBN_MALFORMED, NAME ": its data overlaps that of " NAME,
                            tensor->name, file->tensors[i - 1].name);
        }
        if (begin > covered) {
            return mbn_fail(error, MBN_MALFORMED, NAME ": a hole of %zu bytes before its data",
                            tensor->name, begin - covered);
        }
        covered += tensor->bytes;
    }
    if (covered == data_size) return MBN_OK;
    if (file->count == 0) {
        return mbn_fail(error, MBN_MALFORMED, "file: %zu bytes of data, but no tensor", data_size);
    }
    return mbn_fail(error, MBN_MALFORMED, NAME ": %zu bytes after its data, the last of the file",
                    file->tensors[file->count - 1].name, data_size - covered);
}

static void sort(mbn_safetensors *file) {
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_data);
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
}

static mbn_status read_tensors(mbn_safetensors *file, const uint8_t *data, size_t data_size,
                               mbn_error *error) {
    /* One element more than entries, so that no entries are not a NULL array. */
    const size_t capacity = json_object_size(file->header) + 1;
    file->tensors = calloc(capacity, sizeof *file->tensors);
    file->by_name = calloc(capacity, sizeof *file->by_name);
    if (file->tensors == NULL || file->by_name == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "header: out of memory");
    }

    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        mbn_status status;
        if (strcmp(name, "__metadata__") == 0) {
            file->metadata = entry;
            status = check_metadata(entry, error);
        } else {
            status =
                read_tensor(name, entry, data, data_size, &file->tensors[file->count++], error);
        }
        if (status != MBN_OK) return status;
    }

    sort(file);
    return check_coverage(file, data, data_size, error);
}

/* ---- Plain headers -----------------------------------------------------------------------------
 * Nearly all headers are written alike: no space, the same three keys in the same order, names of
 * ASCII.  Those are read in a tenth of the time that the JSON library takes, which is what a cold
 * start waits for.  Whatever is otherwise, or wrong, is left to the library and what follows it. */

typedef struct cursor {
    char *at, *end;
} cursor;

static bool skip(cursor *c, const char *text) {
    const size_t length = strlen(text);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0) return false;
    c->at += length;
    return true;
}

/* What is left of a string whose quote was skipped.  It ends with a zero then. */
static const char *scan_string(cursor *c) {
    char *begin = c->at;
    for (; c->at < c->end; c->at++) {
        const unsigned char byte = (unsigned char)*c->at;
        if (byte == '"') {
            *c->at++ = '\0';
            return begin;
        }
        if (byte < 0x20 || byte > 0x7e || byte == '\\') break;
    }
    return NULL;
}

/* -1: none that is sure to fit */
static int64_t scan_integer(cursor *c) {
    const char *begin = c->at;
    int64_t value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - begin < 18) {
        value = 10 * value + (*c->at++ - '0');
    }
    if (c->at == begin || (*begin == '0' && c->at - begin > 1)) return -1;
    return value;
}

static bool scan_tensor(cursor *c, const uint8_t *data, size_t data_size, mbn_tensor *tensor) {
    if (!skip(c, "{\"dtype\":\"") || (tensor->dtype_name = scan_string(c)) == NULL) return false;
    const struct dtype *dtype = find_dtype(tensor->dtype_name);
    if (dtype == NULL || !skip(c, ",\"shape\":[")) return false;
    tensor->dtype = dtype->dtype;
    while (!skip(c, "]")) {
        if (tensor->rank == MBN_TENSOR_MAX_RANK || (tensor->rank > 0 && !skip(c, ",")) ||
            add_extent(scan_integer(c), tensor, NULL) != MBN_OK) {
            return false;
        }
    }
    if (!skip(c, ",\"data_offsets\":[")) return false;
    const int64_t begin = scan_integer(c);
    if (!skip(c, ",")) return false;
    const int64_t end = scan_integer(c);
    return skip(c, "]}") && place(begin, end, dtype, data, data_size, tensor, NULL) == MBN_OK;
}

/* The library reads it: values may be any strings. */
static bool scan_metadata(cursor *c, mbn_safetensors *file) {
    const char *begin = c->at;
    bool quoted = false;
    if (file->header != NULL || !skip(c, "{")) return false;
    for (; c->at < c->end && (quoted || *c->at != '}'); c->at++) {
        if (*c->at == '"') quoted = !quoted;
        if (quoted && *c->at == '\\') c->at++;
        if (!quoted && (*c->at == '{' || *c->at == '[')) return false;
    }
    if (c->at >= c->end) return false;
    c->at++;
    file->header = json_loadb(begin, (size_t)(c->at - begin), JSON_REJECT_DUPLICATES, NULL);
    file->metadata = file->header;
    return file->header != NULL && check_metadata(file->header, NULL) == MBN_OK;
}

static bool scan_entries(cursor *c, mbn_safetensors *file, const uint8_t *data, size_t data_size) {
    if (!skip(c, "{")) return false;
    do {
        const char *name = skip(c, "\"") ? scan_string(c) : NULL;
        if (name == NULL || !skip(c, ":")) return false;
        if (strcmp(name, "__metadata__") == 0) {
            if (!scan_metadata(c, file)) return false;
        } else {
            mbn_tensor *tensor = &file->tensors[file->count++];
            *tensor = (mbn_tensor){.name = name, .count = 1};
            if (!scan_tensor(c, data, data_size, tensor)) return false;
        }
    } while (skip(c, ","));
    if (!skip(c, "}")) return false;
    while (skip(c, " ")) continue;
    return c->at == c->end;
}

static bool has_duplicates(const mbn_safetensors *file) {
    for (size_t i = 1; i < file->count; i++) {
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0) return true;
    }
    return false;
}

/* False: not a plain one, or a wrong one. */
static bool read_plain_header(const char *text, size_t size, const uint8_t *data, size_t data_size,
                              mbn_safetensors *file) {
    static const char least[] = "\"\":"
                                "{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,0]}";
    if (size > MAX_VALUES) return false;
    const size_t capacity = size / (sizeof least - 1) + 1;
    file->text = malloc(size);
    file->tensors = malloc(capacity * sizeof *file->tensors);
    file->by_name = malloc(capacity * sizeof *file->by_name);
    if (file->text == NULL || file->tensors == NULL || file->by_name == NULL) return false;
    memcpy(file->text, text, size);
    cursor c = {file->text, file->text + size};
    if (!scan_entries(&c, file, data, data_size)) return false;
    sort(file);
    return !has_duplicates(file) && check_coverage(file, data, data_size, NULL) == MBN_OK;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void empty(mbn_safetensors *file) {
    free(file->by_name);
    free(file->tensors);
    free(file->text);
    json_decref(file->header);
    *file = (mbn_safetensors){.header = NULL};
}

mbn_status mbn_safetensors_parse(const void *data, size_t size, mbn_safetensors **file,
                                 mbn_error *error) {
    *file = NULL;
    if (size < LENGTH_BYTES) {
        return mbn_fail(error, MBN_MALFORMED, "file: %zu bytes, too short for safetensors", size);
    }
    const uint8_t *bytes = data;
    uint64_t header_size = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) header_size = header_size << 8 | bytes[i];
    if (header_size == 0) return mbn_fail(error, MBN_MALFORMED, "header: empty");
    if (header_size > MAX_HEADER_BYTES) {
        return mbn_fail(error, MBN_MALFORMED, "header: %" PRIu64 " bytes, more than %d",
                        header_size, MAX_HEADER_BYTES);
    }
    if (header_size > size - LENGTH_BYTES) {
        return mbn_fail(error, MBN_MALFORMED, "header: %" PRIu64 " bytes, but the file has %zu",
                        header_size, size - LENGTH_BYTES);
    }

    mbn_safetensors *result = calloc(1, sizeof *result);
    if (result == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "header: out of memory");
    const char *header = (const char *)bytes + LENGTH_BYTES;
    const uint8_t *tensors = bytes + LENGTH_BYTES + header_size;
    const size_t tensors_size = size - LENGTH_BYTES - (size_t)header_size;
    if (read_plain_header(header, (size_t)header_size, tensors, tensors_size, result)) {
        *file = result;
        return MBN_OK;
    }
    empty(result);
    mbn_status status = parse_header(header, (size_t)header_size, &result->header, error);
    if (status == MBN_OK) status = read_tensors(result, tensors, tensors_size, error);
    if (status == MBN_OK) {
        *file = result;
    } else {
        mbn_safetensors_free(result);
    }
    return status;
}

void mbn_safetensors_free(mbn_safetensors *file) {
    if (file == NULL) return;
    empty(file);
    free(file);
}

const mbn_tensor *mbn_safetensors_find(const mbn_safetensors *file, const char *name) {
    const mbn_tensor *const *found =
        bsearch(name, file->by_name, file->count, sizeof *file->by_name, compare_with_name);
    return found != NULL ? *found : NULL;
}

const mbn_tensor *mbn_safetensors_at(const mbn_safetensors *file, size_t index) {
    return index < file->count ? &file->tensors[index] : NULL;
}

const char *mbn_safetensors_metadata(const mbn_safetensors *file, const char *key) {
    return json_string_value(json_object_get(file->metadata, key));
}
