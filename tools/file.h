/* Whole files, in and out. */
#ifndef MBN_TOOLS_FILE_H
#define MBN_TOOLS_FILE_H

#include <mobilenet.h>

typedef struct mbn_bytes {
    uint8_t *data; /* from malloc */
    size_t size;
} mbn_bytes;

/* Reads a file, a pipe too, of at most `limit` bytes.  Messages do not repeat the path. */
mbn_status mbn_file_read(const char *path, size_t limit, mbn_bytes *bytes, mbn_error *error);

typedef struct mbn_part {
    const void *data;
    size_t size;
} mbn_part;

/* Writes the parts one after the other.  A regular file appears, or is replaced, when it is
 * complete, and not at all on failure; a device or a pipe is written to as it is. */
mbn_status mbn_file_write(const char *path, const mbn_part *parts, int count, mbn_error *error);

#endif
