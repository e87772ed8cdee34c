/* Sleeping until another thread has changed a number. */
#ifndef MBN_ARCH_WAIT_H
#define MBN_ARCH_WAIT_H

#include <stdatomic.h>

/* Tells the processor that a loop waits for another thread. */
static inline void mbn_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* Sleeps if *number is `value`, until it is woken; may return sooner. */
void mbn_wait(atomic_uint *number, unsigned value);

/* Wakes up to `count` threads that sleep because of *number. */
void mbn_wake(atomic_uint *number, int count);

#endif
