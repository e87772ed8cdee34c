/* Sums and bytes (kernels/body/q8/vocabulary.h) in AArch64 NEON, but for what multiplies bytes:
 * that is of the header that includes this one. */
#ifndef MBN_KERNELS_NEON_SUMS_H
#define MBN_KERNELS_NEON_SUMS_H

#include "kernels/inline.h"
#include <mobilenet/kernels.h>

#include <arm_neon.h>
#include <stdbool.h>

/* Quarters: of 16 sums, of four bytes for each of 16 channels, of four pixels. */
typedef struct sums {
    int32x4_t q[4];
} sums;
typedef struct operand {
    int8x16_t q[4];
} operand, packed;
typedef struct bytes64 {
    uint8x16_t q[4];
} bytes64;

#define QUARTERS(i) MBN_UNROLL for (int i = 0; i < 4; i++)

/* Loads stay on their side of it; for why see vec.h. */
#define VEC_FENCE() __asm__ volatile("" ::: "memory")

MBN_INLINE sums sums_splat(int32_t a) {
    sums y;
    QUARTERS(i) y.q[i] = vdupq_n_s32(a);
    return y;
}
MBN_INLINE sums sums_zero(void) {
    return sums_splat(0);
}
MBN_INLINE sums sums_load(const void *p) {
    sums y;
    QUARTERS(i) y.q[i] = vld1q_s32((const int32_t *)p + 4 * i);
    return y;
}
MBN_INLINE void sums_store(void *p, sums a) {
    QUARTERS(i) vst1q_s32((int32_t *)p + 4 * i, a.q[i]);
}
/* Unsigned, for signed numbers do not wrap in C. */
#define SUMS_WRAPPING(name, intrinsic)                                                             \
    MBN_INLINE sums name(sums a, sums b) {                                                         \
        QUARTERS(i) {                                                                              \
            a.q[i] = vreinterpretq_s32_u32(                                                        \
                intrinsic(vreinterpretq_u32_s32(a.q[i]), vreinterpretq_u32_s32(b.q[i])));          \
        }                                                                                          \
        return a;                                                                                  \
    }
SUMS_WRAPPING(sums_add, vaddq_u32)
SUMS_WRAPPING(sums_sub, vsubq_u32)
SUMS_WRAPPING(sums_mul, vmulq_u32)
#undef SUMS_WRAPPING
MBN_INLINE sums sums_add_product(sums x, sums y, sums rest) {
    return sums_add(rest, sums_mul(x, y));
}
MBN_INLINE sums sums_shift(sums a, int32_t n) {
    const int32x4_t right = vdupq_n_s32(-n);
    QUARTERS(i) a.q[i] = vshlq_s32(a.q[i], right);
    return a;
}

MBN_INLINE packed packed_load(const void *p) {
    packed y;
    QUARTERS(i) y.q[i] = vld1q_s8((const int8_t *)p + 16 * i);
    return y;
}

/* Half a block's. */
typedef struct half_sums {
    int32x4_t q[2];
} half_sums;

MBN_INLINE half_sums half_sums_load(const int32_t *p) {
    return (half_sums){{vld1q_s32(p), vld1q_s32(p + 4)}};
}
MBN_INLINE void half_sums_store(int32_t *p, half_sums a) {
    vst1q_s32(p, a.q[0]);
    vst1q_s32(p + 4, a.q[1]);
}
MBN_INLINE half_sums half_sums_twice(half_sums a, half_sums start) {
    MBN_UNROLL
    for (int i = 0; i < 2; i++) {
        const uint32x4_t sum = vreinterpretq_u32_s32(a.q[i]);
        const uint32x4_t grown = vsubq_u32(sum, vreinterpretq_u32_s32(start.q[i]));
        a.q[i] = vreinterpretq_s32_u32(vaddq_u32(sum, grown));
    }
    return a;
}

typedef uint8x16_t pair;

