/* What the bodies in this folder are written in.  An instruction set's header, included before it,
 * defines
 *
 *     sums                       the int32 sums of the 16 channels of a block
 *     sums_zero()                sums_splat(int32_t)
 *     sums_load(p)               sums_store(p, a)
 *     sums_add, sums_sub, sums_mul   modulo 2^32
 *     sums_shift(a, n)           a >> n, arithmetic
 *     sums_add_product(x, y, rest)   x * y + rest for x of 0 to 255 and y that an int16 holds
 *     sums_of_products(x, m, y, n, rest)
 *                                the nearest to fma(x, m, fma(y, n, rest)) in float32, ties to even
 *     operand                    four inputs, bytes
 *     operand_broadcast(p)       the same four for each of 16 channels
 *     operand_splat(byte)
 *     packed                     four weights for each of 16 channels, as they are packed
 *     packed_load(p)
 *     operand_dot(x, w, sum)     sum + the products of unsigned x and signed w, modulo 2^32
 *     operand_dot_half(x, w, sum)   with VEC_HALVES, where half a register takes half as long: the
 *                                same of the first 8 channels, and anything for the others ...
 *     sums_half(sum)             ... which this makes 0
 *     pixel_sum(p, sum)          sum + a pixel's bytes
 *     pixels_sum(p, sum)         sum + those of four pixels
 *
 * and for depthwise convolution (what is a number of pixels is a constant)
 *
 *     operand_first(p)           a pixel: each channel's byte, and three zeros
 *     quad_load(p)               four pixels: each channel's four bytes
 *     quad_load_some(p, n)       n pixels, 1 to 3, and anything for the others
 *     quad_load_last(p)          three pixels and anything, where the one before may be read
 *     quad_load_apart(p, stride, n)
 *                                n pixels, 1 to 4, so many bytes apart, and anything for the others
 *
 * or where INPUTS_SIGNED, which says that instructions multiply signed bytes alone (then operands
 * that are inputs are made of bytes less what the packers know, and the head of a block's weights
 * is what that takes from its sums)
 *
 *     pair                       of 8 channels, half a block, the bytes of two pixels
 *     pair_of(p, q)              those of the pixels at p and q
 *     half_operand               of 8 channels
 *     half_of(a, b)              of two pairs
 *     half_load(p)               weights
 *     half_sums                  half a block's, with half_sums_load(p), half_sums_store(p, a) and
 *                                half_sums_twice(sum, start), as sums_twice below
 *     half_dot(x, w, sum)        as operand_dot
 *
 * With VEC_LANES, which asks for INPUTS_SIGNED, where an instruction multiplies by a fourth of a
 * register:
 *     inputs                     a pixel's bytes
 *     inputs_load(p)             as they are ...
 *     inputs_signed(pixels, x)   ... and of those pixels made signed
 *     quarter, quarter_load(p)   a quarter of four weights for each of 16 channels
 *     quarter_dot_lane(x, lane, w, sum, i)
 *                                operand_dot in quarter i of the sums, with four of the inputs
 *
 * With VEC_PARTS what parts.h says.
 *
 *     rescale_float(x, m), rescale_fixed(x, fixed, shift), rescale_double(x, m)
 *                                as mobilenet/q8.h says, without zero and clamp, but what is far
 *                                beyond the bytes may be something else that is; m: in memory
 *     sums_within(a, most)       whether all magnitudes are at most that
 *     sums_negative(a)           whether all are negative
 *     factors                    float32 factors of 16 channels
 *     factors_load(p)
 *     factors_small(m)           whether all of them are below 1 ...
 *     rescale_small(x, m)        ... as this wants them
 *     rescale_inside(x, m, inside)   the nearest to x m + inside in float32, rounded twice
 * with FIXED_OFFSET, where rescale_fixed takes long:
 *     fixed_factors, fixed_factors_of(fixed, shift, less, X, zero point)
 *                                what these have in common: of a sum x below 2^30, given as x + X,
 *     fixed_round(f, x + X)      SRDHM(x, fixed) + 2^(-shift - 1): the upper half of the unsigned
 *                                (x + X) 2 fixed, minus less
 *     fixed_round_negative(f, x + X, y)   y - 1 where x is negative
 *     fixed_shift(f, y)          y >> -shift
 *
 * with RELU_RAISED, where a sum can be a float without being converted:
 *     sums_raised(a)             where sums begin that are at most RAISED_SUM_MOST in magnitude
 *     factors_raised(m)          whether these serve, and are below 1
 *     raised_times(x, m)         to be rounded: rescale_small of such a sum; of one below 0
 *                                anything that is not above 0
 *
 *     bytes64                    four pixels of a block
 *     bytes_load(p)              bytes_store(p, a)
 *     bytes_load_some(p, n), bytes_store_some(p, n, a)
 *                                n pixels, 1 to 4, and anything for the others
 *     bytes_lookup(table, a)     table[] of each byte
 *     with LOOKUP_LEVEL:
 *     lookup_is_level(table)     whether it begins with equal bytes, so many of them that ...
 *     bytes_lookup_above(table, a)   ... this is bytes_lookup, and shorter
 *     bytes_widen(a, i)          pixel i
 *     with BYTES_IN_FOURTHS, where pixels take longer to widen and to pack:
 *     bytes_fourth(a, i)         channels 4 i to 4 i + 3 of each pixel, ...
 *     sums_fourth(a, i)          ... and of one pixel, four times
 *     bytes_of_fourths(limits, a, b, c, d)   bytes_of (below) of such sums
 *     bytes_fourth_raised(a, i), raised_gate, raised_gate_of(gate, zero), rescale_gated(x, gate, m)
 *                                of such channels x: rescale_small of (x - zero) gate
 *     with CLAMP_APART, where most layers need none:
 *     bytes_of_all(limits, a, b, c, d)       bytes_of for limits of 0 and 255, ...
 *     bytes_positive(a, b, c, d) ... and without a zero point
 *     bytes_clamped(limits, a)
 *     bytes_spread(a)            a's first 48: a byte of the last pixel behind every third
 *     bytes_interleave(a)        the first byte of each pixel, the second of each, ...
 *     with IMAGE_TRIPLES:
 *     bytes_interleave_three(a)  the same of the first three pixels
 *     stem_ninths(rows, row_stride, ninths)
 *                                of 16 pixels six bytes apart the ninth bytes of three rows, and
 *                                anything as a fourth, four bytes for each pixel
 *     quantize(p, quantizing, scale)
 *                                16 floats as mobilenet/q8.h says, without the zero point
 *     byte_limits                an mbn_byte_range ...
 *     byte_limits_of(range)
 *     bytes_add_shift(add, limits, a, b)   MBN_ADD_SHIFT of bytes, factors below 2^30 in magnitude
 *     or with ADD_PREPARED:
 *     prepared_add, prepared_add_of(add)   what it needs of `add`
 *     bytes_add_prepared(prepared, limits, a, b)
 *     bytes_of(limits, a, b, c, d)
 *                                ... to whose zero the sums are added, clamped */
