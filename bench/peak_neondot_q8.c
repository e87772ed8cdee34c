#include <arm_neon.h>

#define VEC int32x4_t
#define LANES 4
#define VEC_SPLAT(f) vdupq_n_s32((int)(64 * (f)))
#define VEC_LOAD(p) vld1q_s32((const void *)(p))
#define VEC_ADD(x, y) vaddq_s32(x, y)
#define FACTOR int8x16_t
#define FACTOR_SPLAT(f) vdupq_n_s8((int8_t)(64 * (f)))
#define PER_LANE 4
#define VEC_MULTIPLY_ADD(x, a, b) vdotq_s32(x, a, b)
#define VEC_SUM(x) (float)vaddvq_s32(x)
#define VEC_REGISTER "w"
#define CHAINS CHAINS_24
#define PROBE peak_neondot_q8
#define ISA MBN_ISA_NEON_DOT
#define ELEMENT MBN_ELEMENT_Q8
#include "peak_body.h"
