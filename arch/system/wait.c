#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include "wait.h"

#include <time.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void mbn_wait(atomic_uint *number, unsigned value) {
    syscall(SYS_futex, number, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void mbn_wake(atomic_uint *number, int count) {
    syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#else /* looks again every now and then */

enum { NAP_NANOSECONDS = 50000 };

void mbn_wait(atomic_uint *number, unsigned value) {
    if (atomic_load(number) == value) nanosleep(&(struct timespec){0, NAP_NANOSECONDS}, NULL);
}

void mbn_wake(atomic_uint *number, int count) {
    (void)number;
    (void)count;
}

#endif
