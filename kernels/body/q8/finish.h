/* The finish of a sum: rescaled, clamped, looked up, added to a residual, stored.  Four pixels of a
 * block are finished together, since their bytes fill a vector.
 *
 * Tiles finish what is frequent from registers, and spill what is not. */
#ifndef MBN_KERNELS_BODY_Q8_FINISH_H
#define MBN_KERNELS_BODY_Q8_FINISH_H

#include "vocabulary.h"

#include "kernels/q8.h"

#include "add.h"

enum finish_kind { FINISH_ANY, FINISH_FLOAT, FINISH_FIXED, FINISH_RELU };

/* What has to be done. */
typedef struct epilogue {
    mbn_rescaling rescaling;
    byte_limits limits;
    uint8_t zero;
    bool is_whole;         /* limits of 0 and 255 */
    bool is_relu;          /* below its zero point a result is clamped */
    bool is_plain_relu;    /* ... to 0, else to 255, and that is all */
    const uint8_t *lookup; /* or NULL */
    uint8_t input_zero;
    enum finish_kind kind; /* of pointwise's sums */
    adding add;            /* where there is a residual */
} epilogue;

MBN_INLINE epilogue epilogue_of(const mbn_finish *finish) {
    const mbn_q8_finish *q8 = finish->q8;
    const mbn_byte_range range = q8->range;
    epilogue e = {
        .rescaling = q8->rescaling,
        .limits = byte_limits_of(range),
        .zero = range.zero,
        .is_whole = range.low == 0 && range.high == 255,
        .is_relu = range.low >= range.zero,
        .is_plain_relu = range.zero == 0 && range.high == 255 && q8->lookup == NULL,
        .lookup = q8->lookup,
        .input_zero = (uint8_t)q8->input_zero,
    };
    if (q8->add != NULL) e.add = adding_of(q8->add);
    return e;
}

/* The channels of a block as mbn_pack_channels_q8_quads packs them: vectors of 16 numbers, of which
 * the last two are for FIXED_OFFSET. */
enum channel_vector { BIAS, MULTIPLIER, SHIFT, FIXED_START, FIXED_LESS };

MBN_INLINE const char *channel_vector(const char *channels, enum channel_vector which) {
    return channels + which * SUMS_BYTES;
}

/* ---- Anything, from memory ------------------------------------------------------------------ */

RARE sums rescale(mbn_rescaling rescaling, sums x, const char *channels) {
    const char *multipliers = channel_vector(channels, MULTIPLIER);
    switch (rescaling) {
    case MBN_RESCALE_FLOAT: return rescale_float(x, multipliers);
    case MBN_RESCALE_FIXED:
        return rescale_fixed(x, sums_load(multipliers), sums_load(channel_vector(channels, SHIFT)));
    case MBN_RESCALE_DOUBLE: break;
    }
    return rescale_double(x, multipliers);
}

/* Of `pixels` pixels side by side; in place, too. */
static __attribute__((noinline)) void lookup_run(const uint8_t *lookup, const char *input,
                                                 int32_t pixels, char *output) {
#if LOOKUP_LEVEL
    const bool level = lookup_is_level(lookup);
#endif
    for (int32_t p = 0; p < pixels; p += QUAD) {
        const int32_t count = pixels - p < QUAD ? pixels - p : QUAD;
        const ptrdiff_t at = (ptrdiff_t)p * PIXEL_BYTES;
        const bytes64 in = bytes_load_some(input + at, count);
#if LOOKUP_LEVEL
        if (level) {
            bytes_store_some(output + at, count, bytes_lookup_above(lookup, in));
            continue;
        }
#endif
        bytes_store_some(output + at, count, bytes_lookup(lookup, in));
    }
}

/* Lookup and residual, in the bytes that are stored. */
MBN_INLINE void finish_bytes(const epilogue *e, const uint8_t *lookup, const char *residual,
                             int32_t pixels, char *output) {
    if (lookup != NULL) lookup_run(lookup, output, pixels, output);
    if (residual != NULL) add_run(&e->add, output, residual, pixels, output);
}

/* `pixels` pixels of a block, side by side in memory as sums, to `output`. */
static __attribute__((noinline)) void finish_run(const epilogue *e, const char *channels,
                                                 const int32_t *values, int32_t pixels,
                                                 const char *residual, char *output) {
    for (int32_t p = 0; p < pixels; p += QUAD) {
        const int32_t count = pixels - p < QUAD ? pixels - p : QUAD;
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            const int32_t at = p + (i < count ? i : 0);
            quad[i] = rescale(e->rescaling, sums_load(values + at * BLOCK), channels);
        }
        bytes_store_some(output + p * PIXEL_BYTES, count,
                         bytes_of(&e->limits, quad[0], quad[1], quad[2], quad[3]));
    }
    finish_bytes(e, e->lookup, residual, pixels, output);
}

