/* What a file is that is no model file. */
#ifndef MBN_ARCH_FILE_KIND_H
#define MBN_ARCH_FILE_KIND_H

#include <stddef.h>

/* A sentence that says what the bytes are, by the first of them and, of an archive, by the names in
 * it, and what to do about it; NULL if they may be a model file, or nothing is known of them. */
const char *mbn_file_kind(const void *data, size_t size);

#endif
