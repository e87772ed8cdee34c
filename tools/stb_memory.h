/* stb_image unpacks all that a PNG has compressed, be it pixels or a thousand times more. */
#ifndef MBN_TOOLS_STB_MEMORY_H
#define MBN_TOOLS_STB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* How far buffers may grow in what stb_image decodes next on this thread. */
void mbn_stb_allow(size_t bytes);

/* Whether one was to grow further since then, and did not. */
bool mbn_stb_refused(void);

#endif
