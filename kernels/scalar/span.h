/* Which outputs of a row a tap reaches. */
#ifndef MBN_KERNELS_SCALAR_SPAN_H
#define MBN_KERNELS_SCALAR_SPAN_H

#include <stdint.h>

/* Output pixels [begin, end) of a row: those whose tap lies in the input. */
typedef struct span {
    int32_t begin, end;
} span;

/* The outputs x in [from, to) for which 0 <= x * stride + offset < input_size. */
static inline span outputs_inside(int32_t offset, int32_t stride, int32_t input_size, span of) {
    span s = {0, 0};
    if (offset < 0) s.begin = (-offset + stride - 1) / stride;
    if (offset < input_size) s.end = (input_size - 1 - offset) / stride + 1;
    if (s.begin < of.begin) s.begin = of.begin;
    if (s.end > of.end) s.end = of.end;
    return s;
}

#endif
