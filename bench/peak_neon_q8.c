#include <arm_neon.h>

/* As kernels do it: two products to 16 bits, pairs of those to a lane.  In assembler, for a and b
 * are the same each time, and so would be what is multiplied. */
static inline int32x4_t multiply_add_four(int32x4_t x, int8x8_t a, int8x8_t b) {
    int16x8_t two;
    __asm__("smull %1.8h, %2.8b, %3.8b\n\t"
            "smlsl %1.8h, %3.8b, %2.8b\n\t"
            "sadalp %0.4s, %1.8h"
            : "+w"(x), "=&w"(two)
            : "w"(a), "w"(b));
    return x;
}

#define VEC int32x4_t
#define LANES 4
#define VEC_SPLAT(f) vdupq_n_s32((int)(64 * (f)))
#define VEC_LOAD(p) vld1q_s32((const void *)(p))
#define VEC_ADD(x, y) vaddq_s32(x, y)
#define FACTOR int8x8_t
#define FACTOR_SPLAT(f) vdup_n_s8((int8_t)(64 * (f)))
#define PER_LANE 4
#define VEC_MULTIPLY_ADD(x, a, b) multiply_add_four(x, a, b)
#define VEC_SUM(x) (float)vaddvq_s32(x)
#define VEC_REGISTER "w"
#define CHAINS CHAINS_14
#define PROBE peak_neon_q8
#define ISA MBN_ISA_NEON
#define ELEMENT MBN_ELEMENT_Q8
#include "peak_body.h"
