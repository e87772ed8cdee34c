/* The bodies' words for bfloat16 without instructions that sum products of pairs: an operand is
 * taken apart when it is loaded, and its products are two multiply-adds.  That is slower than
 * float32: such a table is there for its results, which are those of the tables that have the
 * instructions, and so is small rather than fast.
 *
 * An instruction set's bf16.h gives
 *     element_load, element_store
 *     pairs                      VEC_WIDTH pairs of elements
 *     pairs_load(p)
 *     pairs_splat(bits)          an int32_t's two elements in every lane
 *     pairs_first(a)             the first elements as floats
 *     pairs_second(a)            the second ones */
#ifndef MBN_KERNELS_BODY_FLOAT_SPLIT_H
#define MBN_KERNELS_BODY_FLOAT_SPLIT_H

#include "kernels/bf16.h"
#include "kernels/inline.h"

#define ELEMENT MBN_ELEMENT_BF16
#define ELEMENT_BYTES 2
#define DEPTH 2
#define READS_FLOATS false
#define PACK_CONVOLUTION mbn_pack_convolution_bf16
#define PACK_DEPTHWISE mbn_pack_depthwise_bf16

/* One vector wide: a pixel of a tile takes an accumulator. */
#define TILES_FEW 1
#define PANEL 1
#define PANEL_MAX 1
#define NARROW_PIXELS POINTWISE_PIXELS_1
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 7
#define VEC_HALVES 0
#define VEC_LANES 0
#define VEC_MATRIX 0
#define STEM_SHARED 0
#define DEPTHWISE_PAIRS 0
#define DEPTHWISE_ROWS 1
#define FULLY_CONNECTED_AHEAD 0

MBN_INLINE void element_store_two(void *p, vec a, vec b) {
    element_store(p, a);
    element_store((mbn_bf16 *)p + VEC_WIDTH, b);
}
MBN_INLINE void element_convert(const float *values, int32_t count, void *elements) {
    mbn_bf16 *out = elements;
    int32_t i = 0;
    for (; i + VEC_WIDTH <= count; i += VEC_WIDTH) element_store(out + i, vec_load(values + i));
    for (; i < count; i++) out[i] = mbn_bf16_of_float(values[i]);
}

typedef struct operand {
    vec first, second;
} operand;

MBN_INLINE operand operand_of(pairs a) {
    return (operand){pairs_first(a), pairs_second(a)};
}
MBN_INLINE operand operand_load(const void *p) {
    return operand_of(pairs_load(p));
}
MBN_INLINE operand operand_broadcast(const void *p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return operand_of(pairs_splat(bits));
}
MBN_INLINE vec operand_dot(operand a, operand b, vec sum) {
    return vec_fma(a.first, b.first, vec_fma(a.second, b.second, sum));
}

#endif
