#include "npy.h"

#include "file.h"
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "'<f4' is copied as it is");

static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { ALIGNMENT = 64, DESCRIPTION_SIZE = 32 };

/* The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } */
struct parser {
    const char *at, *end;
    mbn_error *error;
};

struct header {
    char description[DESCRIPTION_SIZE];
    bool fortran_order;
    int32_t rank;
    int64_t shape[MBN_NPY_MAX_RANK];
};

static void skip_blanks(struct parser *parser) {
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\n')) parser->at++;
}

/* Whether the next thing is this character, and if so, steps over it. */
static bool accept(struct parser *parser, char character) {
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != character) return false;
    parser->at++;
    return true;
}

static bool accept_word(struct parser *parser, const char *word) {
    skip_blanks(parser);
    size_t length = strlen(word);
    if ((size_t)(parser->end - parser->at) < length) return false;
    if (memcmp(parser->at, word, length) != 0) return false;
    parser->at += length;
    return true;
}

static mbn_status malformed(struct parser *parser, const char *expected) {
    return mbn_explain(parser->error, MBN_MALFORMED, "header: expected %s", expected);
}

/* A string in either kind of quotes, without escapes (no valid key or type has any). */
static bool parse_string(struct parser *parser, char text[DESCRIPTION_SIZE]) {
    char quote = '\'';
    if (!accept(parser, quote)) {
        quote = '"';
        if (!accept(parser, quote)) return false;
    }
    size_t length = 0;
    while (parser->at < parser->end && *parser->at != quote) {
        char character = *parser->at++;
        if (length + 1 == DESCRIPTION_SIZE || character < ' ' || character > '~') return false;
        text[length++] = character;
    }
    text[length] = '\0';
    return accept(parser, quote);
}

static bool parse_dimension(struct parser *parser, int64_t *dimension) {
    skip_blanks(parser);
    const char *first = parser->at;
    int64_t value = 0;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
        int digit = *parser->at++ - '0';
        if (value > (INT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (parser->at == first) return false;
    accept(parser, 'L'); /* Python 2 */
    *dimension = value;
    return true;
}

static mbn_status parse_shape(struct parser *parser, struct header *header) {
    if (!accept(parser, '(')) return malformed(parser, "shape to be a tuple");
    header->rank = 0;
    while (!accept(parser, ')')) {
        if (header->rank == MBN_NPY_MAX_RANK) {
            return mbn_explain(parser->error, MBN_UNSUPPORTED, "more than %d dimensions",
                               MBN_NPY_MAX_RANK);
        }
        if (!parse_dimension(parser, &header->shape[header->rank++])) {
            return malformed(parser, "a dimension from 0 to 2^63 - 1");
        }
        if (accept(parser, ',')) continue;
        if (header->rank == 1) return malformed(parser, "a comma after the only dimension");
        if (!accept(parser, ')')) return malformed(parser, "the end of shape");
        break;
    }
    return MBN_OK;
}

static mbn_status parse_value(struct parser *parser, const char *key, struct header *header) {
    if (strcmp(key, "shape") == 0) return parse_shape(parser, header);
    if (strcmp(key, "descr") == 0) {
        if (accept(parser, '[')) {
            return mbn_explain(parser->error, MBN_UNSUPPORTED,
                               "a structured type, expected float32");
        }
        if (!parse_string(parser, header->description)) return malformed(parser, "a type");
        return MBN_OK;
    }
    header->fortran_order = accept_word(parser, "True");
    if (!header->fortran_order && !accept_word(parser, "False")) {
        return malformed(parser, "fortran_order to be True or False");
    }
    return MBN_OK;
}

static mbn_status parse_header(struct parser *parser, struct header *header) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    bool seen[] = {false, false, false};
    if (!accept(parser, '{')) return malformed(parser, "{");
    while (!accept(parser, '}')) {
        char key[DESCRIPTION_SIZE];
        if (!parse_string(parser, key)) return malformed(parser, "a key");
        size_t index = 0;
        while (index < 3 && strcmp(keys[index], key) != 0) index++;
        if (index == 3 || seen[index]) {
            return mbn_explain(parser->error, MBN_MALFORMED, "header: %s key '%s'",
                               index == 3 ? "unknown" : "repeated", key);
        }
        seen[index] = true;
        if (!accept(parser, ':')) return malformed(parser, "a colon after a key");
        mbn_status status = parse_value(parser, key, header);
        if (status != MBN_OK) return status;
        if (accept(parser, ',')) continue;
        if (!accept(parser, '}')) return malformed(parser, "a comma or }");
        break;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!seen[i]) {
            return mbn_explain(parser->error, MBN_MALFORMED, "header: no key '%s'", keys[i]);
        }
    }
    skip_blanks(parser);
    return parser->at == parser->end ? MBN_OK : malformed(parser, "nothing after }");
}

static mbn_status check_type(const struct header *header, mbn_error *error) {
    if (strcmp(header->description, ">f4") == 0) {
        return mbn_explain(error, MBN_UNSUPPORTED, "big-endian float32, expected little-endian");
    }
    if (strcmp(header->description, "<f4") != 0) {
        return mbn_explain(error, MBN_UNSUPPORTED, "type '%s', expected float32 ('<f4')",
                           header->description);
    }
    if (header->fortran_order) {
        return mbn_explain(error, MBN_UNSUPPORTED,
                           "Fortran order, expected C order (numpy.ascontiguousarray)");
    }
    return MBN_OK;
}

