#include "text.h"

#include <stdlib.h>

void mbn_text_begin(mbn_text *text) {
    *text = (mbn_text){.bytes = NULL};
    text->stream = open_memstream(&text->bytes, &text->size);
}

bool mbn_text_end(mbn_text *text) {
    if (text->stream == NULL) return false;
    /* glibc keeps silent where it has no memory to cut the text to its length: then there is none,
     * or one that is shorter than what was written. */
    const bool flushed = fflush(text->stream) == 0 && !ferror(text->stream);
    const size_t size = text->size;
    if (fclose(text->stream) == 0 && flushed && text->bytes != NULL && text->size == size)
        return true;
    free(text->bytes);
    text->bytes = NULL;
    return false;
}
