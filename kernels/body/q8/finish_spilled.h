/* The finish of sums in memory.  Where there are few registers (VEC_PARTS) every tile leaves them
 * there, and one piece of code serves all tiles. */
#ifndef MBN_KERNELS_BODY_Q8_FINISH_SPILLED_H
#define MBN_KERNELS_BODY_Q8_FINISH_SPILLED_H

#include "finish.h"

/* Where sums begin, in memory. */
MBN_INLINE const char *start_at(enum finish_kind kind, const char *channels) {
    return channel_vector(channels, kind == FINISH_FIXED ? FIXED_START : BIAS);
}

MBN_INLINE void finish_some(const epilogue *e, enum finish_kind kind, const char *channels,
                            const int32_t *values, int32_t pixels, char *output) {
    sums acc[16][4];
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) acc[i][0] = sums_load(values + i * BLOCK);
    store_of_kind(e, kind, channels, pixels, 0, acc, output);
}

/* The last quad is over some that are finished. */
MBN_INLINE void finish_quads(const epilogue *e, enum finish_kind kind, const char *channels,
                             const int32_t *values, int32_t pixels, char *output) {
    for (int32_t p = 0; p < pixels && pixels >= QUAD; p += QUAD) {
        if (p > pixels - QUAD) p = pixels - QUAD;
        finish_some(e, kind, channels, values + p * BLOCK, QUAD, output + p * PIXEL_BYTES);
    }
    for (int32_t p = 0; p < pixels && pixels < QUAD; p++) {
        finish_some(e, kind, channels, values + p * BLOCK, 1, output + p * PIXEL_BYTES);
    }
}

/* As finish_run does; kind: how the sums began. */
static __attribute__((noinline)) void finish_spilled(const epilogue *e, enum finish_kind kind,
                                                     const char *channels, const int32_t *values,
                                                     int32_t pixels, const char *residual,
                                                     char *output) {
    if (kind == FINISH_ANY) {
        finish_run(e, channels, values, pixels, residual, output);
        return;
    }
    if (kind == FINISH_FLOAT) {
        finish_quads(e, FINISH_FLOAT, channels, values, pixels, output);
    } else {
        finish_quads(e, FINISH_FIXED, channels, values, pixels, output);
    }
    finish_bytes(e, e->lookup, residual, pixels, output);
}

#endif
