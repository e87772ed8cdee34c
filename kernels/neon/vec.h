/* Vectors of floats (kernels/body/float/vocabulary.h) in AArch64 NEON. */
#ifndef MBN_KERNELS_NEON_VEC_H
#define MBN_KERNELS_NEON_VEC_H

#include <arm_neon.h>

typedef float32x4_t vec;

#define VEC_WIDTH 4

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
