/* How bodies are instantiated: a function that takes its tile sizes as arguments, inlined into
 * callers that pass constants, so that every loop over a tile unrolls into registers. */
#ifndef MBN_KERNELS_BODY_INLINE_H
#define MBN_KERNELS_BODY_INLINE_H

#include <mobilenet/kernels.h>

#include <assert.h>

#define MBN_INLINE static inline __attribute__((always_inline))

/* Loops over tile sizes are unrolled whatever the optimiser thinks of their length. */
#if defined(__clang__) /* which skips gcc's pragma without a word */
#define MBN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MBN_UNROLL _Pragma("GCC unroll 32")
#endif

#endif