/* A tile's sums in memory, [block][pixel], for code that knows no sizes. */
enum { TILE_SUMS = 32 * BLOCK };

MBN_INLINE void spill_pixels(int32_t pixels, int32_t v, sums acc[16][4], int32_t *values) {
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) sums_store(values + p * BLOCK, acc[p][v]);
}

/* ---- What is frequent, from registers ------------------------------------------------------- */

#if FIXED_OFFSET || RELU_RAISED
/* Whether the sum of so many products, and the bias, is at most that in magnitude. */
MBN_INLINE bool sum_within(const char *channels, int32_t products, bool wide, int32_t most) {
    enum { INPUT_MOST = 255, WEIGHT_MOST = 128 };
    const int32_t product_most = INPUT_MOST * WEIGHT_MOST << wide;
    return products <= most / product_most &&
           sums_within(sums_load(channel_vector(channels, BIAS)), most - products * product_most);
}
#endif

/* A zero point that is shifted by that is below 2^30. */
enum { FIXED_SHIFT_MOST = 22 };

/* FLOAT is for factors below 1, by which no sum leaves the int32.  FIXED with FIXED_OFFSET is for
 * shifts to the right of sums below 2^30 in magnitude: those begin at FIXED_START, which is the
 * bias and an X that lets the first rounding cost nothing; the zero point is added before the
 * shift.  RELU is FLOAT where bytes are 0 for what is negative, and neither
 * looked up nor added to: see raised_times.  products: how many a sum has. */
MBN_INLINE enum finish_kind finish_kind_of(const epilogue *e, const char *channels,
                                           int32_t products, bool wide) {
    if (e->rescaling == MBN_RESCALE_FLOAT) {
        const factors m = factors_load(channel_vector(channels, MULTIPLIER));
#if RELU_RAISED
        if (e->is_plain_relu && factors_raised(m) &&
            sum_within(channels, products, wide, RAISED_SUM_MOST)) {
            return FINISH_RELU;
        }
#endif
        return factors_small(m) ? FINISH_FLOAT : FINISH_ANY;
    }
    if (!FIXED_INLINE || e->rescaling != MBN_RESCALE_FIXED) return FINISH_ANY;
#if FIXED_OFFSET
    const sums shift = sums_load(channel_vector(channels, SHIFT));
    return sum_within(channels, products, wide, 1 << 30) && sums_negative(shift) &&
                   sums_within(shift, FIXED_SHIFT_MOST)
               ? FINISH_FIXED
               : FINISH_ANY;
#else
    (void)products, (void)wide;
    return FINISH_FIXED;
#endif
}

/* What serves for all of some blocks. */
MBN_INLINE enum finish_kind kind_of_blocks(const epilogue *e, const mbn_operands *operands,
                                           int32_t begin, int32_t end, int32_t products) {
    enum finish_kind kind = FINISH_ANY;
    for (int32_t b = begin; b < end; b++) {
        const enum finish_kind own =
            finish_kind_of(e, mbn_bias_at(operands, b), products, operands->wide);
        if (b == begin) kind = own;
        if (own == kind) continue;
        const bool floats = (kind == FINISH_RELU && own == FINISH_FLOAT) ||
                            (kind == FINISH_FLOAT && own == FINISH_RELU);
        if (!floats) return FINISH_ANY;
        kind = FINISH_FLOAT;
    }
    return kind;
}

/* Where sums begin; head: in front of the block's weights. */
MBN_INLINE sums start_of(enum finish_kind kind, const char *channels, const char *head) {
    const bool offset = FIXED_OFFSET && kind == FINISH_FIXED;
    sums start = sums_load(channel_vector(channels, offset ? FIXED_START : BIAS));
#if RELU_RAISED
    if (kind == FINISH_RELU) start = sums_raised(start);
#endif
    return HEAD_BYTES > 0 ? sums_add(start, sums_load(head)) : start;
}

#if RELU_RAISED
/* Of a tile's sums the whole numbers, in place; kind is a constant, FLOAT or RELU.  Operation by
 * operation for all of the tile: quad by quad, they would be a chain that is as long as what a CPU
 * looks ahead, and the next tile's multiply-adds behind it. */
