/* The floating-point control register of the calling thread while a network runs: round to nearest,
 * no exception trapped, denormals flushed to zero as results and as operands.  All of it is set,
 * since a caller's own state would reach only the work that its own thread happens to do. */
#ifndef MBN_KERNELS_FLOAT_STATE_H
#define MBN_KERNELS_FLOAT_STATE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* Returns the state to restore. */
static inline uint64_t mbn_float_state_set(void) {
#if defined(__x86_64__)
    const uint32_t state = _mm_getcsr();
    _mm_setcsr(0x9FC0); /* all masked, FTZ, DAZ */
    return state;
#elif defined(__aarch64__)
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" ::"r"(UINT64_C(1) << 24)); /* FZ */
    return state;
#else
    return 0;
#endif
}

static inline void mbn_float_state_restore(uint64_t state) {
#if defined(__x86_64__)
    _mm_setcsr((uint32_t)state);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(state));
#else
    (void)state;
#endif
}

#endif
