/* The table of 8-bit integers of AArch64 NEON with its dot product: four products to a sum, of
 * bytes that are both signed (what would take unsigned and signed ones is i8mm).  So inputs lose
 * their 128, by the top bit, and weights say what that takes from the sums. */
#ifndef MBN_KERNELS_NEONDOT_Q8_H
#define MBN_KERNELS_NEONDOT_Q8_H

#include "kernels/neon/sums.h"

#define VEC_TABLE mbn_neondot_q8
#define VEC_ISA MBN_ISA_NEON_DOT
#define VEC_ISA_NAME "neondot"

#define INPUTS_SIGNED 1
#define FIXED_OFFSET 0
#define TILES_FEW 0
#define FIXED_INLINE 1
#define LOOKUP_INLINE 0 /* 16 registers */
#define VEC_LANES 1
#define PACK_CONVOLUTION mbn_pack_convolution_q8_signed_quads
#define PACK_DEPTHWISE mbn_pack_depthwise_q8_signed_quads

/* Tiles, each the largest whose sums and operands fit 32 registers. */
#define PANEL 1
#define PANEL_MAX 1
#define POINTWISE_PIXELS_1 6
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 4
#define DEPTHWISE_NARROW_ROWS 2
#define DEPTHWISE_NARROW 4

MBN_INLINE int8x16_t made_signed(uint8x16_t a) {
    return vreinterpretq_s8_u8(veorq_u8(a, vdupq_n_u8(0x80)));
}

MBN_INLINE operand operand_of(int8x16_t each) {
    return (operand){{each, each, each, each}};
}
MBN_INLINE operand operand_splat(uint8_t byte) {
    return operand_of(made_signed(vdupq_n_u8(byte)));
}
MBN_INLINE operand operand_broadcast(const void *p) {
    return operand_of(made_signed(vreinterpretq_u8_u32(vld1q_dup_u32(p))));
}
MBN_INLINE sums operand_dot(operand x, packed weights, sums sum) {
    QUARTERS(i) sum.q[i] = vdotq_s32(sum.q[i], weights.q[i], x.q[i]);
    return sum;
}

typedef struct half_operand {
    int8x16_t q[2];
} half_operand;

MBN_INLINE half_operand half_of(pair a, pair b) {
    const int16x8_t first = vreinterpretq_s16_s8(made_signed(a));
    const int16x8_t second = vreinterpretq_s16_s8(made_signed(b));
    return (half_operand){{
        vreinterpretq_s8_s16(vzip1q_s16(first, second)),
        vreinterpretq_s8_s16(vzip2q_s16(first, second)),
    }};
}
MBN_INLINE half_operand half_load(const void *p) {
    return (half_operand){{vld1q_s8(p), vld1q_s8((const int8_t *)p + 16)}};
}
/* In assembler, for it stays where it is, beside the loads: gcc would make operands of all pixels
 * before it multiplies them, more than there are registers. */
MBN_INLINE int32x4_t dot_here(int8x16_t a, int8x16_t b, int32x4_t sum) {
    __asm__ volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}
MBN_INLINE half_sums half_dot(half_operand x, half_operand weights, half_sums sum) {
    sum.q[0] = dot_here(weights.q[0], x.q[0], sum.q[0]);
    sum.q[1] = dot_here(weights.q[1], x.q[1], sum.q[1]);
    return sum;
}

typedef uint8x16_t inputs;
typedef int8x16_t quarter;

MBN_INLINE inputs inputs_load(const void *p) {
    return vld1q_u8(p);
}
/* In assembler, lest the compiler keep the constant in a register of its own: there is none. */
MBN_INLINE void inputs_signed(int32_t pixels, inputs *x) {
    uint8x16_t top;
    __asm__ volatile("movi %0.16b, #0x80" : "=w"(top));
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) x[p] = veorq_u8(x[p], top);
}
MBN_INLINE quarter quarter_load(const void *p) {
    return vld1q_s8(p);
}
/* In assembler, for it stays where it is, beside the loads. */
#define DOT_LANE(lane)                                                                             \
    case lane:                                                                                     \
        __asm__ volatile("sdot %0.4s, %1.16b, %2.4b[" #lane "]"                                    \
                         : "+w"(sum->q[i])                                                         \
                         : "w"(weights), "w"(x));                                                  \
        break;
MBN_INLINE void quarter_dot_lane(inputs x, int32_t lane, quarter weights, sums *sum, int32_t i) {
    switch (lane) {
        DOT_LANE(0)
        DOT_LANE(1)
        DOT_LANE(2)
        DOT_LANE(3)
    }
}
#undef DOT_LANE

#endif
