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

/* How far ahead of their use weights are fetched: where they come cold from L3, the hardware
 * prefetcher starts too late.  Zen 5, pointwise at 7x7: 8 KiB ahead holds 89-95 % of the FMA peak,
 * 4 KiB 84-90 %, none 73-79 %. */
enum { PREFETCH_FLOATS = 8192 / sizeof(float) };

#endif
