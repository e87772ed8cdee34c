/* Weights beyond a signed byte are packed twice: their halves, rounded down, and what is left, 0 or
 * 1. */
#ifndef MBN_KERNELS_PACK_WIDE_H
#define MBN_KERNELS_PACK_WIDE_H

#include <stdbool.h>
#include <stdint.h>

static inline int32_t passes_of(bool wide) {
    return wide ? 2 : 1;
}

static inline int8_t part_of(int32_t weight, bool wide, int32_t pass) {
    if (!wide) return (int8_t)weight;
    const int32_t rest = weight & 1;
    return (int8_t)(pass == 0 ? (weight - rest) / 2 : rest);
}

#endif
