/* The bfloat16 table of AArch64 NEON. */
#ifndef MBN_KERNELS_NEON_BF16_H
#define MBN_KERNELS_NEON_BF16_H

#include "vec.h"

#include <stdint.h>

#define VEC_TABLE mbn_neon_bf16
#define VEC_ISA MBN_ISA_NEON
#define VEC_ISA_NAME "neon"
#define VECTORS (&mbn_neon_f32)

#define POINTWISE_PIXELS_1 8

static inline vec element_load(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline void element_store(void *p, vec a) {
    const uint32x4_t bits = vreinterpretq_u32_f32(a);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t nearest = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd);
    /* What has no exponent keeps its sign only. */
    const uint32x4_t some = vtstq_u32(bits, vdupq_n_u32(0x7F800000));
    const uint32x4_t kept = vandq_u32(nearest, vorrq_u32(some, vdupq_n_u32(0x80000000)));
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x00400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(a, a), kept, quiet), 16));
}

typedef uint32x4_t pairs;

static inline pairs pairs_load(const void *p) {
    return vreinterpretq_u32_u16(vld1q_u16(p));
}
static inline pairs pairs_splat(int32_t bits) {
    return vdupq_n_u32((uint32_t)bits);
}
static inline vec pairs_first(pairs a) {
    return vreinterpretq_f32_u32(vshlq_n_u32(a, 16));
}
static inline vec pairs_second(pairs a) {
    return vreinterpretq_f32_u32(vandq_u32(a, vdupq_n_u32(0xFFFF0000)));
}

#endif
