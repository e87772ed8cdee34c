/* Which instruction sets an x86 CPU has, and which of them its operating system lets programs use:
 * CPUID's words, and XGETBV's.  Tests make up words of their own. */
#ifndef MBN_KERNELS_X86_H
#define MBN_KERNELS_X86_H

#include <mobilenet/kernels.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdbool.h>

typedef struct x86_words {
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_1_eax; /* CPUID's; 0 past its last leaf */
    uint32_t xcr0; /* registers that the operating system saves; 0 where it cannot be asked */
} x86_words;

enum {
    X86_YMM = 1 << 1 | 1 << 2,                    /* of xcr0: xmm registers, their upper halves */
    X86_ZMM = X86_YMM | 1 << 5 | 1 << 6 | 1 << 7, /* mask registers, upper halves, the other 16 */
};

/* Of leaf 1, ECX: that XGETBV may be run. */
enum { X86_OSXSAVE = 1 << 27 };

static inline bool x86_has(uint32_t word, int bit) {
    return (word >> bit & 1u) != 0;
}

/* An instruction set also needs those that its flags include (cmake/MobilenetISA.cmake): a virtual
 * machine's CPU may have any combination. */
static inline uint32_t x86_isas(const x86_words *w) {
    uint32_t mask = 1u << MBN_ISA_SCALAR;
    const bool sse = x86_has(w->leaf1_ecx, 0) && x86_has(w->leaf1_ecx, 9) && /* SSE3, SSSE3 */
                     x86_has(w->leaf1_ecx, 19);                              /* SSE4.1 */
    if (!sse) return mask;
    mask |= 1u << MBN_ISA_SSE;
    const bool ymm = (w->leaf1_ecx & X86_OSXSAVE) != 0 && (w->xcr0 & X86_YMM) == X86_YMM;
    const bool avx2 = x86_has(w->leaf1_ecx, 28) && x86_has(w->leaf7_ebx, 5) && /* AVX, AVX2 */
                      x86_has(w->leaf1_ecx, 12) &&                             /* FMA */
                      x86_has(w->leaf1_ecx, 20) && x86_has(w->leaf1_ecx, 23);  /* SSE4.2, POPCNT */
    if (!ymm || !avx2) return mask;
    mask |= 1u << MBN_ISA_AVX2;
    if (x86_has(w->leaf7_1_eax, 4)) mask |= 1u << MBN_ISA_AVX_VNNI;
    const bool zmm = (w->xcr0 & X86_ZMM) == X86_ZMM;
    const bool avx512 = x86_has(w->leaf7_ebx, 16) && x86_has(w->leaf7_ebx, 17) && /* F, DQ */
                        x86_has(w->leaf7_ebx, 30) && x86_has(w->leaf7_ebx, 31) && /* BW, VL */
                        x86_has(w->leaf1_ecx, 29);                                /* F16C */
    if (!zmm || !avx512) return mask;
    mask |= 1u << MBN_ISA_AVX512;
    if (x86_has(w->leaf7_1_eax, 5)) mask |= 1u << MBN_ISA_AVX512_BF16;
    if (!x86_has(w->leaf7_ecx, 11)) return mask;
    mask |= 1u << MBN_ISA_AVX512_VNNI;
    if (x86_has(w->leaf7_ecx, 1)) mask |= 1u << MBN_ISA_AVX512_VBMI;
    return mask;
}

#if defined(__x86_64__)
static inline x86_words x86_read(void) {
    x86_words w = {0};
    unsigned eax, ebx, ecx, edx;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return w;
    w.leaf1_ecx = ecx;
    if ((ecx & X86_OSXSAVE) != 0) {
        __asm__ volatile("xgetbv" : "=a"(w.xcr0), "=d"(edx) : "c"(0));
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return w;
    w.leaf7_ebx = ebx;
    w.leaf7_ecx = ecx;
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) w.leaf7_1_eax = eax;
    return w;
}
#endif

#endif
