/* How bodies are instantiated: a function that takes its tile sizes as arguments, inlined into
 * callers that pass constants, so that every loop over a tile unrolls into registers. */
#ifndef MBN_KERNELS_INLINE_H
#define MBN_KERNELS_INLINE_H

#include <mobilenet/kernels.h>

#include <assert.h>

#define MBN_INLINE static inline __attribute__((always_inline))

/* `bytes` behind the first pixel of a plane. */
MBN_INLINE char *mbn_at(const mbn_plane *plane, ptrdiff_t bytes) {
    return (char *)plane->data + bytes;
}

/* Row y of channel block b of a plane. */
MBN_INLINE char *mbn_row_at(const mbn_plane *plane, int32_t b, int32_t y) {
    return mbn_at(plane, b * plane->block_stride + y * plane->row_stride);
}

/* The weights and the bias of the channel blocks from b on. */
MBN_INLINE const char *mbn_weights_at(const mbn_operands *operands, int32_t b) {
    return (const char *)operands->weights + b * operands->weights_stride;
}

MBN_INLINE const char *mbn_bias_at(const mbn_operands *operands, int32_t b) {
    return (const char *)operands->bias + b * operands->bias_stride;
}

/* Loops over tile sizes are unrolled whatever the optimiser thinks of their length. */
#if defined(__clang__) /* which skips gcc's pragma without a word */
#define MBN_UNROLL _Pragma("clang loop unroll(full)")
#define MBN_UNROLL_FOUR _Pragma("clang loop unroll_count(4)")
#else
#define MBN_UNROLL _Pragma("GCC unroll 32")
#define MBN_UNROLL_FOUR _Pragma("GCC unroll 4")
#endif

#endif
