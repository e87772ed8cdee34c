/* Words (vocabulary.h) for vectors narrower than a block: its 16 channels are PARTS vectors of
 * WIDTH sums.  Products are of int16, in pairs, of which an int32 has the sum; so weights are
 * packed as int16, which serves wide ones, too, and inputs become int16.
 *
 * Or with VEC_QUADS, where an instruction sums the products of four bytes: then inputs of
 * convolutions are bytes as they lie in memory, and weights too, but for depthwise ones.
 *
 * An instruction set defines
 *
 *     ints, WIDTH                the vector
 *     ints_zero()                ints_splat(int32_t)
 *     ints_load(p)               ints_store(p, a)
 *     ints_add, ints_sub, ints_mul   modulo 2^32
 *     ints_shift(a, n)           a >> n, arithmetic
 *     ints_shift_left(a, n)
 *     ints_broadcast(p)          four bytes, everywhere, of which
 *     ints_first_pair(a), ints_second_pair(a)   two become int16
 *     ints_two_pairs(p, two)     of four int16 the first and the second pair, everywhere
 *     pixel_widen(p, out)        16 bytes to int16
 *     image_widen(p, out)        of four pixels of four bytes the first three each to int16, and
 *                                four numbers more
 *     pixels_pair(p, q, out)     16 bytes at p and as many at q to pairs of int16
 *     ints_widen(p)              WIDTH bytes
 *     ints_dot(x, w, sum)        sum + the products of x's and w's pairs of int16
 *     ints_dot_four(x, w, sum)   with VEC_QUADS: sum + the products of unsigned x and signed w
 *     reals                      the vector of float32
 *     reals_load(p)              reals_splat(float)
 *     reals_of(a), reals_add, reals_mul, reals_div
 *     reals_fma(a, b, c)         a * b + c, rounded once, for a of 9 bits
 *     reals_below_one(a)         whether all are
 *     reals_nearest(a)           to int32, ties to even; the lowest one for what has none ...
 *     reals_nearest_bounded(a)   ... but 2^30 for what is above that
 *     reals_nearest_away(a)      ties away from zero, likewise
 *     ints_rescale_fixed, ints_rescale_double, ints_within, ints_negative
 *     fixed_part, fixed_part_of  as vocabulary.h says of sums and fixed_factors
 *     part_rescale(f, p, signs)  fixed_round and fixed_shift of the numbers at p, with signs
 *                                fixed_round_negative between them; p[WIDTH] may be read, too.
 *                                In an order that is bytes_rescaled's alone
 *     bytes_rescaled(f, p, n, signs)   bytes of n pixels' sums at p, by fixed_rescale; n is 1 or 4
 *     bytes_clamped              as vocabulary.h says of CLAMP_APART
 */
#ifndef MBN_KERNELS_BODY_Q8_PARTS_H
#define MBN_KERNELS_BODY_Q8_PARTS_H

#include "kernels/inline.h"

#include <stdbool.h>

#define VEC_PARTS 1
#if !defined(VEC_QUADS)
#define VEC_QUADS 0
#endif
#define RUN_PIXELS 56 /* divides the rows of MobileNet at 224, or is two, four or eight of them */
#define SUMS_BEYOND 1 /* numbers behind sums in memory that may be read */
#define RARE static __attribute__((noinline))

enum { PARTS = 16 / WIDTH, PART_BYTES = WIDTH * 4, PARTS_BYTES = PARTS * PART_BYTES };

/* Those that have some of so many channels. */
MBN_INLINE int32_t parts_of(int32_t channels) {
    return channels < 16 ? (channels + WIDTH - 1) / WIDTH : PARTS;
}

typedef struct sums {
    ints part[PARTS];
} sums;

#if VEC_QUADS
typedef ints operand;
typedef sums packed;
#else
/* Four inputs, two pairs of them. */
typedef struct operand {
    ints pair[2];
} operand;

/* Their weights. */
typedef struct packed {
    ints pair[2][PARTS];
} packed;
#endif

typedef struct factors {
    reals part[PARTS];
} factors;

typedef struct fixed_factors {
    fixed_part part[PARTS];
} fixed_factors;

/* A function of sums as `part` says for each part i. */
#define SUMS(declaration, part_i)                                                                  \
    MBN_INLINE sums declaration {                                                                  \
        sums all;                                                                                  \
        MBN_UNROLL                                                                                 \
        for (int i = 0; i < PARTS; i++) all.part[i] = part_i;                                      \
        return all;                                                                                \
    }

#define AT(p) ((const char *)(p) + i * PART_BYTES)

SUMS(sums_zero(void), ints_zero())
SUMS(sums_splat(int32_t a), ints_splat(a))
SUMS(sums_load(const void *p), ints_load(AT(p)))
SUMS(sums_add(sums a, sums b), ints_add(a.part[i], b.part[i]))
SUMS(sums_sub(sums a, sums b), ints_sub(a.part[i], b.part[i]))
SUMS(sums_mul(sums a, sums b), ints_mul(a.part[i], b.part[i]))
SUMS(sums_shift(sums a, int32_t n), ints_shift(a.part[i], n))
SUMS(sums_add_product(sums x, sums y, sums rest), ints_dot(x.part[i], y.part[i], rest.part[i]))
SUMS(sums_of_products(sums x, float m, sums y, float n, float rest),
     reals_nearest_bounded(reals_fma(reals_of(x.part[i]), reals_splat(m),
                                     reals_fma(reals_of(y.part[i]), reals_splat(n),
                                               reals_splat(rest)))))
