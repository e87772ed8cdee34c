#include "json.h"

#include "error.h"

#include <string.h>

/* jansson has something to say about every failure but a failed allocation, as a rule: where it is
 * a string that it has no memory for, it calls the text malformed.  A second look tells: either
 * there is memory again, or none for its very first allocation. */
json_t *mbn_json_read(const char *text, size_t size, size_t flags, mbn_status *status,
                      json_error_t *detail) {
    json_t *value = json_loadb(text, size, flags | JSON_REJECT_DUPLICATES, detail);
    if (value == NULL) value = json_loadb(text, size, flags | JSON_REJECT_DUPLICATES, detail);
    if (value == NULL) *status = detail->text[0] == '\0' ? MBN_OUT_OF_MEMORY : MBN_MALFORMED;
    return value;
}

json_t *mbn_json_value(const char *key, const char *text, size_t flags, mbn_status *status,
                       mbn_error *error) {
    json_error_t detail;
    json_t *value = mbn_json_read(text, strlen(text), flags, status, &detail);
    if (value != NULL) return value;
    if (*status == MBN_OUT_OF_MEMORY) {
        mbn_fail(error, *status, "metadata %s: out of memory", key);
    } else {
        mbn_fail(error, *status, "metadata %s: not JSON: %.64s", key, text);
    }
    return NULL;
}
