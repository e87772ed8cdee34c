/* Writing a model file into memory. */
#ifndef MBN_ARCH_SINK_H
#define MBN_ARCH_SINK_H

#include <mobilenet.h>

/* Bytes going into a buffer that may be NULL, when they are only counted. */
typedef struct mbn_sink {
    unsigned char *bytes;
    size_t length;
} mbn_sink;

void mbn_put(mbn_sink *out, const void *bytes, size_t length);
void mbn_put_little_endian(mbn_sink *out, uint64_t value, size_t length);

/* Of at most 511 characters: a line of the header, where a tensor's name has at most 95. */
__attribute__((format(printf, 2, 3))) void mbn_put_text(mbn_sink *out, const char *format, ...);

/* A tensor in the header, whose bytes begin at *offset; moves that behind them. */
void mbn_put_tensor(mbn_sink *out, const char *name, const char *dtype, const int64_t *shape,
                    int32_t rank, size_t bytes, uint64_t *offset);

/* The header's end: tensors begin at a multiple of 8. */
void mbn_put_header_end(mbn_sink *out);

#endif
