/* The bfloat16 table of AArch64 NEON with BF16: one instruction for 8 multiply-adds. */
#ifndef MBN_KERNELS_NEONBF16_BF16_H
#define MBN_KERNELS_NEONBF16_BF16_H

#include "kernels/neon/vec.h"

#include "kernels/bf16.h"

#define VEC_TABLE mbn_neonbf16_bf16
#define VEC_ISA MBN_ISA_NEON_BF16
#define VEC_ISA_NAME "neonbf16"

/* Tiles, each the largest whose accumulators and operands fit 32 registers. */
#define PANEL 4
#define PANEL_MAX 4
#define POINTWISE_PIXELS_1 14
#define POINTWISE_PIXELS_2 10
#define POINTWISE_PIXELS_3 7
#define POINTWISE_PIXELS_4 6
#define TILES_FEW 0

#define VEC_HALVES 0
#define FULLY_CONNECTED_AHEAD 8192
#define STEM_SHARED 0
#define NARROW_PIXELS 4
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4
#define VEC_LANES 1

#define ELEMENT MBN_ELEMENT_BF16
#define ELEMENT_BYTES 2
#define DEPTH 2
#define VECTORS (&mbn_neon_f32)
#define READS_FLOATS false
#define PACK_CONVOLUTION mbn_pack_convolution_bf16
#define PACK_DEPTHWISE mbn_pack_depthwise_bf16

/* Pairs of taps would need their pixels put together first: two instructions, where making floats
 * of one takes one. */
#define DEPTHWISE_PAIRS 0

static inline vec element_load(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline void element_store(void *p, vec a) {
    vst1_u16(p, vreinterpret_u16_bf16(vcvt_bf16_f32(a)));
}
static inline void element_store_two(void *p, vec a, vec b) {
    vst1q_u16(p, vreinterpretq_u16_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(a), b)));
}
static inline void element_convert(const float *values, int32_t count, void *elements) {
    mbn_bf16 *out = elements;
    int32_t i = 0;
    for (; i + VEC_WIDTH <= count; i += VEC_WIDTH) element_store(out + i, vec_load(values + i));
    for (; i < count; i++) out[i] = mbn_bf16_of_float(values[i]);
}

typedef bfloat16x8_t operand;

static inline operand operand_load(const void *p) {
    return vreinterpretq_bf16_u16(vld1q_u16(p));
}
static inline operand operand_broadcast(const void *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return vreinterpretq_bf16_s32(vdupq_n_s32(pair));
}
static inline vec operand_dot(operand a, operand b, vec sum) {
    return vbfdotq_f32(sum, a, b);
}
static inline vec operand_dot_floats(const float *x, int32_t count, const void *w, vec sum) {
    const uint32x4_t pairs = vreinterpretq_u32_u16(vld1q_u16(w));
    if (count == 2) {
        const uint32x4_t second = vandq_u32(pairs, vdupq_n_u32(0xFFFF0000));
        sum = vec_fma(vec_broadcast(x + 1), vreinterpretq_f32_u32(second), sum);
    }
    return vec_fma(vec_broadcast(x), vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16)), sum);
}

/* In assembler as vec_fma_lane is. */
typedef bfloat16x4_t lane_operands;

static inline lane_operands lanes_load(const void *p) {
    return vreinterpret_bf16_u16(vld1_u16(p));
}
static inline vec operand_dot_lane(operand a, lane_operands b, int lane, vec sum) {
    if (lane == 0) {
        __asm__ volatile("bfdot %0.4s, %1.8h, %2.2h[0]" : "+w"(sum) : "w"(a), "w"(b));
    } else {
        __asm__ volatile("bfdot %0.4s, %1.8h, %2.2h[1]" : "+w"(sum) : "w"(a), "w"(b));
    }
    return sum;
}

#endif