#ifndef MBN_KERNELS_BODY_Q8_VOCABULARY_H
#define MBN_KERNELS_BODY_Q8_VOCABULARY_H

#include "kernels/contract.h"
#include "kernels/inline.h"

#include <stdbool.h>
#include <string.h>

#if !defined(VEC_TABLE) || !defined(VEC_ISA) || !defined(VEC_ISA_NAME)
#error "the table's name, its mbn_isa, and that one's name"
#endif
#if !defined(PANEL) || !defined(PANEL_MAX)
#error "PANEL: the table's; PANEL_MAX: blocks in the widest panel that it makes, 1, 3 or 4"
#endif
#if !defined(POINTWISE_PIXELS_1) ||                                                                \
    (PANEL_MAX >= 3 && (!defined(POINTWISE_PIXELS_2) || !defined(POINTWISE_PIXELS_3)))
#error "POINTWISE_PIXELS_<n>: pixels of a tile with n blocks, at most 14"
#endif
#if PANEL_MAX == 1 /* there are no such panels */
#define POINTWISE_PIXELS_2 POINTWISE_PIXELS_1
#define POINTWISE_PIXELS_3 POINTWISE_PIXELS_1
#endif
#if !defined(POINTWISE_PIXELS_FEW) /* of a second size of tiles, of VEC_QUADS */
#define POINTWISE_PIXELS_FEW POINTWISE_PIXELS_1
#endif
#define CONVOLUTION_PIXELS_3 POINTWISE_PIXELS_3
#if !defined(VEC_PARTS)
#define VEC_PARTS 0
#define VEC_QUADS 1
#define RUN_PIXELS 0    /* that tiles leave together to one finish */
#define RARE MBN_INLINE /* what a table may have as a function instead, to be small */
#endif
#if !VEC_PARTS && (!defined(DEPTHWISE_ROWS) || !defined(DEPTHWISE_COLUMNS) ||                      \
                   !defined(DEPTHWISE_NARROW_ROWS) || !defined(DEPTHWISE_NARROW))
#error "rows (1, 2 or 4) and columns of a depthwise tile, and of the one for narrow planes"
#endif

