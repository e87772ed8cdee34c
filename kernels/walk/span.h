/* Which outputs of a sliding window need no care for borders. */
#ifndef MBN_KERNELS_WALK_SPAN_H
#define MBN_KERNELS_WALK_SPAN_H

#include "kernels/inline.h"

typedef struct span {
    int32_t begin, end;
} span;

/* Outputs in [0, count) all of whose taps lie inside `size` inputs. */
MBN_INLINE span inside(int32_t count, int32_t size, int32_t kernel, int32_t stride, int32_t pad) {
    const int32_t last = size - kernel + pad;
    span s = {(pad + stride - 1) / stride, last < 0 ? 0 : last / stride + 1};
    if (s.begin < 0) s.begin = 0; /* pads may be negative */
    if (s.end > count) s.end = count;
    if (s.begin > s.end) s.begin = s.end;
    return s;
}

#endif