MBN_INLINE pair pair_of(const void *p, const void *q) {
    const uint8x8_t zero = vdup_n_u8(0);
    return vzip1q_u8(vcombine_u8(vld1_u8(p), zero), vcombine_u8(vld1_u8(q), zero));
}

/* ---- Rescaling ------------------------------------------------------------------------------ */

typedef struct factors {
    float32x4_t q[4];
} factors;

MBN_INLINE factors factors_load(const void *p) {
    factors m;
    QUARTERS(i) m.q[i] = vld1q_f32((const float *)p + 4 * i);
    return m;
}
MBN_INLINE bool factors_small(factors m) {
    uint32x4_t small = vdupq_n_u32(UINT32_MAX);
    QUARTERS(i) small = vandq_u32(small, vcltq_f32(m.q[i], vdupq_n_f32(1.0F)));
    return vminvq_u32(small) != 0;
}
/* To nearest, ties to even.  The instruction saturates what no int32 holds; of NaN, which becomes
 * the lowest one as in other tables, it makes 0. */
MBN_INLINE int32x4_t nearest_even(float32x4_t x) {
    return vcvtnq_s32_f32(vmaxnmq_f32(x, vdupq_n_f32(-0x1p30F)));
}
MBN_INLINE sums rescale_small(sums x, factors m) {
    QUARTERS(i) x.q[i] = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(x.q[i]), m.q[i]));
    return x;
}
MBN_INLINE sums rescale_float(sums x, const void *factors_at) {
    const factors m = factors_load(factors_at);
    QUARTERS(i) x.q[i] = nearest_even(vmulq_f32(vcvtq_f32_s32(x.q[i]), m.q[i]));
    return x;
}
MBN_INLINE sums rescale_inside(sums x, factors m, float inside) {
    const float32x4_t rest = vdupq_n_f32(inside);
    QUARTERS(i) {
        x.q[i] = nearest_even(vaddq_f32(vmulq_f32(vcvtq_f32_s32(x.q[i]), m.q[i]), rest));
    }
    return x;
}
MBN_INLINE sums sums_of_products(sums x, float m, sums y, float n, float rest) {
    QUARTERS(i) {
        const float32x4_t inner =
            vfmaq_f32(vdupq_n_f32(rest), vcvtq_f32_s32(y.q[i]), vdupq_n_f32(n));
        x.q[i] = nearest_even(vfmaq_f32(inner, vcvtq_f32_s32(x.q[i]), vdupq_n_f32(m)));
    }
    return x;
}

/* sqrdmulh is SRDHM as it stands.  srshl rounds ties up, RDBPOT away from zero: where there is a
 * shift to the right, negative numbers lose one before it.  (The lowest one, which would wrap, is
 * no upper half of products with a multiplier that is not negative.) */
MBN_INLINE sums rescale_fixed(sums x, sums fixed, sums shift) {
    const int32x4_t zero = vdupq_n_s32(0);
    QUARTERS(i) {
        const int32x4_t left = vmaxq_s32(shift.q[i], zero), right = vminq_s32(shift.q[i], zero);
        const int32x4_t high = vqrdmulhq_s32(vshlq_s32(x.q[i], left), fixed.q[i]);
        x.q[i] = vrshlq_s32(vsraq_n_s32(high, vandq_s32(high, right), 31), right);
    }
    return x;
}

/* Ties away from zero. */
MBN_INLINE int32x2_t rescale_two(int32x2_t x, const double *factors_at) {
    const float64x2_t product = vmulq_f64(vcvtq_f64_s64(vmovl_s32(x)), vld1q_f64(factors_at));
    return vqmovn_s64(vcvtaq_s64_f64(vmaxnmq_f64(product, vdupq_n_f64(-0x1p30))));
}
MBN_INLINE sums rescale_double(sums x, const void *factors_at) {
    const double *m = factors_at;
    QUARTERS(i) {
        x.q[i] = vcombine_s32(rescale_two(vget_low_s32(x.q[i]), m + 4 * i),
                              rescale_two(vget_high_s32(x.q[i]), m + 4 * i + 2));
    }
    return x;
}

