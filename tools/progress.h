/* How far a command is that takes long: on stderr, on a terminal one line that changes ten times a
 * second, else a line per tenth. */
#ifndef MBN_TOOLS_PROGRESS_H
#define MBN_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mbn_progress {
    bool terminal;
    double shown_at;
    int64_t shown; /* images */
} mbn_progress;

mbn_progress mbn_progress_begin(void);

/* Of `count` images, the last of which is always shown. */
void mbn_progress_show(mbn_progress *progress, int64_t done, int64_t count);

/* Seconds of a clock that never goes back. */
double mbn_now(void);

#endif
