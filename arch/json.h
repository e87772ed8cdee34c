/* JSON in model files. */
#ifndef MBN_ARCH_JSON_H
#define MBN_ARCH_JSON_H

#include <mobilenet.h>

#include <jansson.h>

/* Reads `size` bytes; flags: jansson's.  NULL on failure, with a status: MBN_OUT_OF_MEMORY, or
 * MBN_MALFORMED, and what jansson says. */
json_t *mbn_json_read(const char *text, size_t size, size_t flags, mbn_status *status,
                      json_error_t *detail);

/* The same of the value of a metadata key; the error names it. */
json_t *mbn_json_value(const char *key, const char *text, size_t flags, mbn_status *status,
                       mbn_error *error);

#endif