/* Finds the header in the file: *begin to *end; the data follow. */
static mbn_status find_header(const uint8_t *data, size_t size, size_t *begin, size_t *end,
                              mbn_error *error) {
    if (size < sizeof magic || memcmp(data, magic, sizeof magic) != 0) {
        return mbn_explain(error, MBN_MALFORMED, "not a .npy file");
    }
    const uint8_t *length = data + sizeof magic + 2;
    size_t before = sizeof magic + 2 + 2;
    if (size < before) return mbn_explain(error, MBN_MALFORMED, "truncated in the header");
    int version = data[sizeof magic];
    if (version < 1 || version > 3) {
        return mbn_explain(error, MBN_UNSUPPORTED, "version %d of the .npy format", version);
    }
    size_t bytes = (size_t)length[0] | (size_t)length[1] << 8;
    if (version > 1) {
        before += 2;
        if (size < before) return mbn_explain(error, MBN_MALFORMED, "truncated in the header");
        bytes |= (size_t)length[2] << 16 | (size_t)length[3] << 24;
    }
    if (bytes > size - before) {
        return mbn_explain(error, MBN_MALFORMED, "truncated in the header");
    }
    *begin = before;
    *end = before + bytes;
    return MBN_OK;
}

static mbn_status count_elements(const struct header *header, size_t available, int64_t *count,
                                 mbn_error *error) {
    /* 0 dimensions may stand beside huge ones: the others must not overflow either. */
    int64_t product = 1;
    bool empty = false;
    for (int32_t i = 0; i < header->rank; i++) {
        int64_t dimension = header->shape[i];
        if (dimension == 0) {
            empty = true;
        } else if (product > INT64_MAX / (int64_t)sizeof(float) / dimension) {
            return mbn_explain(error, MBN_MALFORMED, "shape overflows");
        } else {
            product *= dimension;
        }
    }
    *count = empty ? 0 : product;
    uint64_t expected = (uint64_t)*count * sizeof(float);
    if (expected != available) {
        return mbn_explain(error, MBN_MALFORMED,
                           "%zu bytes of data where the shape needs %" PRIu64 "%s", available,
                           expected, available < expected ? ": truncated" : "");
    }
    return MBN_OK;
}

mbn_status mbn_npy_parse(uint8_t *data, size_t size, mbn_npy *array, mbn_error *error) {
    size_t begin = 0;
    size_t end = 0;
    struct header header = {{0}, false, 0, {0}};
    int64_t count = 0;
    mbn_status status = find_header(data, size, &begin, &end, error);
    if (status == MBN_OK) {
        struct parser parser = {(const char *)data + begin, (const char *)data + end, error};
        status = parse_header(&parser, &header);
    }
    if (status == MBN_OK) status = check_type(&header, error);
    if (status == MBN_OK) status = count_elements(&header, size - end, &count, error);
    if (status != MBN_OK) {
        free(data);
        return status;
    }
    /* To the front, where malloc's alignment is. */
    memmove(data, data + end, size - end);
    *array = (mbn_npy){.rank = header.rank, .count = count, .values = (float *)(void *)data};
    memcpy(array->shape, header.shape, sizeof header.shape);
    return MBN_OK;
}

mbn_status mbn_npy_read(const char *path, mbn_npy *array, mbn_error *error) {
    mbn_bytes file;
    mbn_status status = mbn_file_read(path, SIZE_MAX, &file, error);
    return status == MBN_OK ? mbn_npy_parse(file.data, file.size, array, error) : status;
}

mbn_npy_shape mbn_npy_shape_text(const mbn_npy *array) {
    mbn_npy_shape shape = {"("};
    size_t length = 1;
    for (int32_t i = 0; i < array->rank; i++) {
        length += (size_t)snprintf(shape.text + length, sizeof shape.text - length, "%s%" PRId64,
                                   i == 0 ? "" : ", ", array->shape[i]);
    }
    snprintf(shape.text + length, sizeof shape.text - length, array->rank == 1 ? ",)" : ")");
    return shape;
}

/* descr: the type of the elements, of so many bytes. */
static mbn_status write_array(const char *path, const mbn_npy *array, const char *descr,
                              size_t element_bytes, mbn_error *error) {
    uint8_t header[4 * ALIGNMENT];
    size_t before = sizeof magic + 4;
    char *text = (char *)header + before;
    mbn_npy_shape shape = mbn_npy_shape_text(array);
    int written =
        snprintf(text, sizeof header - before,
                 "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape.text);
    size_t length = (size_t)written;
    /* The data begin at a multiple of 64; a line feed ends the header. */
    size_t total = (before + length + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memset(text + length, ' ', total - before - length);
    header[total - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (uint8_t)(total - before);
    header[9] = (uint8_t)((total - before) >> 8);
    const mbn_part parts[] = {{header, total},
                              {array->values, (size_t)array->count * element_bytes}};
    return mbn_file_write(path, parts, 2, error);
}

mbn_status mbn_npy_write(const char *path, const mbn_npy *array, mbn_error *error) {
    return write_array(path, array, "<f4", sizeof(float), error);
}

mbn_status mbn_npy_write_bytes(const char *path, const mbn_npy *array,
                               const mbn_quantization *quantization, mbn_error *error) {
    const float scale = quantization->scale;
    uint8_t *bytes = (uint8_t *)array->values; /* each in the place of a value that was read */
    for (int64_t i = 0; i < array->count; i++) {
        const float distance = scale > 0.0F ? rintf(array->values[i] / scale) : 0.0F;
        bytes[i] = (uint8_t)((int32_t)distance + quantization->zero - quantization->origin);
    }
    return write_array(path, array, quantization->origin != 0 ? "|i1" : "|u1", 1, error);
}
