#include <arm_neon.h>

#define VEC float32x4_t
#define LANES 4
#define VEC_SPLAT(f) vdupq_n_f32(f)
#define VEC_LOAD(p) vld1q_f32(p)
#define VEC_ADD(x, y) vaddq_f32(x, y)
#define FACTOR bfloat16x8_t
#define FACTOR_SPLAT(f) vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(VEC_SPLAT(f)), VEC_SPLAT(f))
#define PER_LANE 2
#define VEC_MULTIPLY_ADD(x, a, b) vbfdotq_f32(x, a, b)
#define VEC_SUM(x) vaddvq_f32(x)
#define VEC_REGISTER "w"
#define CHAINS CHAINS_24
#define PROBE peak_neonbf16_bf16
#define ISA MBN_ISA_NEON_BF16
#define ELEMENT MBN_ELEMENT_BF16
#include "peak_body.h"
