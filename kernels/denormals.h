/* Flush-to-zero for the calling thread. */
#ifndef MBN_KERNELS_DENORMALS_H
#define MBN_KERNELS_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* Turns it on, for results and for operands, and returns the state to restore. */
static inline uint64_t mbn_denormals_flush(void) {
#if defined(__x86_64__)
    const uint32_t state = _mm_getcsr();
    _mm_setcsr(state | 0x8040); /* FTZ and DAZ */
    return state;
#elif defined(__aarch64__)
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" ::"r"(state | (UINT64_C(1) << 24)));
    return state;
#else
    return 0;
#endif
}

static inline void mbn_denormals_restore(uint64_t state) {
#if defined(__x86_64__)
    _mm_setcsr((uint32_t)state);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(state));
#else
    (void)state;
#endif
}

#endif
