/* Text of any length, written as to a file. */
#ifndef MBN_TOOLS_TEXT_H
#define MBN_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct mbn_text {
    FILE *stream; /* NULL when out of memory */
    char *bytes;  /* behind mbn_text_end, from malloc and with a zero at their end */
    size_t size;
} mbn_text;

/* The structure has to stay where it is. */
void mbn_text_begin(mbn_text *text);

/* Closes the stream.  False, and nothing to free, where not all was kept for lack of memory, or
 * there was no stream. */
bool mbn_text_end(mbn_text *text);

#endif
