#include <arm_neon.h>

#define VEC float32x4_t
#define LANES 4
#define VEC_SPLAT(f) vdupq_n_f32(f)
#define VEC_LOAD(p) vld1q_f32(p)
#define VEC_ADD(x, y) vaddq_f32(x, y)
/* FMLA adds to its destination: here the chain is the addend. */
#define VEC_MULTIPLY_ADD(x, a, b) vfmaq_f32(x, a, b)
#define VEC_SUM(x) vaddvq_f32(x)
#define VEC_REGISTER "w"
#define CHAINS(DO)                                                                                 \
    DO(0)                                                                                          \
    DO(1)                                                                                          \
    DO(2)                                                                                          \
    DO(3)                                                                                          \
    DO(4)                                                                                          \
    DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) DO(18)   \
        DO(19) DO(20) DO(21) DO(22) DO(23)
#define PROBE peak_probe_neon
#include "peak_body.h"
