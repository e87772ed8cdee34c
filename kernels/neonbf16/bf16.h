/* The bfloat16 table of AArch64 NEON with BF16: one instruction for 16 multiply-adds. */
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
#define POINTWISE_PIXELS_3 8
#define POINTWISE_PIXELS_4 6
#define CONVOLUTION_PIXELS_3 7
#define CONVOLUTION_PIXELS_4 5
#define TILES_FEW 0

#define VEC_HALVES 0
#define FULLY_CONNECTED_AHEAD 8192
#define STEM_SHARED 0
#define NARROW_PIXELS 4
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4
#define VEC_LANES 0
#define VEC_MATRIX 1

#define DEPTH 4
#define VECTORS (&mbn_neon_f32)
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
/* Of four lanes the first pairs, and the second ones. */
typedef struct operand {
    bfloat16x8_t first, second;
} operand;

static inline operand operand_of(uint32x4x2_t pairs) {
    return (operand){vreinterpretq_bf16_u32(pairs.val[0]), vreinterpretq_bf16_u32(pairs.val[1])};
}
static inline operand operand_load(const void *p) {
    return operand_of(vld2q_u32(p));
}
static inline operand operand_broadcast(const void *p) {
    return operand_of(vld2q_dup_u32(p));
}
static inline vec operand_dot(operand a, operand b, vec sum) {
    return vbfdotq_f32(vbfdotq_f32(sum, a.first, b.first), a.second, b.second);
}

typedef bfloat16x8_t matrix;

static inline matrix matrix_load(const void *p) {
    return vreinterpretq_bf16_u16(vld1q_u16(p));
}
static inline matrix matrix_load_first(const void *p) {
    return vreinterpretq_bf16_u16(vcombine_u16(vld1_u16(p), vdup_n_u16(0)));
}
/* In assembler for the reason that vec_fma_lane is. */
static inline vec matrix_dot(matrix a, matrix b, vec sum) {
    __asm__ volatile("bfmmla %0.4s, %1.8h, %2.8h" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}
static inline vec vec_lower(vec a, vec b) {
    return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
}
static inline vec vec_upper(vec a, vec b) {
    return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
}

#endif
