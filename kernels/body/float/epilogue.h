/* The finish of an accumulator, activation(x): the end of every kernel. */
#ifndef MBN_KERNELS_BODY_FLOAT_EPILOGUE_H
#define MBN_KERNELS_BODY_FLOAT_EPILOGUE_H

#include "vocabulary.h"

#include <math.h>
#include <stdbool.h>

/* What has to be done: nothing, a clamp of x, or something with a clamp of a line of x. */
enum epilogue_kind { EPILOGUE_NONE, EPILOGUE_CLAMP, EPILOGUE_LINE, EPILOGUE_ANY };

/* Every activation is one of those, with operands that are loop constants, so a tile pays one
 * well-predicted branch. */
typedef struct epilogue {
    vec low, high;
    vec slope, offset;
    enum epilogue_kind kind; /* never ANY */
    bool is_swish;           /* a line of x times x */
} epilogue;

MBN_INLINE epilogue epilogue_of(const mbn_finish *finish) {
    const mbn_activation *activation = &finish->activation;
    float low = -INFINITY, high = INFINITY;
    enum epilogue_kind kind = EPILOGUE_CLAMP;
    switch (activation->kind) {
    case MBN_ACTIVATION_NONE: kind = EPILOGUE_NONE; break;
    case MBN_ACTIVATION_RELU: low = 0.0F; break;
    case MBN_ACTIVATION_RELU6: low = 0.0F, high = 6.0F; break;
    case MBN_ACTIVATION_HARD_SIGMOID:
    case MBN_ACTIVATION_HARD_SWISH: low = 0.0F, high = 1.0F, kind = EPILOGUE_LINE; break;
    }
    return (epilogue){
        vec_splat(low),
        vec_splat(high),
        vec_splat(activation->slope),
        vec_splat(activation->offset),
        kind,
        activation->kind == MBN_ACTIVATION_HARD_SWISH,
    };
}

MBN_INLINE vec epilogue_clamp(const epilogue *e, vec x) {
    return vec_min(e->high, vec_max(e->low, x));
}

/* kind is a constant. */
MBN_INLINE vec epilogue_of_kind(const epilogue *e, enum epilogue_kind kind, vec x) {
    if (kind == EPILOGUE_ANY) kind = e->kind;
    if (kind == EPILOGUE_NONE) return x;
    if (kind == EPILOGUE_CLAMP) return epilogue_clamp(e, x);
    const vec gate = epilogue_clamp(e, vec_fma(x, e->slope, e->offset));
    return e->is_swish ? vec_mul(x, gate) : gate;
}

MBN_INLINE vec epilogue_apply(const epilogue *e, vec x) {
    return epilogue_of_kind(e, EPILOGUE_ANY, x);
}

/* activation(acc) of a tile's pixels side by side, in `vectors` vectors of channels from `first`
 * on:  acc[pixel][vector].  output: the first vector's, `stride` bytes before the next one's.
 * kind, pixels, first and vectors are constants. */
MBN_INLINE void store_tile_of_kind(const epilogue *e, enum epilogue_kind kind, int32_t pixels,
                                   int32_t first, int32_t vectors, vec acc[16][4], char *output,
                                   ptrdiff_t stride) {
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        char *out = output + v * stride;
        MBN_UNROLL
        for (int32_t p = 0; p + 1 < pixels; p += 2) {
            element_store_two(out + p * PIXEL_BYTES, epilogue_of_kind(e, kind, acc[p][first + v]),
                              epilogue_of_kind(e, kind, acc[p + 1][first + v]));
        }
        if (pixels % 2 == 1) {
            element_store(out + (pixels - 1) * PIXEL_BYTES,
                          epilogue_of_kind(e, kind, acc[pixels - 1][first + v]));
        }
    }
}

/* A tile's accumulators in memory, [pixel][vector], for code that knows no sizes. */
enum { TILE_FLOATS = 16 * 4 * VEC_WIDTH };

MBN_INLINE void spill_tile(int32_t pixels, int32_t first, int32_t vectors, vec acc[16][4],
                           float *values) {
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++, values += VEC_WIDTH) {
            vec_store(values, acc[p][first + v]);
        }
    }
}

static void store_spilled(const epilogue *e, int32_t pixels, int32_t vectors, const float *values,
                          char *output, ptrdiff_t stride) {
    for (int32_t p = 0; p < pixels; p++, output += PIXEL_BYTES) {
        for (int32_t v = 0; v < vectors; v++, values += VEC_WIDTH) {
            element_store(output + v * stride, epilogue_apply(e, vec_load(values)));
        }
    }
}

/* The same by the epilogue's own kind: one branch for all vectors.  has_none: whether a tile
 * without an activation is worth code of its own, a constant; else it is clamped between
 * infinities. */
MBN_INLINE void store_tile(const epilogue *e, bool has_none, int32_t pixels, int32_t first,
                           int32_t vectors, vec acc[16][4], char *output, ptrdiff_t stride) {
    if (TILES_FEW) {
        float values[TILE_FLOATS];
        spill_tile(pixels, first, vectors, acc, values);
        store_spilled(e, pixels, vectors, values, output, stride);
    } else if (e->kind == EPILOGUE_LINE) {
        store_tile_of_kind(e, EPILOGUE_LINE, pixels, first, vectors, acc, output, stride);
    } else if (has_none && e->kind == EPILOGUE_NONE) {
        store_tile_of_kind(e, EPILOGUE_NONE, pixels, first, vectors, acc, output, stride);
    } else {
        store_tile_of_kind(e, EPILOGUE_CLAMP, pixels, first, vectors, acc, output, stride);
    }
}

#endif
