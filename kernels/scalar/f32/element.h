/* The scalar kernels' words for float32. */
#ifndef MBN_KERNELS_SCALAR_F32_ELEMENT_H
#define MBN_KERNELS_SCALAR_F32_ELEMENT_H

#include <stdint.h>

typedef float element;

static inline float to_float(element e) {
    return e;
}

static inline element from_float(float x) {
    return x;
}

/* Which of `count` summands comes as number i. */
static inline int32_t in_turn(int32_t i, int32_t count) {
    (void)count;
    return i;
}

#endif