#if !defined(PACK_CONVOLUTION) || !defined(PACK_DEPTHWISE)
#error "the table's packers"
#endif
#if !defined(TILES_FEW)
#error "TILES_FEW: whether the table is to be small rather than fast: few sizes of tiles, 0 or 1"
#endif
#if !defined(FIXED_INLINE)
#error "FIXED_INLINE: whether fixed rescaling is worth code in every tile, 0 or 1"
#endif
#if !defined(LOOKUP_INLINE)
#error "LOOKUP_INLINE: whether a lookup is short enough to be in every tile, 0 or 1"
#endif

#if !defined(INPUTS_SIGNED)
#define INPUTS_SIGNED 0
#endif
#if !defined(PANEL_SPLIT)
#define PANEL_SPLIT 0 /* whether panels of 3 run as 2 and 1: fewer sizes of tiles */
#endif
#if !defined(VEC_HALVES)
#define VEC_HALVES 0
#endif
#if !defined(VEC_LANES)
#define VEC_LANES 0
#endif
#if !defined(FIXED_OFFSET)
#define FIXED_OFFSET 1
#endif
#if !defined(CLAMP_APART)
#define CLAMP_APART 0
#endif
#if !defined(LOOKUP_LEVEL)
#define LOOKUP_LEVEL 0
#endif
#if !defined(RELU_RAISED)
#define RELU_RAISED 0
#endif

#if !defined(IMAGE_TRIPLES)
#define IMAGE_TRIPLES 0 /* the table's reads_triples */
#endif

#define PACK_CHANNELS (FIXED_OFFSET ? mbn_pack_channels_q8_quads : mbn_pack_channels_q8)

#define DEPTH 4
#define STEM_SHARED 0
#define STEM_ONLY 1 /* of standard convolutions only the stem is worth code of its own */
#define NARROW_PIXELS POINTWISE_PIXELS_1
#define READS_FLOATS false

/* What walk/ wants to know, and the sizes of what is packed. */
enum {
    BLOCK = 16,
    ELEMENT_BYTES = 1,
    IMAGE_BYTES = 1, /* of an element of what standard convolution reads */
    IMAGE_CHANNELS = 3,
    IMAGE_BLOCK = DEPTH,   /* of an image with so many */
    PIXEL_BYTES = BLOCK,   /* of one channel block */
    VECTOR_BYTES = BLOCK,  /* of one channel block of a vector */
    QUAD = 4,              /* pixels, or taps of a row */
    OPERAND_BYTES = DEPTH, /* of one channel */
    WEIGHT_BYTES = VEC_QUADS ? 1 : 2,
    STEP_BYTES = BLOCK * DEPTH * WEIGHT_BYTES, /* of the weights that a step of one block reads */
    SUMS_BYTES = BLOCK * sizeof(int32_t),
    HEAD_BYTES = INPUTS_SIGNED ? SUMS_BYTES : 0, /* of a block's weights */
};

#if !defined(ADD_PREPARED)
typedef const mbn_q8_add *prepared_add;
MBN_INLINE prepared_add prepared_add_of(const mbn_q8_add *add) {
    return add;
}
MBN_INLINE bytes64 bytes_add_prepared(const prepared_add *add, const byte_limits *limits, bytes64 a,
                                      bytes64 b) {
    return bytes_add_shift(*add, limits, a, b);
}
#endif

#if !defined(BYTES_IN_FOURTHS)
#define BYTES_IN_FOURTHS 0
#endif
#if !VEC_PARTS && !BYTES_IN_FOURTHS
MBN_INLINE sums bytes_fourth(bytes64 a, int32_t i) {
    return bytes_widen(a, i);
}
MBN_INLINE sums sums_fourth(sums a, int32_t i) {
    (void)i;
    return a;
}
MBN_INLINE bytes64 bytes_of_fourths(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return bytes_of(limits, a, b, c, d);
}
#endif

/* Steps for `count` k. */
MBN_INLINE int32_t steps_of(int32_t count) {
    return (count + DEPTH - 1) / DEPTH;
}

/* p, but the compiler moves no load over it, and no arithmetic with p: of a tile's loads and their
 * addresses it would otherwise make more than there are registers, to have each only once. */
MBN_INLINE const char *fenced(const char *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

/* Wide weights are -256 to 255.  Of single bytes they are packed twice: their halves, rounded down,
 * and what is left, 0 or 1.  So there is a second pass over the same inputs, before which sums are
 * doubled.  The compiler is not told how many there may be: it would write every loop twice. */
MBN_INLINE int32_t passes_of(const mbn_operands *operands) {
    if (WEIGHT_BYTES > 1) return 1;
    int32_t passes = operands->wide ? 2 : 1;
    __asm__("" : "+r"(passes));
    return passes;
}

/* Twice a sum that began at `bias`, which stays once. */
MBN_INLINE sums sums_twice(sums sum, sums bias) {
    return sums_add(sum, sums_sub(sum, bias));
}

#endif
