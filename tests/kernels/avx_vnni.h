/* AVX-VNNI on a CPU without it: a handler of SIGILL that computes vpdpbusd, for which kernels use
 * that extension, and vpdpwssd, which clang makes of additions of products of int16, so that the
 * code that ships can be tested.  An instruction takes
 * about a microsecond then. */
#ifndef MBN_TESTS_KERNELS_AVX_VNNI_H
#define MBN_TESTS_KERNELS_AVX_VNNI_H

#include <stdbool.h>

/* Whether it takes the handler to run vpdpbusd here, which is in place from the first call on.
 * False where the CPU has the instruction, where not even the registers are there, and on anything
 * but Linux on x86-64. */
bool avx_vnni_is_emulated(void);

#endif
