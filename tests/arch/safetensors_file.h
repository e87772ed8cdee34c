/* Safetensors files made from a header and data. */
#ifndef MBN_TESTS_ARCH_SAFETENSORS_FILE_H
#define MBN_TESTS_ARCH_SAFETENSORS_FILE_H

#include <arch/safetensors.h>
#include <tests/arch/guarded.h>

#include <string.h>

/* A tensor's entry in a header. */
#define ENTRY(dtype, shape, offsets)                                                               \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static inline void put_length(uint8_t *bytes, uint64_t length) {
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(length >> (8 * i));
}

/* A file whose last byte is the last before a guard page. */
static inline guarded file_of(const char *header, size_t header_size, const void *data,
                              size_t data_size) {
    const guarded file = guarded_alloc(8 + header_size + data_size);
    uint8_t *bytes = file.data;
    put_length(bytes, header_size);
    memcpy(bytes + 8, header, header_size);
    if (data_size > 0) memcpy(bytes + 8 + header_size, data, data_size);
    return file;
}

static inline mbn_safetensors *parse_good(guarded file) {
    mbn_safetensors *parsed;
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = mbn_safetensors_parse(file.data, file.size, &parsed, &error);
    cr_assert_eq(status, MBN_OK, "%s", error.message);
    cr_assert_not_null(parsed);
    return parsed;
}

#endif
