#include <tests/arch/safetensors_file.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses a file that must fail, with a message that contains `message`.  Then again without an
 * error to fill, from behind a guard page. */
static void expect_failure(const char *label, file bad, mbn_status status, const char *message) {
    static mbn_safetensors *const untouched = (mbn_safetensors *)1;
    mbn_safetensors *parsed = untouched;
    mbn_error error = {MBN_OK, ""};
    const mbn_status got = mbn_safetensors_parse(bad.bytes, bad.size, &parsed, &error);
    cr_expect_eq(got, status, "%s: status %s, not %s (%s)", label, mbn_status_text(got),
                 mbn_status_text(status), error.message);
    cr_expect_eq(error.status, got, "%s", label);
    cr_expect_null(parsed, "%s", label);
    cr_expect_not_null(strstr(error.message, message), "%s: \"%s\" is not in \"%s\"", label,
                       message, error.message);

    guarded memory = {0};
    uint8_t *copy = guarded_bytes(&memory, bad.size, GUARD_BEFORE);
    if (bad.size > 0) memcpy(copy, bad.bytes, bad.size);
    cr_expect_eq(mbn_safetensors_parse(copy, bad.size, &parsed, NULL), status, "%s", label);
    guarded_free(&memory);
}

/* ---- Malformed files ----------------------------------------------------------------------- */

#define W(dtype, shape, offsets) "{\"w\":" ENTRY(dtype, shape, offsets) "}"
#define F32_2_2 ENTRY("F32", "[2,2]", "[0,16]")
#define F32_2_2_AT_16 ENTRY("F32", "[2,2]", "[16,32]")

