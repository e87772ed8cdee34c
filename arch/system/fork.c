#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* madvise, MAP_ANONYMOUS */
#endif

#include "fork.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* Alone on its page. */
struct mbn_fork_mark {
    bool set;      /* the system clears it in a child */
    pid_t process; /* decides where it does not: that costs a system call */
};

mbn_fork_mark *mbn_fork_mark_create(void) {
    void *page = mmap(NULL, sizeof(mbn_fork_mark), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    mbn_fork_mark_set(page);
    return page;
}

void mbn_fork_mark_set(mbn_fork_mark *mark) {
    mark->process = getpid();
#if defined(MADV_WIPEONFORK)
    mark->set = madvise(mark, sizeof *mark, MADV_WIPEONFORK) == 0;
#endif
}

bool mbn_fork_mark_is_own(const mbn_fork_mark *mark) {
    return mark->set || mark->process == getpid();
}

void mbn_fork_mark_free(mbn_fork_mark *mark) {
    if (mark != NULL) munmap(mark, sizeof *mark);
}
