#include "sink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mbn_put(mbn_sink *out, const void *bytes, size_t length) {
    if (out->bytes != NULL) memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

void mbn_put_little_endian(mbn_sink *out, uint64_t value, size_t length) {
    unsigned char bytes[8];
    for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)(value >> 8 * i);
    mbn_put(out, bytes, length);
}

void mbn_put_text(mbn_sink *out, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mbn_put(out, text, (size_t)length);
}

void mbn_put_tensor(mbn_sink *out, const char *name, const char *dtype, const int64_t *shape,
                    int32_t rank, size_t bytes, uint64_t *offset) {
    mbn_put_text(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, dtype);
    for (int32_t j = 0; j < rank; j++) {
        mbn_put_text(out, j == 0 ? "%" PRId64 : ",%" PRId64, shape[j]);
    }
    const uint64_t end = *offset + bytes;
    mbn_put_text(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *offset, end);
    *offset = end;
}

void mbn_put_header_end(mbn_sink *out) {
    mbn_put_text(out, "}");
    while (out->length % 8 != 0) mbn_put_text(out, " ");
}
