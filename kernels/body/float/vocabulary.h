/* What the bodies in this folder are written in.  Two headers are included before it.
 *
 * An instruction set's vec.h:
 *
 *     vec                        a vector of VEC_WIDTH floats
 *     vec_zero()                 vec_splat(float)             vec_broadcast(float in memory)
 *     vec_load(p)                vec_store(p, a)              of VEC_WIDTH floats, aligned to 4
 *     vec_add, vec_sub, vec_mul, vec_div
 *     vec_fma(a, b, c)           a * b + c
 *     vec_max(limit, x)          x where it is NaN; vec_min, too
 *     vec_keep_nan(x, y)         x where it is NaN, else y
 *     vec_round(a)               to the nearest whole number, ties to even
 *     vec_exp2_whole(n)          2^n for whole n in [-127, 127]; -127 gives 0
 *     vec_transpose(square)      VEC_WIDTH vectors: rows become columns
 *
 * with VEC_HALVES, for tiles whose last vector holds two pixels:
 *     vec_load_twice(p)          VEC_WIDTH / 2 floats, in both halves
 *     vec_join_halves(a, b)      the low half of a beside the high half of b
 *     vec_low_half(a)            a half, with zeros above it
 *     vec_high_half(a)
 *
 * with VEC_LANES, which asks for VEC_WIDTH 4 and DEPTH 1:
 *     vec_fma_lane(a, b, lane, c)  a * b[lane] + c for a constant lane
 *
 * where VEC_SPREAD is defined, for images
 *     vec_spread(a)              a's floats from the first on, with a zero behind every third
 *
 * An element type's words, f32.h here, or for bfloat16 bf16.h here and the instruction set's:
 *
 *     element_load(p)            VEC_WIDTH elements as floats
 *     element_store(p, a)        floats as elements, rounded
 *     element_store_two(p, a, b) likewise, b behind a
 *     operand                    a vector of DEPTH elements per lane
 *     operand_load(p)
 *     operand_broadcast(p)       the same DEPTH elements in every lane
 *     operand_dot(a, b, sum)     sum + the products, of each pair the second one first
 * unless READS_FLOATS
 *     element_convert(floats, count, elements)   any number of them
 * with VEC_MATRIX, which asks for VEC_WIDTH and DEPTH 4:
 *     matrix                     two rows of 4 elements
 *     matrix_load(p)
 *     matrix_load_first(p)       one row, and zeros
 *     matrix_dot(a, b, sum)      lane 2 i + j: sum + row i of a times row j of b
 *     vec_lower(a, b)            the lower half of a beside that of b
 *     vec_upper(a, b)            the upper ones
 * with VEC_HALVES
 *     operand_load_twice(p)      operand_join_halves(a, b)
 * with DEPTHWISE_PAIRS, which asks for DEPTH 2:
 *     pair_load(p)               two pixels: each lane has both values of a channel
 *     pair_load_first(p)         one pixel, with zeros as second values
 *     pair_first(a)              a's first values, with zeros as second ones
 *     pair_values(a, which)      its first values (0) or its second ones (1), as floats
 */
#ifndef MBN_KERNELS_BODY_FLOAT_VOCABULARY_H
#define MBN_KERNELS_BODY_FLOAT_VOCABULARY_H

#include "kernels/contract.h"
#include "kernels/inline.h"

#if !defined(VEC_TABLE) || !defined(VEC_ISA) || !defined(VEC_ISA_NAME)
#error "the table's name, its mbn_isa, and that one's name"
#endif
#if !defined(VEC_WIDTH)
#error "VEC_WIDTH: floats in a vector, and the table's block"
#endif
#if !defined(PANEL) || !defined(PANEL_MAX)
#error "PANEL: the table's; PANEL_MAX: vectors in the widest panel that it makes, 1, 3 or 4"
#endif
#if !defined(POINTWISE_PIXELS_1) ||                                                                \
    (PANEL_MAX >= 3 && (!defined(POINTWISE_PIXELS_2) || !defined(POINTWISE_PIXELS_3)))