MBN_INLINE sums quantize(const float *p, mbn_quantizing quantizing, float scale) {
    const float32x4_t divisor = vdupq_n_f32(scale), inverse = vdupq_n_f32(1.0F / scale);
    const float32x4_t least = vdupq_n_f32(-0x1p30F);
    sums y;
    QUARTERS(i) {
        const float32x4_t x = vld1q_f32(p + 4 * i);
        if (quantizing == MBN_QUANTIZE_INVERSE) {
            y.q[i] = nearest_even(vmulq_f32(x, inverse));
        } else if (quantizing == MBN_QUANTIZE_QUOTIENT) {
            y.q[i] = nearest_even(vdivq_f32(x, divisor));
        } else {
            y.q[i] = vcvtaq_s32_f32(vmaxnmq_f32(vdivq_f32(x, divisor), least));
        }
    }
    return y;
}

/* ---- Bytes of four pixels ------------------------------------------------------------------- */

typedef struct byte_limits {
    int16x8_t zero;
    uint8x16_t low, high;
} byte_limits;

MBN_INLINE byte_limits byte_limits_of(mbn_byte_range range) {
    return (byte_limits){vdupq_n_s16(range.zero), vdupq_n_u8(range.low), vdupq_n_u8(range.high)};
}
MBN_INLINE uint8x16_t bytes_of_pixel(const byte_limits *limits, sums a) {
    const int16x8_t low = vqmovn_high_s32(vqmovn_s32(a.q[0]), a.q[1]);
    const int16x8_t high = vqmovn_high_s32(vqmovn_s32(a.q[2]), a.q[3]);
    const uint8x16_t all = vqmovun_high_s16(vqmovun_s16(vqaddq_s16(low, limits->zero)),
                                            vqaddq_s16(high, limits->zero));
    return vminq_u8(vmaxq_u8(all, limits->low), limits->high);
}
MBN_INLINE bytes64 bytes_of(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return (bytes64){{
        bytes_of_pixel(limits, a),
        bytes_of_pixel(limits, b),
        bytes_of_pixel(limits, c),
        bytes_of_pixel(limits, d),
    }};
}
/* Pixel number i. */
MBN_INLINE sums bytes_widen(bytes64 a, int32_t i) {
    const uint16x8_t low = vmovl_u8(vget_low_u8(a.q[i])), high = vmovl_high_u8(a.q[i]);
    return (sums){{
        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
        vreinterpretq_s32_u32(vmovl_high_u16(low)),
        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
        vreinterpretq_s32_u32(vmovl_high_u16(high)),
    }};
}
/* The sum of bytes by MBN_ADD_SHIFT. */
MBN_INLINE bytes64 bytes_add_shift(const mbn_q8_add *add, const byte_limits *limits, bytes64 a,
                                   bytes64 b) {
    const uint32_t m = (uint32_t)add->multiplier[0].fixed, n = (uint32_t)add->multiplier[1].fixed;
    const uint32_t rest =
        (1u << (add->output.shift - 1)) - m * (uint32_t)add->zero[0] - n * (uint32_t)add->zero[1];
    const int32x4_t right = vdupq_n_s32(-add->output.shift);
    bytes64 y;
    QUARTERS(p) {
        const sums x = bytes_widen(a, p), z = bytes_widen(b, p);
        sums sum;
        QUARTERS(i) {
            uint32x4_t all = vmlaq_n_u32(vdupq_n_u32(rest), vreinterpretq_u32_s32(x.q[i]), m);
            all = vmlaq_n_u32(all, vreinterpretq_u32_s32(z.q[i]), n);
            sum.q[i] = vshlq_s32(vreinterpretq_s32_u32(all), right);
        }
        y.q[p] = bytes_of_pixel(limits, sum);
    }
    return y;
}
MBN_INLINE void bytes_store(void *p, bytes64 a) {
    QUARTERS(i) vst1q_u8((uint8_t *)p + 16 * i, a.q[i]);
}
MBN_INLINE void bytes_store_some(void *p, int32_t pixels, bytes64 a) {
    QUARTERS(i) {
        if (i < pixels) vst1q_u8((uint8_t *)p + 16 * i, a.q[i]);
    }
}
MBN_INLINE bytes64 bytes_load(const void *p) {
    bytes64 y;
    QUARTERS(i) y.q[i] = vld1q_u8((const uint8_t *)p + 16 * i);
    return y;
}
/* The others are the first one. */
MBN_INLINE bytes64 bytes_load_some(const void *p, int32_t pixels) {
    bytes64 y;
    QUARTERS(i) y.q[i] = vld1q_u8((const uint8_t *)p + (i < pixels ? 16 * i : 0));
    return y;
}
/* A quarter of the table at a time: what lies beyond it keeps the byte. */
MBN_INLINE bytes64 bytes_lookup(const uint8_t *table, bytes64 a) {
    bytes64 y = {{vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)}};
    QUARTERS(i) {
        const uint8x16x4_t part = vld1q_u8_x4(table + 64 * i);
        const uint8x16_t begin = vdupq_n_u8((uint8_t)(64 * i));
        QUARTERS(p) y.q[p] = vqtbx4q_u8(y.q[p], part, vsubq_u8(a.q[p], begin));
    }
    return y;
}
/* Of four rows of 16 bytes the columns. */
MBN_INLINE bytes64 bytes_interleave(bytes64 a) {
    const uint8x16_t even_low = vzip1q_u8(a.q[0], a.q[2]), odd_low = vzip1q_u8(a.q[1], a.q[3]);
    const uint8x16_t even_high = vzip2q_u8(a.q[0], a.q[2]), odd_high = vzip2q_u8(a.q[1], a.q[3]);
    return (bytes64){{
        vzip1q_u8(even_low, odd_low),
        vzip2q_u8(even_low, odd_low),
        vzip1q_u8(even_high, odd_high),
        vzip2q_u8(even_high, odd_high),
    }};
}
MBN_INLINE bytes64 bytes_spread(bytes64 a) {
    static const uint8_t first[16] = {0, 1, 2, 48, 3, 4, 5, 48, 6, 7, 8, 48, 9, 10, 11, 48};
    static const uint8_t each[16] = {12, 12, 12, 0, 12, 12, 12, 0, 12, 12, 12, 0, 12, 12, 12, 0};
    const uint8x16x4_t all = {{a.q[0], a.q[1], a.q[2], a.q[3]}};
    uint8x16_t at = vld1q_u8(first);
    bytes64 y;
    QUARTERS(i) {
        y.q[i] = vqtbl4q_u8(all, at);
        at = vaddq_u8(at, vld1q_u8(each));
    }
    return y;
}

/* ---- Sums of bytes -------------------------------------------------------------------------- */

MBN_INLINE sums pixel_sum(const void *p, sums sum) {
    const bytes64 one = bytes_load_some(p, 1);
    return sums_add(sum, bytes_widen(one, 0));
}
MBN_INLINE sums pixels_sum(const void *p, sums sum) {
    const bytes64 a = bytes_load(p);
    uint16x8_t low = vaddl_u8(vget_low_u8(a.q[0]), vget_low_u8(a.q[1]));
    uint16x8_t high = vaddl_high_u8(a.q[0], a.q[1]);
    low = vaddq_u16(low, vaddl_u8(vget_low_u8(a.q[2]), vget_low_u8(a.q[3])));
    high = vaddq_u16(high, vaddl_high_u8(a.q[2], a.q[3]));
    const uint32x4_t quarters[4] = {vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low),
                                    vmovl_u16(vget_low_u16(high)), vmovl_high_u16(high)};
    QUARTERS(i) sum.q[i] = vaddq_s32(sum.q[i], vreinterpretq_s32_u32(quarters[i]));
    return sum;
}

#endif
