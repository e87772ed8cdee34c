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

#include "bf16.h"

#include <string.h>

#define DEPTH 2
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