static const struct {
    const char *header;
    size_t data_size;
    mbn_status status;
    const char *message;
} malformed[] = {
    /* Not the JSON of a header. */
    {"not json", 0, MBN_MALFORMED, "header: does not begin with {"},
    {" {}", 0, MBN_MALFORMED, "header: does not begin with {"},
    {"[]", 0, MBN_MALFORMED, "header: does not begin with {"},
    {"7", 0, MBN_MALFORMED, "header: does not begin with {"},
    {"{", 0, MBN_MALFORMED, "header: "},
    {"{} {}", 0, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2 ",}", 16, MBN_MALFORMED, "header: "},
    {"{\"w", 0, MBN_MALFORMED, "header: "},
    {"{\"w\\", 0, MBN_MALFORMED, "header: "},
    {"{\"\xff\":" F32_2_2 "}", 16, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2 ",\"w\":" F32_2_2 "}", 16, MBN_MALFORMED,
     "duplicate object key near '\"w\"'"},
    {"{\"w\":" ENTRY("F32", "[0]", "[0,0]") ",\"w\":" F32_2_2 "}", 16, MBN_MALFORMED,
     "duplicate object key near '\"w\"'"},
    /* All but plain, and wrong there. */
    {"{,\"w\":" F32_2_2 "}", 16, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2 "\"v\":" ENTRY("U8", "[0]", "[16,16]") "}", 16, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2 "}}", 16, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2 "} x", 16, MBN_MALFORMED, "header: "},
    {"{\"w\":" F32_2_2, 16, MBN_MALFORMED, "header: "},
    {W("F32", "[02,2]", "[0,16]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[2,2,]", "[0,16]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[,2,2]", "[0,16]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[2,2]", "[00,16]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[2,2]", "[0,016]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[2,2]", "[,16]"), 16, MBN_MALFORMED, "header: "},
    {W("F32", "[2,2]", "[0,16],"), 16, MBN_MALFORMED, "header: "},
    {"{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
     MBN_MALFORMED, "duplicate object key near '\"dtype\"'"},
    /* Metadata. */
    {"{\"__metadata__\":{\"a\":\"b\",}}", 0, MBN_MALFORMED, "header: "},
    {"{\"__metadata__\":{\"a\" \"b\"}}", 0, MBN_MALFORMED, "header: "},
    {"{\"__metadata__\":{\"a\":\"b\\\"}}", 0, MBN_MALFORMED, "header: "},
    {"{\"__metadata__\":{\"a\":\"\n\"}}", 0, MBN_MALFORMED, "header: "},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, MBN_MALFORMED,
     "duplicate object key near '\"a\"'"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, MBN_MALFORMED,
     "duplicate object key near '\"__metadata__\"'"},
    {"{\"__metadata__\":[]}", 0, MBN_MALFORMED, "__metadata__: not an object"},
    {"{\"__metadata__\":null}", 0, MBN_MALFORMED, "__metadata__: not an object"},
    {"{\"__metadata__\":{\"width\":1.0}}", 0, MBN_MALFORMED, "__metadata__: width: not a string"},
    {"{\"__metadata__\":{\"a\":\"b\",\"labels\":[\"cat\"]}}", 0, MBN_MALFORMED,
     "__metadata__: labels: not a string"},
    /* Names. */
    {"{\"a\\u0000b\":" F32_2_2 "}", 16, MBN_MALFORMED, "\\u0000"},
    {"{\"conv\\u001b[2J\":" F32_2_2 "}", 16, MBN_MALFORMED,
     "conv?[2J: control character in the name"},
    {"{\"conv\\u007f\":" F32_2_2 "}", 16, MBN_MALFORMED, "conv?: control character in the name"},
    {"{\"conv\n\":" F32_2_2 "}", 16, MBN_MALFORMED, "header: "},
    /* Entries. */
    {"{\"w\":[]}", 0, MBN_MALFORMED, "w: not an object"},
    {"{\"w\":null}", 0, MBN_MALFORMED, "w: not an object"},
    {"{\"w\":{}}", 0, MBN_MALFORMED, "w: dtype is missing or not a string"},
    {"{\"w\":{\"dtype\":32,\"shape\":[],\"data_offsets\":[0,4]}}", 4, MBN_MALFORMED,
     "w: dtype is missing or not a string"},
    {W("F31", "[]", "[0,4]"), 4, MBN_MALFORMED, "w: unknown dtype F31"},
    {W("f32", "[]", "[0,4]"), 4, MBN_MALFORMED, "w: unknown dtype f32"},
    {W("", "[]", "[0,4]"), 4, MBN_MALFORMED, "w: unknown dtype "},
    /* Shapes. */
    {"{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, MBN_MALFORMED,
     "w: shape is missing or not an array"},
    {"{\"w\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}}", 16, MBN_MALFORMED,
     "w: shape is missing or not an array"},
    {W("F32", "[2,2.0]", "[0,16]"), 16, MBN_MALFORMED, "w: shape[1] is not an integer"},
    {W("F32", "[\"4\"]", "[0,16]"), 16, MBN_MALFORMED, "w: shape[0] is not an integer"},
    {W("F32", "[-2,-2]", "[0,16]"), 16, MBN_MALFORMED, "w: shape[0] is -2"},
    {W("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, MBN_UNSUPPORTED,
     "w: rank 9, at most 8 is supported"},
    {W("F32", "[18446744073709551617]", "[0,4]"), 4, MBN_MALFORMED,
     "too big integer near '18446744073709551617'"},
    {W("F32", "[4294967296,4294967296]", "[0,0]"), 0, MBN_MALFORMED, "w: shape overflows"},
    {W("F32", "[4611686018427387904]", "[0,0]"), 0, MBN_MALFORMED, "w: shape overflows"},
    {W("U8", "[9223372036854775807]", "[0,0]"), 0, MBN_MALFORMED,
     "w: data_offsets [0, 0] hold 0 bytes, but U8 [9223372036854775807] needs 9223372036854775807"},
    /* Offsets. */
    {"{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, MBN_MALFORMED,
     "w: data_offsets are missing or not two integers"},
    {"{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":4}}", 4, MBN_MALFORMED,
     "w: data_offsets are missing or not two integers"},
    {W("F32", "[]", "[0]"), 4, MBN_MALFORMED, "w: data_offsets are missing or not two integers"},
    {W("F32", "[]", "[0,4,8]"), 8, MBN_MALFORMED,
     "w: data_offsets are missing or not two integers"},
    {W("F32", "[]", "[0,4.0]"), 4, MBN_MALFORMED,
     "w: data_offsets are missing or not two integers"},
    {W("F32", "[]", "[4,0]"), 4, MBN_MALFORMED, "w: data_offsets [4, 0] are reversed"},
    {W("F32", "[]", "[-4,0]"), 4, MBN_MALFORMED,
     "w: data_offsets [-4, 0] reach outside of the file's 4 bytes of data"},
    {W("F32", "[]", "[-9223372036854775808,9223372036854775807]"), 4, MBN_MALFORMED,
     "w: data_offsets [-9223372036854775808, 9223372036854775807] reach outside"},
    {"{\"w\":" F32_2_2 "}", 15, MBN_MALFORMED,
     "w: data_offsets [0, 16] reach outside of the file's 15 bytes of data"},
    {"{\"features.0.0.weight\":" ENTRY("F32", "[2,2]", "[0,12]") "}", 12, MBN_MALFORMED,
     "features.0.0.weight: data_offsets [0, 12] hold 12 bytes, but F32 [2,2] needs 16"},
    {W("F16", "[]", "[0,4]"), 4, MBN_MALFORMED,
     "w: data_offsets [0, 4] hold 4 bytes, but F16 [] needs 2"},
    {W("F32", "[2,0]", "[0,4]"), 4, MBN_MALFORMED,
     "w: data_offsets [0, 4] hold 4 bytes, but F32 [2,0] needs 0"},
    /* Coverage of the data. */
    {"{\"a\":" F32_2_2 ",\"b\":" F32_2_2 "}", 16, MBN_MALFORMED, "b: its data overlaps that of a"},
    {"{\"b\":" ENTRY("F32", "[2]", "[12,20]") ",\"a\":" F32_2_2 "}", 20, MBN_MALFORMED,
     "b: its data overlaps that of a"},
    {"{\"a\":" F32_2_2 ",\"b\":" ENTRY("U8", "[0]", "[8,8]") "}", 16, MBN_MALFORMED,
     "b: its data overlaps that of a"},
    {"{\"w\":" F32_2_2_AT_16 "}", 32, MBN_MALFORMED, "w: a hole of 16 bytes before its data"},
    {"{\"z\":" ENTRY("U8", "[15]", "[0,15]") ",\"w\":" F32_2_2_AT_16 "}", 32, MBN_MALFORMED,
     "w: a hole of 1 bytes before its data"},
    {"{\"w\":" F32_2_2 ",\"x\":" F32_2_2_AT_16 "}", 33, MBN_MALFORMED,
     "x: 1 bytes after its data, the last of the file"},
    {"{}", 3, MBN_MALFORMED, "file: 3 bytes of data, but no tensor"},
};

