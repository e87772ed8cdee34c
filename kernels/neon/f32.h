/* The vocabulary of kernels/body/f32/ (vocabulary.h) in AArch64 NEON. */
#ifndef MBN_KERNELS_NEON_F32_H
#define MBN_KERNELS_NEON_F32_H

#include <arm_neon.h>

#define VEC_TABLE mbn_neon_f32
#define VEC_ISA MBN_ISA_NEON
#define VEC_ISA_NAME "neon"

typedef float32x4_t vec;

#define VEC_WIDTH 4

/* Tiles, each the largest whose accumulators and operands fit 32 registers. */
#define PANEL 4
#define PANEL_MAX 4
#define POINTWISE_PIXELS_1 14
#define POINTWISE_PIXELS_2 10
#define POINTWISE_PIXELS_3 7
#define POINTWISE_PIXELS_4 6

#define VEC_HALVES 0 /* every channel count of MobileNet fills whole vectors */

/* As for SSE. */
#define FULLY_CONNECTED_AHEAD 8192

#define STEM_SHARED 0 /* v3's stem is a convolution like others */

/* Standard convolution on planes narrower than the tiles above. */
#define NARROW_PIXELS 4

/* Depthwise steps, in output rows x columns.  Seven columns divide every row of MobileNet at 224;
 * where they do not divide a row, four may leave less. */
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4

/* Loads stay on their side of it.  gcc moves them as far forward as it can, and spills
 * accumulators; vec_fma_lane below stays where it is, too. */
#define VEC_FENCED 1
#define VEC_FENCE() __asm__ volatile("" ::: "memory")

static inline vec vec_zero(void) {
    return vdupq_n_f32(0.0F);
}
static inline vec vec_load(const void *p) {
    return vld1q_f32(p);
}
static inline void vec_store(void *p, vec a) {
    vst1q_f32(p, a);
}
static inline vec vec_splat(float a) {
    return vdupq_n_f32(a);
}
static inline vec vec_broadcast(const void *p) {
    return vld1q_dup_f32(p);
}
static inline vec vec_add(vec a, vec b) {
    return vaddq_f32(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return vsubq_f32(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return vmulq_f32(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return vdivq_f32(a, b);
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
#define VEC_LANES 1
/* a * b[lane] + c for a constant lane.  In assembler: of vfmaq_laneq_f32 with the same lane gcc 12
 * makes a dup that it shares, and spills accumulators for want of registers. */
#define vec_fma_lane(a, b, lane, c) fma_lane_##lane(a, b, c)
#define FMA_LANE(lane)                                                                             \
    static inline vec fma_lane_##lane(vec a, vec b, vec c) {                                       \
        __asm__ volatile("fmla %0.4s, %1.4s, %2.s[" #lane "]" : "+w"(c) : "w"(a), "w"(b));         \
        return c;                                                                                  \
    }
FMA_LANE(0)
FMA_LANE(1)
FMA_LANE(2)
FMA_LANE(3)
#undef FMA_LANE
/* NaN where either is */
static inline vec vec_max(vec limit, vec x) {
    return vmaxq_f32(limit, x);
}
static inline vec vec_min(vec limit, vec x) {
    return vminq_f32(limit, x);
}
/* all lanes of x that are NaN, the others from y */
static inline vec vec_keep_nan(vec x, vec y) {
    return vbslq_f32(vceqq_f32(x, x), y, x);
}
static inline vec vec_round(vec a) {
    return vrndnq_f32(a);
}
/* 2^n for whole n in [-127, 127]; -127 gives 0 */
static inline vec vec_exp2_whole(vec n) {
    const int32x4_t biased = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
}
/* rows become columns */
static inline void vec_transpose(vec square[4]) {
    const float32x4x2_t a = vtrnq_f32(square[0], square[1]), b = vtrnq_f32(square[2], square[3]);
    square[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    square[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    square[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    square[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#endif