MBN_INLINE void rescale_tile(enum finish_kind kind, const char *channels, ptrdiff_t channels_stride,
                             int32_t pixels, int32_t vectors, sums acc[16][4]) {
    MBN_UNROLL
    for (int32_t v = 0; v < vectors && kind == FINISH_FLOAT; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_converted(acc[p][v]);
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const factors m = factors_load(channel_vector(channels + v * channels_stride, MULTIPLIER));
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            acc[p][v] =
                kind == FINISH_RELU ? raised_times(acc[p][v], m) : converted_times(acc[p][v], m);
        }
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = converted_nearest(acc[p][v]);
    }
}
#endif

/* `pixels` pixels of block v of a tile; kind is a constant, FLOAT or FIXED. */
MBN_INLINE void store_of_kind(const epilogue *e, enum finish_kind kind, const char *channels,
                              int32_t pixels, int32_t v, sums acc[16][4], char *output) {
#if FIXED_OFFSET && !VEC_PARTS
    fixed_factors fixed;
    if (kind == FINISH_FIXED) {
        fixed = fixed_factors_of(sums_load(channel_vector(channels, MULTIPLIER)),
                                 sums_load(channel_vector(channels, SHIFT)),
                                 sums_load(channel_vector(channels, FIXED_LESS)),
                                 sums_sub(sums_load(channel_vector(channels, FIXED_START)),
                                          sums_load(channel_vector(channels, BIAS))),
                                 e->zero);
    }
#endif
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p += QUAD) {
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            if (p + i >= pixels) {
                quad[i] = quad[0];
            } else if (kind == FINISH_FLOAT || kind == FINISH_RELU) {
                quad[i] = RELU_RAISED
                              ? acc[p + i][v] /* rescale_tile did */
                              : rescale_small(acc[p + i][v],
                                              factors_load(channel_vector(channels, MULTIPLIER)));
            } else {
#if FIXED_OFFSET && !VEC_PARTS
                quad[i] = fixed_round(&fixed, acc[p + i][v]);
#else
                quad[i] = rescale(MBN_RESCALE_FIXED, acc[p + i][v], channels);
#endif
            }
        }
#if FIXED_OFFSET && !VEC_PARTS
        if (kind == FINISH_FIXED && !e->is_relu) {
            MBN_UNROLL
            for (int32_t i = 0; i < QUAD; i++) {
                if (p + i >= pixels) continue;
                quad[i] = fixed_round_negative(&fixed, acc[p + i][v], quad[i]);
            }
        }
        if (kind == FINISH_FIXED) {
            MBN_UNROLL
            for (int32_t i = 0; i < QUAD; i++) quad[i] = fixed_shift(&fixed, quad[i]);
        }
#endif
        bytes64 y;
#if !CLAMP_APART
        y = bytes_of(&e->limits, quad[0], quad[1], quad[2], quad[3]);
#else
        /* A zero point is in what FIXED shifts. */
        y = kind == FINISH_FLOAT ? bytes_of_all(&e->limits, quad[0], quad[1], quad[2], quad[3])
                                 : bytes_positive(quad[0], quad[1], quad[2], quad[3]);
        if (kind != FINISH_RELU && !e->is_whole) y = bytes_clamped(&e->limits, y);
#endif
        if (LOOKUP_INLINE && kind != FINISH_RELU && e->lookup != NULL) {
            y = bytes_lookup(e->lookup, y);
        }
        bytes_store_some(output + p * PIXEL_BYTES, pixels - p < QUAD ? pixels - p : QUAD, y);
    }
}

/* The lookup that is left to do when a tile is stored. */
MBN_INLINE const uint8_t *lookup_left(const epilogue *e) {
    return LOOKUP_INLINE ? NULL : e->lookup;
}

/* `vectors` blocks of a tile, or with a stride of channels of 0 as many rows of one block; kind is
 * not ANY. */
MBN_INLINE void store_tile(const epilogue *e, enum finish_kind kind, const char *channels,
                           ptrdiff_t channels_stride, int32_t pixels, int32_t vectors,
                           sums acc[16][4], char *output, ptrdiff_t stride) {
#if RELU_RAISED
    if (kind == FINISH_RELU) {
        rescale_tile(FINISH_RELU, channels, channels_stride, pixels, vectors, acc);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            store_of_kind(e, FINISH_RELU, channels + v * channels_stride, pixels, v, acc,
                          output + v * stride);
        }
        return;
    }
    if (kind == FINISH_FLOAT) {
        rescale_tile(FINISH_FLOAT, channels, channels_stride, pixels, vectors, acc);
    }
#endif
    if (kind == FINISH_FLOAT) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            store_of_kind(e, FINISH_FLOAT, channels + v * channels_stride, pixels, v, acc,
                          output + v * stride);
        }
    } else {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            store_of_kind(e, FINISH_FIXED, channels + v * channels_stride, pixels, v, acc,
                          output + v * stride);
        }
    }
}

#endif