#error "POINTWISE_PIXELS_<n>: pixels of a tile with n vectors, at most 14"
#endif
#if PANEL_MAX >= 4 && !defined(POINTWISE_PIXELS_4)
#error "POINTWISE_PIXELS_4"
#endif
/* Standard convolution's, where an operand is several registers. */
#if !defined(CONVOLUTION_PIXELS_3)
#define CONVOLUTION_PIXELS_3 POINTWISE_PIXELS_3
#endif
#if !defined(CONVOLUTION_PIXELS_4)
#define CONVOLUTION_PIXELS_4 POINTWISE_PIXELS_4
#endif
#if !defined(VEC_HALVES)
#error "VEC_HALVES: whether a vector of which half is padding is worth tiles of its own, 0 or 1"
#endif
#if VEC_HALVES &&                                                                                  \
    (!defined(HALVES_PIXELS_1) || !defined(HALVES_PIXELS_2) || !defined(HALVES_PIXELS_3))
#error "HALVES_PIXELS_<n>: their pixels"
#endif
#if !defined(TILES_FEW)
#error "TILES_FEW: whether the table is to be small rather than fast: few sizes of tiles, 0 or 1"
#endif
#if !defined(NARROW_PIXELS)
#error "NARROW_PIXELS: pixels of the tile for standard convolution on narrow planes"
#endif
#if !defined(STEM_SHARED)
#error "STEM_SHARED: whether v3's stem is worth tiles of its own, 0 or 1"
#endif
#if !defined(DEPTHWISE_ROWS) || !defined(DEPTHWISE_COLUMNS) || !defined(DEPTHWISE_NARROW)
#error "rows (1 or 2) and columns of a depthwise tile, and columns of the narrower one"
#endif
#define DEPTHWISE_NARROW_ROWS DEPTHWISE_ROWS
#define STEM_ONLY 0
#define PANEL_SPLIT 0
#if !defined(FULLY_CONNECTED_AHEAD)
#error "FULLY_CONNECTED_AHEAD: bytes that fully connected fetches ahead of its weights; 0: none"
#endif
#if !defined(VEC_LANES)
#error "VEC_LANES: whether there is a multiply-add by one lane of a register, 0 or 1"
#endif
#if !defined(VEC_MATRIX)
#error "VEC_MATRIX: whether there is a product of matrices, 0 or 1"
#endif
#if !defined(VEC_FENCED) || !defined(VEC_FENCE)
#error                                                                                             \
    "VEC_FENCED: whether the compiler has to be kept from moving loads over a VEC_FENCE(), 0 or 1"
#endif

#if !defined(ELEMENT) || !defined(ELEMENT_BYTES) || !defined(DEPTH)
#error "the element type, its bytes, and how many k an operand holds: 1, 2 or 4"
#endif
#if !defined(VECTORS) || !defined(READS_FLOATS)
#error "VECTORS, READS_FLOATS: as in the table"
#endif
#if !defined(PACK_CONVOLUTION) || !defined(PACK_DEPTHWISE)
#error "the table's packers"
#endif
#if !defined(DEPTHWISE_PAIRS)
#error "DEPTHWISE_PAIRS: whether depthwise takes pairs of taps, 0 or 1"
#endif

/* What walk/ wants to know. */
enum {
    BLOCK = VEC_WIDTH,
    IMAGE_BYTES = ELEMENT_BYTES,           /* of an element of what standard convolution reads */
    IMAGE_STEPS = (3 + DEPTH - 1) / DEPTH, /* of a pixel of an image with 3 channels ... */
    IMAGE_BLOCK = IMAGE_STEPS * DEPTH,     /* ... and its elements */
    PIXEL_BYTES = BLOCK * ELEMENT_BYTES,   /* of one channel block */
    VECTOR_BYTES = BLOCK * sizeof(float),  /* of one channel block of a vector */
    OPERAND_BYTES = DEPTH * ELEMENT_BYTES, /* of one lane */
    STEP_BYTES = BLOCK * DEPTH * ELEMENT_BYTES, /* of the weights that a step of one vector reads */
};

/* Steps for `count` k. */
MBN_INLINE int32_t steps_of(int32_t count) {
    return (count + DEPTH - 1) / DEPTH;
}

/* Which of `count` summands comes as number i: of a pair the second one first. */
MBN_INLINE int32_t in_turn(int32_t i, int32_t count) {
    return DEPTH > 1 && (i ^ 1) < count ? i ^ 1 : i;
}

#endif
