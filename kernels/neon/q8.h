/* The table of 8-bit integers of AArch64 NEON: two products are summed in 16 bits, pairs of such
 * sums added to one of 32.  Two products of -128 and -128 are one too many for 16 bits; so the
 * second input is not x - 128, as the first, but 127 - x, and what it makes is subtracted: then the
 * sum is within 128 * (128 + 127). */
#ifndef MBN_KERNELS_NEON_Q8_H
#define MBN_KERNELS_NEON_Q8_H

#include "sums.h"

#define VEC_TABLE mbn_neon_q8
#define VEC_ISA MBN_ISA_NEON
#define VEC_ISA_NAME "neon"

#define INPUTS_SIGNED 1
#define FIXED_OFFSET 0
#define TILES_FEW 0
#define FIXED_INLINE 1
#define LOOKUP_INLINE 0 /* 16 registers */
#define PACK_CONVOLUTION mbn_pack_convolution_q8_signed_pairs
#define PACK_DEPTHWISE mbn_pack_depthwise_q8_signed_pairs

/* Tiles, each the largest whose sums and operands fit 32 registers. */
#define PANEL 1
#define PANEL_MAX 1
#define POINTWISE_PIXELS_1 5
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 4
#define DEPTHWISE_NARROW_ROWS 2
#define DEPTHWISE_NARROW 4

/* Of half a block the first pairs of each channel's four, and the second ones: weights, or inputs
 * as they are multiplied.  An operand has the halves' one behind the other. */
typedef struct half_operand {
    int8x16_t first, second;
} half_operand;

MBN_INLINE half_operand half_of(pair a, pair b) {
    return (half_operand){
        vreinterpretq_s8_u8(veorq_u8(a, vdupq_n_u8(0x80))),
        vreinterpretq_s8_u8(veorq_u8(b, vdupq_n_u8(0x7F))),
    };
}
MBN_INLINE half_operand half_load(const void *p) {
    return (half_operand){vld1q_s8(p), vld1q_s8((const int8_t *)p + 16)};
}
MBN_INLINE half_sums half_dot(half_operand x, half_operand weights, half_sums sum) {
    int16x8_t low = vmull_s8(vget_low_s8(x.first), vget_low_s8(weights.first));
    int16x8_t high = vmull_high_s8(x.first, weights.first);
    low = vmlsl_s8(low, vget_low_s8(x.second), vget_low_s8(weights.second));
    high = vmlsl_high_s8(high, x.second, weights.second);
    return (half_sums){{vpadalq_s16(sum.q[0], low), vpadalq_s16(sum.q[1], high)}};
}

MBN_INLINE operand operand_of(half_operand each) {
    return (operand){{each.first, each.second, each.first, each.second}};
}
MBN_INLINE operand operand_splat(uint8_t byte) {
    return operand_of(half_of(vdupq_n_u8(byte), vdupq_n_u8(byte)));
}
MBN_INLINE operand operand_broadcast(const void *p) {
    const uint16x8x2_t pairs = vld2q_dup_u16(p);
    return operand_of(
        half_of(vreinterpretq_u8_u16(pairs.val[0]), vreinterpretq_u8_u16(pairs.val[1])));
}
MBN_INLINE sums operand_dot(operand x, packed weights, sums sum) {
    const half_sums first =
        half_dot((half_operand){x.q[0], x.q[1]}, (half_operand){weights.q[0], weights.q[1]},
                 (half_sums){{sum.q[0], sum.q[1]}});
    const half_sums second =
        half_dot((half_operand){x.q[2], x.q[3]}, (half_operand){weights.q[2], weights.q[3]},
                 (half_sums){{sum.q[2], sum.q[3]}});
    return (sums){{first.q[0], first.q[1], second.q[0], second.q[1]}};
}

#endif
