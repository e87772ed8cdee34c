/* bfloat16 in plain C. */
#ifndef MBN_KERNELS_BF16_H
#define MBN_KERNELS_BF16_H

#include <stdint.h>
#include <string.h>

/* The upper half of a binary32. */
typedef uint16_t mbn_bf16;

static inline float mbn_float_of_bf16(mbn_bf16 value) {
    const uint32_t bits = (uint32_t)value << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest one, ties to even; a NaN stays a NaN and becomes quiet, a denormal becomes zero. */
static inline mbn_bf16 mbn_bf16_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    const uint32_t nan = bits >> 16 | 0x40u, zero = bits >> 16 & 0x8000u;
    const uint32_t nearest = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    return (mbn_bf16)(magnitude > 0x7F800000u ? nan : magnitude < 0x00800000u ? zero : nearest);
}

#endif
