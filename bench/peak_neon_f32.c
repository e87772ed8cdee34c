#include <arm_neon.h>

#define VEC float32x4_t
#define LANES 4
#define VEC_SPLAT(f) vdupq_n_f32(f)
#define VEC_LOAD(p) vld1q_f32(p)
#define VEC_ADD(x, y) vaddq_f32(x, y)
#define VEC_MULTIPLY_ADD(x, a, b) vfmaq_f32(x, a, b)
#define VEC_SUM(x) vaddvq_f32(x)
#define VEC_REGISTER "w"
#define CHAINS CHAINS_24
#define PROBE peak_neon_f32
#define ISA MBN_ISA_NEON
#define ELEMENT MBN_ELEMENT_F32
#include "peak_body.h"