SUMS(pixel_sum(const void *p, sums sum),
     ints_add(sum.part[i], ints_widen((const char *)p + i * WIDTH)))
#if VEC_QUADS
SUMS(packed_load(const void *p), ints_load(AT(p)))
SUMS(operand_dot(operand x, packed w, sums sum), (ints)quads_dot(x, w.part[i], (quads)sum.part[i]))
#else
SUMS(operand_dot(operand x, packed w, sums sum),
     ints_dot(x.pair[1], w.pair[1][i], ints_dot(x.pair[0], w.pair[0][i], sum.part[i])))
#endif

SUMS(rescale_small(sums x, factors m), reals_nearest(reals_mul(reals_of(x.part[i]), m.part[i])))
SUMS(rescale_float(sums x, const void *m),
     reals_nearest_bounded(reals_mul(reals_of(x.part[i]), reals_load(AT(m)))))
SUMS(rescale_inside(sums x, factors m, float inside),
     reals_nearest_bounded(reals_add(reals_mul(reals_of(x.part[i]), m.part[i]),
                                     reals_splat(inside))))
SUMS(rescale_fixed(sums x, sums fixed, sums shift),
     ints_rescale_fixed(x.part[i], fixed.part[i], shift.part[i]))
SUMS(rescale_double(sums x, const void *m),
     ints_rescale_double(x.part[i], (const double *)m + i * WIDTH))

SUMS(fixed_rescale(const fixed_factors *f, const int32_t *p, bool signs),
     part_rescale(&f->part[i], p + i * WIDTH, signs))

SUMS(quantize_inverse(const float *p, reals inverse),
     reals_nearest_bounded(reals_mul(reals_load(AT(p)), inverse)))
SUMS(quantize_quotient(const float *p, reals scale),
     reals_nearest_bounded(reals_div(reals_load(AT(p)), scale)))
SUMS(quantize_away(const float *p, reals scale),
     reals_nearest_away(reals_div(reals_load(AT(p)), scale)))

MBN_INLINE void sums_store(void *p, sums a) {
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) ints_store((char *)p + i * PART_BYTES, a.part[i]);
}

MBN_INLINE sums pixels_sum(const void *p, sums sum) {
    for (int pixel = 0; pixel < 4; pixel++) sum = pixel_sum((const char *)p + pixel * 16, sum);
    return sum;
}

#if VEC_QUADS
MBN_INLINE operand operand_broadcast(const void *p) {
    return ints_broadcast(p);
}
MBN_INLINE operand operand_splat(uint8_t byte) {
    return ints_splat((int32_t)(byte * 0x01010101u));
}
#else
MBN_INLINE packed packed_load(const void *p) {
    packed w;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) {
        w.pair[0][i] = ints_load(AT(p));
        w.pair[1][i] = ints_load(AT(p) + PARTS_BYTES);
    }
    return w;
}

MBN_INLINE operand operand_broadcast(const void *p) {
    const ints four = ints_broadcast(p);
    return (operand){{ints_first_pair(four), ints_second_pair(four)}};
}
MBN_INLINE operand operand_widened(const int16_t *p) {
    operand x;
    ints_two_pairs(p, x.pair);
    return x;
}
MBN_INLINE operand operand_splat(uint8_t byte) {
    const ints all = ints_splat(byte << 16 | byte);
    return (operand){{all, all}};
}
#endif

MBN_INLINE factors factors_load(const void *p) {
    factors m;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) m.part[i] = reals_load(AT(p));
    return m;
}
MBN_INLINE bool factors_small(factors m) {
    bool small = true;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) small = small && reals_below_one(m.part[i]);
    return small;
}

MBN_INLINE fixed_factors fixed_factors_of(sums fixed, sums shift, sums less, sums offset,
                                          int32_t zero) {
    fixed_factors f;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) {
        f.part[i] = fixed_part_of(fixed.part[i], shift.part[i], less.part[i], offset.part[i], zero);
    }
    return f;
}
MBN_INLINE bool sums_within(sums a, int32_t most) {
    bool all = true;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) all = all && ints_within(a.part[i], most);
    return all;
}
MBN_INLINE bool sums_negative(sums a) {
    bool all = true;
    MBN_UNROLL
    for (int i = 0; i < PARTS; i++) all = all && ints_negative(a.part[i]);
    return all;
}

MBN_INLINE sums quantize(const float *p, mbn_quantizing quantizing, float scale) {
    switch (quantizing) {
    case MBN_QUANTIZE_INVERSE: return quantize_inverse(p, reals_splat(1.0F / scale));
    case MBN_QUANTIZE_QUOTIENT: return quantize_quotient(p, reals_splat(scale));
    case MBN_QUANTIZE_AWAY: break;
    }
    return quantize_away(p, reals_splat(scale));
}

#undef AT
#undef SUMS

#endif
