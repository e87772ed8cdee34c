/* The bodies' words for float32: an operand is one float per lane. */
#ifndef MBN_KERNELS_BODY_FLOAT_F32_H
#define MBN_KERNELS_BODY_FLOAT_F32_H

#include "kernels/inline.h"

#define ELEMENT MBN_ELEMENT_F32
#define ELEMENT_BYTES 4
#define DEPTH 1
#define VECTORS NULL
#define READS_FLOATS true
#define PACK_CONVOLUTION mbn_pack_convolution
#define PACK_DEPTHWISE mbn_pack_depthwise
#define DEPTHWISE_PAIRS 0

MBN_INLINE vec element_load(const void *p) {
    return vec_load(p);
}
MBN_INLINE void element_store(void *p, vec a) {
    vec_store(p, a);
}
MBN_INLINE void element_store_two(void *p, vec a, vec b) {
    vec_store(p, a);
    vec_store((char *)p + sizeof(vec), b);
}

typedef vec operand;

MBN_INLINE operand operand_load(const void *p) {
    return vec_load(p);
}
MBN_INLINE operand operand_broadcast(const void *p) {
    return vec_broadcast(p);
}
MBN_INLINE vec operand_dot(operand a, operand b, vec sum) {
    return vec_fma(a, b, sum);
}
#if VEC_HALVES
MBN_INLINE operand operand_load_twice(const void *p) {
    return vec_load_twice(p);
}
MBN_INLINE operand operand_join_halves(operand a, operand b) {
    return vec_join_halves(a, b);
}
#endif

#endif
