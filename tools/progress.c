#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double mbn_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

mbn_progress mbn_progress_begin(void) {
    return (mbn_progress){.terminal = isatty(STDERR_FILENO) != 0};
}

void mbn_progress_show(mbn_progress *progress, int64_t done, int64_t count) {
    const double time = mbn_now();
    const bool due = progress->terminal ? time - progress->shown_at >= 0.1
                                        : done * 10 / count > progress->shown * 10 / count;
    if (done == progress->shown || (!due && done < count)) return;
    const char *start = progress->terminal ? "\r" : "";
    const char *end = progress->terminal && done < count ? "" : "\n";
    fprintf(stderr, "%s%" PRId64 " of %" PRId64 " images, %" PRId64 " %%%s", start, done, count,
            done * 100 / count, end);
    progress->shown_at = time;
    progress->shown = done;
}
