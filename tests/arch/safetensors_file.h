/* Safetensors files made from a header and data. */
#ifndef MBN_TESTS_ARCH_SAFETENSORS_FILE_H
#define MBN_TESTS_ARCH_SAFETENSORS_FILE_H

#include <arch/model/safetensors.h>
#include <tests/guarded.h>

#include <criterion/criterion.h>
#include <string.h>

/* A tensor's entry in a header. */
#define ENTRY(dtype, shape, offsets)                                                               \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

typedef struct file {
    guarded memory;
    uint8_t *bytes;
    size_t size;
} file;

static inline void put_length(uint8_t *bytes, uint64_t length) {
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(length >> (8 * i));
}

/* A file whose last byte is the last before a guard page. */
static inline file file_of(const char *header, size_t header_size, const void *data,
                           size_t data_size) {
    file made = {.size = 8 + header_size + data_size};
    made.bytes = guarded_bytes(&made.memory, made.size, GUARD_AFTER);
    put_length(made.bytes, header_size);
    memcpy(made.bytes + 8, header, header_size);
    if (data_size > 0) memcpy(made.bytes + 8 + header_size, data, data_size);
    return made;
}

static inline mbn_safetensors *parse_good(file good) {
    mbn_safetensors *parsed;
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = mbn_safetensors_parse(good.bytes, good.size, &parsed, &error);
    cr_assert_eq(status, MBN_OK, "%s", error.message);
    cr_assert_not_null(parsed);
    return parsed;
}

#endif
