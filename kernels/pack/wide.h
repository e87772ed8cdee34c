/* Weights beyond a signed byte are packed twice: their halves, rounded down, and what is left, 0 or
 * 1. */
#ifndef MBN_KERNELS_PACK_WIDE_H
#define MBN_KERNELS_PACK_WIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline int32_t passes_of(bool wide) {
    return wide ? 2 : 1;
}

static inline int8_t part_of(int32_t weight, bool wide, int32_t pass) {
    if (!wide) return (int8_t)weight;
    const int32_t rest = weight & 1;
    return (int8_t)(pass == 0 ? (weight - rest) / 2 : rest);
}

/* Of four weights side by side: as part_of, in one word, the first one in its lowest byte. */
static inline uint32_t parts_of_four(const int16_t *weights, bool wide, int32_t pass) {
    uint64_t words;
    memcpy(&words, weights, sizeof words);
    uint64_t bytes = words >> (wide && pass == 0 ? 1 : 0) &
                     (pass == 0 ? 0x00FF00FF00FF00FFu : 0x0001000100010001u);
    bytes |= bytes >> 8;
    return (uint32_t)(bytes & 0xFFFF) | (uint32_t)(bytes >> 16 & 0xFFFF0000u);
}

#endif