Test(safetensors, refuses_malformed_headers) {
    static const uint8_t data[64];
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        file made =
            file_of(malformed[i].header, strlen(malformed[i].header), data, malformed[i].data_size);
        expect_failure(malformed[i].header, made, malformed[i].status, malformed[i].message);
        guarded_free(&made.memory);
    }
}

Test(safetensors, refuses_a_wrong_header_length) {
    static const struct {
        uint64_t length;
        const char *message;
    } cases[] = {
        {0, "header: empty"},
        {1, "header: "},
        {3, "header: 3 bytes, but the file has 2"},
        {100000000, "header: 100000000 bytes, but the file has 2"},
        {100000001, "header: 100000001 bytes, more than 100000000"},
        {UINT64_C(1) << 63, "header: 9223372036854775808 bytes, more than 100000000"},
        {UINT64_MAX - 7, "header: 18446744073709551608 bytes, more than 100000000"},
        {UINT64_MAX, "header: 18446744073709551615 bytes, more than 100000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file made = file_of("{}", 2, NULL, 0);
        put_length(made.bytes, cases[i].length);
        expect_failure(cases[i].message, made, MBN_MALFORMED, cases[i].message);
        guarded_free(&made.memory);
    }
    for (size_t size = 1; size < 8; size++) {
        file made = {.size = size};
        made.bytes = guarded_bytes(&made.memory, size, GUARD_AFTER);
        memset(made.bytes, 0, size);
        expect_failure("short", made, MBN_MALFORMED, "too short for safetensors");
        guarded_free(&made.memory);
    }
    expect_failure("no bytes", (file){0}, MBN_MALFORMED, "file: 0 bytes, too short");
}

/* `count` repetitions of a text after "{\"w\":", as a file. */
static file repeated(const char *text, size_t count) {
    const size_t size = strlen(text);
    char *header = malloc(5 + count * size);
    memcpy(header, "{\"w\":", 5);
    for (size_t i = 0; i < count; i++) memcpy(header + 5 + i * size, text, size);
    file made = file_of(header, 5 + count * size, NULL, 0);
    free(header);
    return made;
}

Test(safetensors, refuses_what_would_recurse_or_allocate_without_bound) {
    static const struct {
        const char *text;
        size_t count;
        mbn_status status;
        const char *message;
    } cases[] = {
        {"[", 1000000, MBN_MALFORMED, "header: nested deeper than 16 levels"},
        {"{\"a\":", 1000000, MBN_MALFORMED, "header: nested deeper than 16 levels"},
        {"[", 16, MBN_MALFORMED, "header: nested deeper than 16 levels"},
        {"[", 15, MBN_MALFORMED, "header: "}, /* as deep as is allowed, but never closed */
        {"{},", 1000000, MBN_UNSUPPORTED, "header: more than 262144 values"},
        {"0,", 1000000, MBN_UNSUPPORTED, "header: more than 262144 values"},
        {"]}", 1000000, MBN_MALFORMED, "header: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file made = repeated(cases[i].text, cases[i].count);
        expect_failure(cases[i].text, made, cases[i].status, cases[i].message);
        guarded_free(&made.memory);
    }
}

/* What is inside of strings is not structure: a million labels are fine. */
Test(safetensors, reads_long_metadata) {
    enum { COUNT = 1000000 };
    static const char head[] = "{\"__metadata__\":{\"labels\":\"[";
    static const char tail[] = "]\"}}";
    const size_t size = sizeof head - 1 + 3 * COUNT + sizeof tail - 1;
    char *header = malloc(size);
    memcpy(header, head, sizeof head - 1);
    for (size_t i = 0; i < COUNT; i++) memcpy(header + sizeof head - 1 + 3 * i, "\\\",", 3);
    memcpy(header + size - (sizeof tail - 1), tail, sizeof tail - 1);
    file made = file_of(header, size, NULL, 0);
    mbn_safetensors *parsed = parse_good(made);
    cr_expect_eq(strlen(mbn_safetensors_metadata(parsed, "labels")), 2 + 2 * COUNT);
    mbn_safetensors_free(parsed);
    guarded_free(&made.memory);
    free(header);
}

Test(safetensors, cuts_long_names_in_messages) {
    char header[4096] = "{\"";
    memset(header + 2, 'n', 3000);
    strcpy(header + 3002, "\":" ENTRY("F32", "[7]", "[0,0]") "}");
    file made = file_of(header, strlen(header), NULL, 0);
    expect_failure("long name", made, MBN_MALFORMED, "hold 0 bytes, but F32 [7] needs 28");
    guarded_free(&made.memory);
}

/* ---- Mutations: whatever the bytes, an answer and no crash ----------------------------------- */

static uint32_t random_state;

static size_t random_below(size_t bound) {
    random_state = random_state * 1664525 + 1013904223;
    return (size_t)(((uint64_t)random_state * bound) >> 32);
}

/* Replaces `removed` bytes at `at` by `inserted` ones.  Returns the new size. */
static size_t splice(uint8_t *bytes, size_t size, size_t at, size_t removed, const void *from,
                     size_t inserted) {
    memmove(bytes + at + inserted, bytes + at + removed, size - at - removed);
    memcpy(bytes + at, from, inserted);
    return size - removed + inserted;
}

/* Fragments that mean something to the parser. */
static const char *const tokens[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\u0001",
    "\xff",
    "null",
    "-1",
    "0",
    "1.0",
    "1e9",
    "9223372036854775807",
    "99999999999999999999",
    "\"F16\"",
    "\"shape\"",
    "\"__metadata__\"",
};

static size_t mutate(uint8_t *bytes, size_t size) {
    const size_t at = random_below(size), left = size - at;
    switch (random_below(10)) {
    case 0: bytes[at] ^= (uint8_t)(1U << random_below(8)); return size;
    case 1: bytes[at] = (uint8_t)random_below(256); return size;
    case 2: return at + 1; /* truncated */
    case 3: return splice(bytes, size, at, left / 8, "", 0);
    case 4: { /* a copy of another part, inserted or in place of what was there */
        uint8_t part[24];
        const size_t from = random_below(size);
        size_t count = random_below(sizeof part);
        if (count > size - from) count = size - from;
        memcpy(part, bytes + from, count);
        const size_t removed = random_below(2) * (left < count ? left : count);
        return splice(bytes, size, at, removed, part, count);
    }
    case 5: {
        const char *token = tokens[random_below(sizeof tokens / sizeof *tokens)];
        const size_t count = strlen(token);
        const size_t removed = random_below(2) * (left < count ? left : count);
        return splice(bytes, size, at, removed, token, count);
    }
    default: /* one digit for another: still JSON, but other shapes and offsets */
        for (size_t i = at; i < size; i++) {
            if (bytes[i] < '0' || bytes[i] > '9') continue;
            bytes[i] = (uint8_t)('0' + random_below(10));
            break;
        }
        return size;
    }
}

/* Reads all that a parsed file gives. */
static void use(const mbn_safetensors *parsed, float *floats, size_t capacity) {
    const mbn_tensor *tensor;
    for (size_t i = 0; (tensor = mbn_safetensors_at(parsed, i)) != NULL; i++) {
        cr_assert_eq(mbn_safetensors_find(parsed, tensor->name), tensor);
        cr_assert_leq(tensor->bytes, capacity);
        if (!mbn_tensor_has_floats(tensor)) continue;
        mbn_tensor_to_floats(tensor, floats + capacity - (size_t)tensor->count); /* flush, too */
    }
    const char *network = mbn_safetensors_metadata(parsed, "network");
    cr_assert(network == NULL || strlen(network) < capacity);
}

/* A header with a space behind its brace is no plain one: what the JSON library makes of it must be
 * what was made of `bytes`. */
static void compare_with_library(const uint8_t *bytes, size_t size, mbn_status status,
                                 const mbn_safetensors *parsed) {
    uint8_t spaced[2048];
    uint64_t header = 0;
    cr_assert_lt(size, sizeof spaced);
    for (int i = 7; size >= 8 && i >= 0; i--) header = header << 8 | bytes[i];
    if (header == 0 || header > size - 8) return;
    memcpy(spaced, bytes, size);
    const size_t spaced_size = splice(spaced, size, 9, 0, " ", 1);
    put_length(spaced, header + 1);
    mbn_safetensors *other;
    cr_assert_eq(mbn_safetensors_parse(spaced, spaced_size, &other, NULL), status, "%.*s",
                 (int)header, (const char *)bytes + 8);
    if (status != MBN_OK) return;
    const uint8_t *data = bytes + 8 + header, *other_data = spaced + 9 + header;
    for (size_t i = 0;; i++) {
        const mbn_tensor *a = mbn_safetensors_at(parsed, i), *b = mbn_safetensors_at(other, i);
        cr_assert((a == NULL) == (b == NULL));
        if (a == NULL) break;
        cr_assert_str_eq(a->name, b->name);
        cr_assert_str_eq(a->dtype_name, b->dtype_name);
        cr_assert(a->dtype == b->dtype && a->rank == b->rank && a->count == b->count);
        cr_assert_arr_eq(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
        cr_assert((const uint8_t *)a->data - data == (const uint8_t *)b->data - other_data);
        cr_assert_eq(a->bytes, b->bytes);
    }
    const char *network = mbn_safetensors_metadata(parsed, "network");
    const char *other_network = mbn_safetensors_metadata(other, "network");
    cr_assert((network == NULL) == (other_network == NULL));
    if (network != NULL) cr_assert_str_eq(network, other_network);
    mbn_safetensors_free(other);
}

Test(safetensors, survives_mutations) {
    enum { MUTATIONS = 20000, CAPACITY = 1024 };
    static const char header[] =
        "{\"__metadata__\":{\"network\":\"mobilenet_v2\"},"
        "\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
        "\"conv.bias\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[16,24]},"
        "\"none\":{\"dtype\":\"BF16\",\"shape\":[0,3],\"data_offsets\":[24,24]},"
        "\"steps\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}}";
    static const uint8_t data[32] = {1, 2, 3};
    file original = file_of(header, sizeof header - 1, data, sizeof data);
    mbn_safetensors_free(parse_good(original));
    guarded memory = {0}, float_memory = {0};
    float *floats = guarded_floats(&float_memory, CAPACITY, GUARD_AFTER);

    random_state = 1;
    int parsed_count = 0, refused_count = 0;
    for (int i = 0; i < MUTATIONS; i++) {
        uint8_t bytes[CAPACITY];
        size_t size = original.size;
        memcpy(bytes, original.bytes, size);
        for (size_t rounds = 1 + random_below(3); rounds > 0; rounds--) size = mutate(bytes, size);
        /* Otherwise most files would be refused for their length alone. */
        if (size >= 8 + sizeof data && random_below(8) > 0) {
            put_length(bytes, size - 8 - sizeof data);
        }

        uint8_t *flush = guarded_bytes(&memory, size, i % 2 == 0 ? GUARD_AFTER : GUARD_BEFORE);
        memcpy(flush, bytes, size);
        mbn_safetensors *parsed;
        mbn_error error = {MBN_OK, ""};
        const mbn_status status = mbn_safetensors_parse(flush, size, &parsed, &error);
        if (status == MBN_OK) {
            parsed_count++;
            use(parsed, floats, CAPACITY);
        } else {
            refused_count++;
            cr_assert_null(parsed);
            cr_assert_eq(error.status, status);
            cr_assert_neq(error.message[0], '\0');
        }
        compare_with_library(flush, size, status, parsed);
        mbn_safetensors_free(parsed);
    }
    /* Both ways are walked, or the mutations are not worth their time. */
    cr_expect_gt(parsed_count, MUTATIONS / 20);
    cr_expect_gt(refused_count, MUTATIONS / 2);
    guarded_free(&float_memory);
    guarded_free(&memory);
    guarded_free(&original.memory);
}
