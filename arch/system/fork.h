/* Whether this process is a fork of the one that made something. */
#ifndef MBN_ARCH_FORK_H
#define MBN_ARCH_FORK_H

#include <stdbool.h>

/* Asked for each run: where the system can clear memory in a child, that takes no system call. */
typedef struct mbn_fork_mark mbn_fork_mark;

/* Set by this process; NULL without memory. */
mbn_fork_mark *mbn_fork_mark_create(void);

/* Whether this process set it, not one that this is a fork of. */
bool mbn_fork_mark_is_own(const mbn_fork_mark *mark);

/* Sets it in a fork, too. */
void mbn_fork_mark_set(mbn_fork_mark *mark);

/* NULL is allowed. */
void mbn_fork_mark_free(mbn_fork_mark *mark);

#endif
