/* Model files: loaded, and where that succeeds, a context made and run.  The first bytes are
 * options of both; the next one says what the rest is: a file as it is; a header's JSON, with the
 * right length before it and zeros for data behind it; or choices, of a network's file or a file of
 * integers that are right but for a few edits of the header's text, of the data, or of its end. */
#define _GNU_SOURCE /* memfd_create */
#include "input.h"
#include "memory.h"
#include "network_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <tests/guarded.h>
#include <unistd.h>

/* What a file may take while it is loaded: jansson keeps an empty array, three bytes of text, in
 * some hundred bytes; a weight of one byte becomes a float in each lane of a block. */
enum { MULTIPLE = 256, MORE = 1 << 20 };

/* Networks that declare more work or memory are not run: there is no fault in being large. */
enum { MOST_MULTIPLY_ADDS = 8 << 20, MOST_BYTES = 64 << 20 };

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static void resize(bytes *b, size_t size) {
    b->data = realloc(b->data, size + (size == 0));
    cr_assert_not_null(b->data);
    b->size = size;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void put_length(bytes *b, uint64_t length) {
    for (size_t i = 0; i < 8 && i < b->size; i++) b->data[i] = (uint8_t)(length >> 8 * i);
}

static bytes header_alone(choices *c) {
    bytes b = {NULL, 0};
    const size_t data = (size_t)choose_mostly(c, 0, 64, 65535);
    resize(&b, 8 + c->size + data);
    put_length(&b, c->size);
    if (c->size > 0) memcpy(b.data + 8, c->data, c->size);
    memset(b.data + 8 + c->size, 0, data);
    return b;
}

/* Replaces what stands in the header from `at` on. */
static void replace(bytes *b, size_t header, size_t at, size_t old, const char *with) {
    const size_t length = strlen(with), behind = b->size - at - old, size = b->size;
    if (length > old) resize(b, size + length - old);
    memmove(b->data + at + length, b->data + at + old, behind);
    memcpy(b->data + at, with, length);
    if (length < old) resize(b, size + length - old);
    put_length(b, header + length - old);
}

/* Where the next number in the header begins from `at` on, or the header's end. */
static size_t next_number(const bytes *b, size_t end, size_t at) {
    while (at < end && (b->data[at] < '0' || b->data[at] > '9')) at++;
    return at;
}

/* Of the tensor whose entry comes next behind `at`: its name, and where in the header that is. */
static size_t next_name(const bytes *b, size_t end, size_t at, char name[64]) {
    const uint8_t *entry = memmem(b->data + at, end - at, "\":{\"dtype\"", 10);
    if (entry == NULL) return 0;
    const size_t quote = (size_t)(entry - b->data);
    size_t from = quote;
    while (from > 8 && b->data[from - 1] != '"') from--;
    if (quote - from > 63) return 0;
    memcpy(name, b->data + from, quote - from);
    name[quote - from] = '\0';
    return from;
}

/* Whole entries that are where others belong: of the right form, with other shapes. */
static void exchange_names(bytes *b, size_t header, size_t at, size_t other) {
    char first[64], second[64];
    if (at > other) {
        exchange_names(b, header, other, at);
        return;
    }
    const size_t before = next_name(b, 8 + header, at, first);
    const size_t behind = next_name(b, 8 + header, other, second);
    if (before == 0 || behind <= before) return;
    replace(b, header, behind, strlen(second), first);
    replace(b, header + strlen(first) - strlen(second), before, strlen(first), second);
}

static void edit(bytes *b, choices *c) {
    static const char *const texts[] = {
        "-1",   "0",    "1",    "2",    "255",         "16384",      "65536",
        "1e9",  "null", "[]",   "{}",   "2147483648",  "4294967295", "9223372036854775807",
        "true", "\"\"", "1e-9", "1e39", "99999999999", "0.5",        "-9223372036854775808"};
    if (b->size < 8) return;
    size_t header = 0;
    for (size_t i = 0; i < 8; i++) header |= (size_t)b->data[i] << 8 * i;
    if (header < 2 || header > b->size - 8) return;
    const size_t end = 8 + header, data = b->size - end;
    const size_t at = 8 + (size_t)choose(c, 0, (int32_t)header - 1);
    switch (choose(c, 0, 7)) {
    case 0: b->data[at] = (uint8_t)choose(c, 0, 255); break;
    case 1: { /* a number by another */
        const size_t number = next_number(b, end, at);
        size_t digits = 0;
        while (number + digits < end && b->data[number + digits] >= '0' &&
               b->data[number + digits] <= '9') {
            digits++;
        }
        replace(b, header, number, digits, texts[choose(c, 0, 20)]);
        break;
    }
    case 2: { /* some of the header left out */
        const size_t length = (size_t)choose(c, 1, 64);
        if (at + length < end) replace(b, header, at, length, "");
        break;
    }
    case 3: resize(b, b->size - 1 - (size_t)choose(c, 0, 255) % (b->size - 1)); break;
    case 4: put_length(b, choose_bits(c, 8)); break;
    case 5: { /* a type by another */
        static const char *const dtypes[] = {"\"F32\"", "\"F16\"", "\"I8\"",  "\"U8\"",
                                             "\"I32\"", "\"F64\"", "\"BOOL\""};
        const uint8_t *type = memmem(b->data + at, end - at, "\"dtype\":\"", 9);
        if (type == NULL) break;
        const size_t from = (size_t)(type - b->data) + 8;
        const uint8_t *quote = memchr(b->data + from + 1, '"', end - from - 1);
        if (quote == NULL) break;
        replace(b, header, from, (size_t)(quote - b->data) + 1 - from, dtypes[choose(c, 0, 6)]);
        break;
    }
    case 6: exchange_names(b, header, at, 8 + (size_t)choose(c, 0, (int32_t)header - 1)); break;
    default: /* of the data: floats that are none, factors and zero points that are out of range */
        for (int32_t count = choose(c, 1, 8), i = 0; data > 0 && i < count; i++) {
            b->data[end + (size_t)choose(c, 0, 1 << 20) % data] =
                choose(c, 0, 1) == 0 ? 0xff : (uint8_t)choose(c, 0, 255);
        }
    }
}

static bytes choose_file(choices *c) {
    bytes b = {NULL, 0};
    const int32_t kind = choose(c, 0, 5);
    if (kind == 0) {
        resize(&b, c->size);
        if (c->size > 0) memcpy(b.data, c->data, c->size);
        return b;
    }
    if (kind == 1) return header_alone(c);
    b.data = kind < 4 ? choose_network_file(c, &b.size) : choose_integer_file(c, &b.size);
    if (b.data == NULL) return b;
    for (int32_t edits = choose(c, 0, 3); edits > 0; edits--) edit(&b, c);
    return b;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* What a layer's output takes as floats in whole blocks, with a halo around it, and its scratch. */
static size_t needs(const mbn_network *network, int32_t threads) {
    size_t total = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *l = network->layers + i;
        const size_t channels = (size_t)l->output_channels + 15, inputs = (size_t)l->input_channels;
        total += channels * (size_t)(l->output_height + 4) * (size_t)(l->output_width + 4) * 4;
        total += (inputs + 15) * (size_t)(l->input_height + 4) * (size_t)(l->input_width + 4) * 4;
    }
    return (total + ((size_t)1 << 20)) * (size_t)threads;
}

static void run(mbn_context *context, int32_t batch, bool probabilities) {
    const mbn_network *network = mbn_context_network(context);
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    const size_t outputs = (size_t)network->classes * (size_t)batch;
    static guarded memory[3];
    float *input = guarded_floats(&memory[0], pixels * (size_t)batch, GUARD_AFTER);
    float *output = guarded_floats(&memory[1], outputs, GUARD_AFTER);
    uint8_t *photo = guarded_bytes(&memory[2], 5 * 7 * 3, GUARD_AFTER);
    for (size_t i = 0; i < pixels * (size_t)batch; i++) input[i] = (float)(i % 17) / 8.0F - 1.0F;
    for (size_t i = 0; i < 5 * 7 * 3; i++) photo[i] = (uint8_t)(i * 7);
    const mbn_output kind = probabilities ? MBN_PROBABILITIES : MBN_LOGITS;
    mbn_error error = {MBN_OK, ""};
    mbn_status status = mbn_run(context, input, MBN_NCHW, batch, kind, output, &error);
    cr_assert(status == MBN_OK || error.message[0] != '\0');
    cr_assert(status == MBN_OK || network->classes == 0 || probabilities, "%s", error.message);
    const mbn_image image = {.pixels = photo, .width = 5, .height = 7, .order = MBN_RGB};
    const mbn_status imaged = mbn_run_images(context, &image, 1, kind, output, &error);
    cr_assert_eq(imaged, status, "%s", error.message);
}

static void try_context(const mbn_model *model, choices *c, bool headless,
                        const mbn_allocator *allocator) {
    const mbn_context_options options = {
        .input_height = choose(c, 0, 3) == 1 ? choose(c, 32, 96) : 0,
        .input_width = choose(c, 0, 3) == 1 ? choose(c, 32, 96) : 0,
        .threads = choose(c, 0, 3) == 1 ? 2 : 1,
        .batch = choose(c, 0, 3),
        .band_rows = choose(c, -1, 6),
        .allocator = allocator,
    };
    const bool probabilities = choose(c, 0, 1) == 1;
    const size_t before = *(size_t *)allocator->user;
    mbn_context *context = NULL;
    mbn_error error = {MBN_OK, ""};
    size_t size = 0;
    const mbn_status status = mbn_context_bytes(model, &options, &size, &error);
    if (status == MBN_OK && size > MOST_BYTES) return;
    const mbn_status made = mbn_context_create(model, &options, &context, &error);
    cr_assert_eq(made, status, "%s", error.message);
    if (made != MBN_OK) {
        cr_assert(context == NULL && error.message[0] != '\0');
        return;
    }
    cr_assert_eq(*(size_t *)allocator->user - before, size);
    const size_t most = needs(mbn_context_network(context), mbn_context_threads(context));
    cr_assert_leq(size, most, "a context of %zu bytes, of a network that needs %zu", size, most);
    if (mbn_context_network(context)->multiply_adds < MOST_MULTIPLY_ADDS && !headless) {
        run(context, options.batch > 1 ? options.batch : 1, probabilities);
    }
    mbn_context_free(context);
}

/* A file in memory; or NULL: to load from memory. */
static const char *path_of(const bytes *b) {
    static char path[32];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("model", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    cr_assert(ftruncate(file, 0) == 0 && pwrite(file, b->data, b->size, 0) == (ssize_t)b->size);
    return path;
}

static void try_file(const bytes *b, choices *c) {
    static const uint32_t tables[] = {0, 1u << MBN_ISA_SCALAR, 1u << MBN_ISA_SSE,
                                      1u << MBN_ISA_AVX2};
    size_t out = 0;
    const mbn_allocator allocator = guarded_allocator(&out);
    const bool from_file = choose(c, 0, 1) == 1;
    const mbn_model_options options = {
        .isa_mask = tables[choose(c, 0, 3)],
        .headless = choose(c, 0, 7) == 1,
        .precision = (mbn_precision)choose(c, MBN_PRECISION_DEFAULT, MBN_PRECISION_FASTEST),
        .allocator = &allocator,
    };
    mbn_model *model = NULL;
    mbn_error error = {MBN_OK, ""};
    const char *path = from_file ? path_of(b) : NULL;
    memory_watch();
    const mbn_status status =
        from_file ? mbn_model_load(path, &options, &model, &error)
                  : mbn_model_load_memory(b->data, b->size, &options, &model, &error);
    memory_bound(b->size, MULTIPLE, MORE);
    if (status != MBN_OK) {
        cr_assert(model == NULL && error.status == status && error.message[0] != '\0');
        cr_assert_eq(out, 0);
        return;
    }
    cr_assert_eq(out, mbn_model_bytes(model));
    try_context(model, c, options.headless, &allocator);
    mbn_model_free(model);
    cr_assert_eq(out, 0);
}

int fuzz_input(const uint8_t *data, size_t size) {
    enum { OPTIONS = 12 };
    const size_t before = size < OPTIONS ? size : OPTIONS;
    choices options = {data, before}, file = {data + before, size - before};
    const bytes b = choose_file(&file);
    if (b.data != NULL) try_file(&b, &options);
    free(b.data);
    return 0;
}
