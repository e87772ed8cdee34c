/* The scalar kernels' words for 8-bit integers. */
#ifndef MBN_KERNELS_SCALAR_Q8_ELEMENT_H
#define MBN_KERNELS_SCALAR_Q8_ELEMENT_H

#include <stdint.h>

typedef uint8_t element;

/* Of the byte itself, for what floats and bytes have in common (the larger of two). */
static inline float to_float(element e) {
    return e;
}

static inline element from_float(float x) {
    return (element)x;
}

#endif
