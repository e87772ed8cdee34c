/* The finish of sums in memory.  Where there are few registers (VEC_PARTS) every tile leaves them
 * there, and one piece of code serves all tiles. */
#ifndef MBN_KERNELS_BODY_Q8_FINISH_SPILLED_H
#define MBN_KERNELS_BODY_Q8_FINISH_SPILLED_H

#include "finish.h"

/* Where sums begin, in memory. */
MBN_INLINE const char *start_at(enum finish_kind kind, const char *channels) {
    return channel_vector(channels, kind == FINISH_FIXED ? FIXED_START : BIAS);
}

/* Between the passes of wide weights: `pixels` sums that began at `start`. */
static __attribute__((noinline, unused)) void double_sums(const char *start, int32_t pixels,
                                                          int32_t *values) {
    for (int32_t i = 0; i < pixels; i++, values += BLOCK) {
        sums_store(values, sums_twice(sums_load(values), sums_load(start)));
    }
}

MBN_INLINE void finish_floats(const epilogue *e, const char *channels, const int32_t *values,
                              int32_t pixels, char *output) {
    sums acc[16][4];
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) acc[i][0] = sums_load(values + i * BLOCK);
    store_of_kind(e, FINISH_FLOAT, channels, pixels, 0, acc, output);
}

/* signs: whether negative results matter; a constant, as `pixels`, a quad or one. */
MBN_INLINE void finish_fixed(const epilogue *e, const fixed_factors *f, bool signs,
                             const int32_t *values, int32_t pixels, char *output) {
    const bytes64 y = bytes_rescaled(f, values, pixels, signs);
    bytes_store_some(output, pixels, e->is_whole ? y : bytes_clamped(&e->limits, y));
}

/* The last quad is over some that are finished. */
MBN_INLINE void finish_float_quads(const epilogue *e, const char *channels, const int32_t *values,
                                   int32_t pixels, char *output) {
    for (int32_t p = 0; p < pixels && pixels >= QUAD; p += QUAD) {
        if (p > pixels - QUAD) p = pixels - QUAD;
        finish_floats(e, channels, values + p * BLOCK, QUAD, output + p * PIXEL_BYTES);
    }
    for (int32_t p = 0; p < pixels && pixels < QUAD; p++) {
        finish_floats(e, channels, values + p * BLOCK, 1, output + p * PIXEL_BYTES);
    }
}
MBN_INLINE void finish_fixed_quads(const epilogue *e, const fixed_factors *f, bool signs,
                                   const int32_t *values, int32_t pixels, char *output) {
    for (int32_t p = 0; p < pixels; p += QUAD) {
        if (p > pixels - QUAD) p = pixels - QUAD;
        finish_fixed(e, f, signs, values + p * BLOCK, QUAD, output + p * PIXEL_BYTES);
    }
}
MBN_INLINE void finish_fixed_pixels(const epilogue *e, const char *channels, const int32_t *values,
                                    int32_t pixels, char *output) {
    const fixed_factors f = fixed_factors_of(
        sums_load(channel_vector(channels, MULTIPLIER)), sums_load(channel_vector(channels, SHIFT)),
        sums_load(channel_vector(channels, FIXED_LESS)),
        sums_sub(sums_load(channel_vector(channels, FIXED_START)),
                 sums_load(channel_vector(channels, BIAS))),
        e->zero);
    if (pixels < QUAD) {
        for (int32_t p = 0; p < pixels; p++) {
            finish_fixed(e, &f, true, values + p * BLOCK, 1, output + p * PIXEL_BYTES);
        }
    } else if (e->is_relu) {
        finish_fixed_quads(e, &f, false, values, pixels, output);
    } else {
        finish_fixed_quads(e, &f, true, values, pixels, output);
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
        finish_float_quads(e, channels, values, pixels, output);
    } else {
        finish_fixed_pixels(e, channels, values, pixels, output);
    }
    finish_bytes(e, e->lookup, residual, pixels, output);
}

#endif
