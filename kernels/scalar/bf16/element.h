/* The scalar kernels' words for bfloat16. */
#ifndef MBN_KERNELS_SCALAR_BF16_ELEMENT_H
#define MBN_KERNELS_SCALAR_BF16_ELEMENT_H

#include "kernels/bf16.h"

typedef mbn_bf16 element;

static inline float to_float(element e) {
    return mbn_float_of_bf16(e);
}

static inline element from_float(float x) {
    return mbn_bf16_of_float(x);
}

/* Which of `count` summands comes as number i: pair by pair, the second one first. */
static inline int32_t in_turn(int32_t i, int32_t count) {
    return (i ^ 1) < count ? i ^ 1 : i;
}

#endif
