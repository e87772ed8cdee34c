/* Sums and bytes (kernels/body/q8/vocabulary.h) in AVX-512 with VNNI, but for what VBMI does
 * better. */
#ifndef MBN_KERNELS_AVX512VNNI_VEC_H
#define MBN_KERNELS_AVX512VNNI_VEC_H

#include "kernels/inline.h"
#include <immintrin.h>
#include <string.h>

/* 16 sums, as vectors of int: gcc 12 spills tiles of __m512i. */
typedef int32_t sums __attribute__((vector_size(64)));
typedef __m512i operand, packed;
typedef __m512i bytes64;

static inline sums sums_zero(void) {
    return (sums)_mm512_setzero_si512();
}
static inline sums sums_splat(int32_t a) {
    return (sums)_mm512_set1_epi32(a);
}
static inline sums sums_load(const void *p) {
    return (sums)_mm512_loadu_si512(p);
}
static inline void sums_store(void *p, sums a) {
    _mm512_storeu_si512(p, (__m512i)a);
}
static inline sums sums_add(sums a, sums b) {
    return (sums)_mm512_add_epi32((__m512i)a, (__m512i)b);
}
static inline sums sums_sub(sums a, sums b) {
    return (sums)_mm512_sub_epi32((__m512i)a, (__m512i)b);
}
static inline sums sums_mul(sums a, sums b) {
    return (sums)_mm512_mullo_epi32((__m512i)a, (__m512i)b);
}
static inline sums sums_add_product(sums x, sums y, sums rest) {
    return (sums)_mm512_dpwssd_epi32((__m512i)rest, (__m512i)x, (__m512i)y);
}
static inline sums sums_shift(sums a, int32_t n) {
    return (sums)_mm512_sra_epi32((__m512i)a, _mm_cvtsi32_si128(n));
}

static inline packed packed_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline operand operand_broadcast(const void *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}
static inline operand operand_splat(uint8_t byte) {
    return _mm512_set1_epi8((char)byte);
}
static inline operand operand_first(const void *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline sums operand_dot(operand x, packed weights, sums sum) {
    return (sums)_mm512_dpbusd_epi32((__m512i)sum, x, weights);
}

static inline sums pixel_sum(const void *p, sums sum) {
    return sums_add(sum, (sums)operand_first(p));
}

/* ---- Rescaling ------------------------------------------------------------------------------ */

static inline bool sums_within(sums a, int32_t most) {
    return _mm512_cmpgt_epu32_mask(_mm512_abs_epi32((__m512i)a), _mm512_set1_epi32(most)) == 0;
}
static inline bool sums_negative(sums a) {
    return _mm512_movepi32_mask((__m512i)a) == 0xFFFF;
}

typedef __m512 factors;

static inline factors factors_load(const void *p) {
    return _mm512_loadu_ps(p);
}
static inline bool factors_small(factors m) {
    return _mm512_cmp_ps_mask(m, _mm512_set1_ps(1.0F), _CMP_NLT_UQ) == 0;
}
static inline sums rescale_small(sums x, factors m) {
    return (sums)_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps((__m512i)x), m));
}

/* Sums that are at most 2^26 in magnitude, given as the bits of 2^23 + x: a float32 that is exactly
 * that from 0 to 2^23, less below, and above more.  Multiplied with m and 2^23 m, which is exact,
 * taken off before the only rounding, x m is as it would be of x as a float; what is negative stays
 * so, and from 2^-15 on for m what is above 2^23 gives more than 255, and less than 2^31.  (Or m is
 * 0, of channels that there are not.) */
enum { RAISED_SUM_MOST = 1 << 26 };
static inline sums sums_raised(sums a) {
    return (sums)_mm512_add_epi32((__m512i)a, _mm512_castps_si512(_mm512_set1_ps(0x1p23F)));
}
static inline bool factors_raised(factors m) {
    const __mmask16 other = _mm512_cmp_ps_mask(m, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    return _mm512_mask_cmp_ps_mask(other, m, _mm512_set1_ps(0x1p-15F), _CMP_NGE_UQ) == 0 &&
           factors_small(m);
}
static inline sums raised_times(sums x, factors m) {
    const __m512 raised = _mm512_mul_ps(m, _mm512_set1_ps(0x1p23F));
    return (sums)_mm512_castps_si512(_mm512_fmsub_ps(_mm512_castsi512_ps((__m512i)x), m, raised));
}
static inline sums sums_converted(sums x) {
    return (sums)_mm512_castps_si512(_mm512_cvtepi32_ps((__m512i)x));
}
static inline sums converted_times(sums x, factors m) {
    return (sums)_mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps((__m512i)x), m));
}
static inline sums converted_nearest(sums x) {
    return (sums)_mm512_cvtps_epi32(_mm512_castsi512_ps((__m512i)x));
}

/* To nearest, ties to even; the instruction's answer to what no int32 holds, and to NaN, is the
 * lowest one. */
static inline sums nearest_even(__m512 x) {
    return (sums)_mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(0x1p30F), x));
}
static inline sums rescale_float(sums x, const void *factors_at) {
    return nearest_even(_mm512_mul_ps(_mm512_cvtepi32_ps((__m512i)x), _mm512_loadu_ps(factors_at)));
}
static inline sums rescale_inside(sums x, factors m, float inside) {
    return nearest_even(
        _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps((__m512i)x), m), _mm512_set1_ps(inside)));
}
static inline sums sums_of_products(sums x, float m, sums y, float n, float rest) {
    const __m512 inner =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps((__m512i)y), _mm512_set1_ps(n), _mm512_set1_ps(rest));
    return nearest_even(_mm512_fmadd_ps(_mm512_cvtepi32_ps((__m512i)x), _mm512_set1_ps(m), inner));
}

/* The rounded upper half of 2 x m. */
static inline __m512i srdhm(__m512i x, __m512i m) {
    const __m512i half = _mm512_set1_epi64(1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, m), half);
    const __m512i odd = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(m, 32)), half);
    /* Bits 31 to 62 of each. */
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}
/* a / 2^n, ties away from zero. */
static inline __m512i rdbpot(__m512i a, __m512i n) {
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, n), one);
    const __m512i most = /* that is rounded down */
        _mm512_sub_epi32(_mm512_srli_epi32(mask, 1), _mm512_srai_epi32(a, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(a, mask), most);
    const __m512i down = _mm512_srav_epi32(a, n);
    return _mm512_mask_add_epi32(down, up, down, one);
}
static inline sums rescale_fixed(sums x, sums fixed, sums shift) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i left = _mm512_max_epi32((__m512i)shift, zero);
    const __m512i right = _mm512_max_epi32(_mm512_sub_epi32(zero, (__m512i)shift), zero);
    return (sums)rdbpot(srdhm(_mm512_sllv_epi32((__m512i)x, left), (__m512i)fixed), right);
}

typedef struct fixed_factors {
    __m512i even, odd; /* twice the factors: the odd ones in even places, too */
    __m512i right, less, offset;
} fixed_factors;

static inline fixed_factors fixed_factors_of(sums fixed, sums shift, sums less, sums offset,
                                             uint8_t zero) {
    const __m512i twice = _mm512_slli_epi32((__m512i)fixed, 1);
    const __m512i right = _mm512_sub_epi32(_mm512_setzero_si512(), (__m512i)shift);
    return (fixed_factors){
        twice,
        _mm512_srli_epi64(twice, 32),
        right,
        _mm512_sub_epi32((__m512i)less, _mm512_sllv_epi32(_mm512_set1_epi32(zero), right)),
        (__m512i)offset,
    };
}
static inline sums fixed_round(const fixed_factors *f, sums x) {
    const __m512i even = _mm512_mul_epu32((__m512i)x, f->even);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)x, 32), f->odd);
    const __m512i upper = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_CDAB);
    return (sums)_mm512_sub_epi32(upper, f->less);
}
static inline sums fixed_round_negative(const fixed_factors *f, sums x, sums y) {
    const __mmask16 negative = _mm512_cmplt_epu32_mask((__m512i)x, f->offset);
    return (sums)_mm512_mask_sub_epi32((__m512i)y, negative, (__m512i)y, _mm512_set1_epi32(1));
}
static inline sums fixed_shift(const fixed_factors *f, sums y) {
    return (sums)_mm512_srav_epi32((__m512i)y, f->right);
}

/* Ties away from zero, of what 32 bits hold. */
static inline __m256i nearest_away(__m512d x) {
    const __m512d whole = _mm512_roundscale_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    const __m512d rest = _mm512_sub_pd(x, whole), half = _mm512_set1_pd(0.5);
    const __mmask8 up = _mm512_cmp_pd_mask(rest, half, _CMP_GE_OQ);
    const __mmask8 down = _mm512_cmp_pd_mask(rest, _mm512_set1_pd(-0.5), _CMP_LE_OQ);
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i nearest =
        _mm256_mask_add_epi32(_mm512_cvttpd_epi32(x), up, _mm512_cvttpd_epi32(x), one);
    return _mm256_mask_sub_epi32(nearest, down, nearest, one);
}
static inline __m256i rescale_double_half(__m256i x, const double *factors_at) {
    const __m512d most = _mm512_set1_pd(0x1p30);
    const __m512d product = _mm512_mul_pd(_mm512_cvtepi32_pd(x), _mm512_loadu_pd(factors_at));
    return nearest_away(_mm512_max_pd(_mm512_min_pd(product, most), _mm512_set1_pd(-0x1p30)));
}
static inline sums rescale_double(sums x, const void *factors_at) {
    const double *m = factors_at;
    const __m256i low = rescale_double_half(_mm512_castsi512_si256((__m512i)x), m);
    const __m256i high = rescale_double_half(_mm512_extracti64x4_epi64((__m512i)x, 1), m + 8);
    return (sums)_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline sums quantize(const float *p, mbn_quantizing quantizing, float scale) {
    const __m512 x = _mm512_loadu_ps(p);
    if (quantizing == MBN_QUANTIZE_INVERSE) {
        return nearest_even(_mm512_mul_ps(x, _mm512_set1_ps(1.0F / scale)));
    }
    const __m512 quotient = _mm512_div_ps(x, _mm512_set1_ps(scale));
    if (quantizing == MBN_QUANTIZE_QUOTIENT) return nearest_even(quotient);
    const __m512 within =
        _mm512_max_ps(_mm512_set1_ps(-0x1p30F), _mm512_min_ps(_mm512_set1_ps(0x1p30F), quotient));
    const __m512i whole = _mm512_cvttps_epi32(within), one = _mm512_set1_epi32(1);
    const __m512 rest = _mm512_sub_ps(within, _mm512_cvtepi32_ps(whole));
    const __mmask16 up = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(0.5F), _CMP_GE_OQ);
    const __mmask16 down = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(-0.5F), _CMP_LE_OQ);
    const __m512i nearest = _mm512_mask_add_epi32(whole, up, whole, one);
    return (sums)_mm512_mask_sub_epi32(nearest, down, nearest, one);
}

/* ---- Bytes of four pixels ------------------------------------------------------------------- */

typedef struct byte_limits {
    __m512i zero, low, high; /* zero: int16 */
} byte_limits;

static inline byte_limits byte_limits_of(mbn_byte_range range) {
    return (byte_limits){
        _mm512_set1_epi16(range.zero),
        _mm512_set1_epi8((char)range.low),
        _mm512_set1_epi8((char)range.high),
    };
}
/* Four quarters of each of four vectors in their order. */
static inline __m512i quarters_turned(__m512i a) {
    const __m512i turn = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    return _mm512_permutexvar_epi32(turn, a);
}
static inline __m512i bytes_packed(__m512i zero, sums a, sums b, sums c, sums d) {
    const __m512i ab = _mm512_packs_epi32((__m512i)a, (__m512i)b);
    const __m512i cd = _mm512_packs_epi32((__m512i)c, (__m512i)d);
    return _mm512_packus_epi16(_mm512_adds_epi16(ab, zero), _mm512_adds_epi16(cd, zero));
}
#define CLAMP_APART 1
static inline bytes64 bytes_clamped(const byte_limits *limits, bytes64 a) {
    return _mm512_min_epu8(_mm512_max_epu8(a, limits->low), limits->high);
}
/* Of sums that are packed where they belong (bytes_fourth). */
static inline bytes64 bytes_of_fourths(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return bytes_clamped(limits, bytes_packed(limits->zero, a, b, c, d));
}
static inline bytes64 bytes_of(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return quarters_turned(bytes_of_fourths(limits, a, b, c, d));
}
static inline bytes64 bytes_of_all(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return quarters_turned(bytes_packed(limits->zero, a, b, c, d));
}
static inline bytes64 bytes_positive(sums a, sums b, sums c, sums d) {
    const __m512i ab = _mm512_packs_epi32((__m512i)a, (__m512i)b);
    const __m512i cd = _mm512_packs_epi32((__m512i)c, (__m512i)d);
    return quarters_turned(_mm512_packus_epi16(ab, cd));
}
static inline void bytes_store(void *p, bytes64 a) {
    _mm512_storeu_si512(p, a);
}
static inline void bytes_store_some(void *p, int32_t pixels, bytes64 a) {
    const __m256i low = _mm512_castsi512_si256(a);
    switch (pixels) {
    case 1: _mm_storeu_si128(p, _mm256_castsi256_si128(low)); break;
    case 2: _mm256_storeu_si256(p, low); break;
    case 3:
        _mm256_storeu_si256(p, low);
        _mm_storeu_si128((__m128i *)p + 2, _mm512_extracti32x4_epi32(a, 2));
        break;
    case 4: bytes_store(p, a); break;
    }
}
static inline bytes64 bytes_load(const void *p) {
    return _mm512_loadu_si512(p);
}
/* No masks: a masked load waits for a store that it follows closely. */
static inline bytes64 bytes_load_some(const void *p, int32_t pixels) {
    const __m128i *from = p;
    switch (pixels) {
    case 1: return _mm512_zextsi128_si512(_mm_loadu_si128(from));
    case 2: return _mm512_zextsi256_si512(_mm256_loadu_si256(p));
    case 3:
        return _mm512_inserti32x4(_mm512_zextsi256_si512(_mm256_loadu_si256(p)),
                                  _mm_loadu_si128(from + 2), 2);
    default: return bytes_load(p);
    }
}
/* Pixel number i. */
static inline sums bytes_widen(bytes64 a, int32_t i) {
    const __m512i at = _mm512_add_epi32(
        _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 0), _mm512_set1_epi32(4 * i));
    return (sums)_mm512_cvtepu8_epi32(_mm512_castsi512_si128(_mm512_permutexvar_epi32(at, a)));
}

#define BYTES_IN_FOURTHS 1
/* Channels 4 i to 4 i + 3 of each of the four pixels, and of 16 numbers as often. */
static inline sums bytes_fourth(bytes64 a, int32_t i) {
    const __m512i none = _mm512_setzero_si512();
    const __m512i half = i < 2 ? _mm512_unpacklo_epi8(a, none) : _mm512_unpackhi_epi8(a, none);
    return (sums)(i % 2 == 0 ? _mm512_unpacklo_epi16(half, none)
                             : _mm512_unpackhi_epi16(half, none));
}
/* The same as floats, 2^15 more: a byte is the middle of what such a float has behind the comma. */
static inline factors bytes_fourth_raised(bytes64 a, int32_t i) {
    const __m512i none = _mm512_setzero_si512(), raise = _mm512_set1_epi16(0x4700);
    const __m512i half = i < 2 ? _mm512_unpacklo_epi8(none, a) : _mm512_unpackhi_epi8(none, a);
    return _mm512_castsi512_ps(i % 2 == 0 ? _mm512_unpacklo_epi16(half, raise)
                                          : _mm512_unpackhi_epi16(half, raise));
}
/* Of such a byte x: x gate, less what `rest` has of it, which is exact, times m to the nearest. */
typedef struct raised_gate {
    factors gate, rest;
} raised_gate;
static inline raised_gate raised_gate_of(sums gate, int32_t input_zero) {
    const __m512 g = _mm512_cvtepi32_ps((__m512i)gate);
    return (raised_gate){g, _mm512_mul_ps(g, _mm512_set1_ps(-0x1p15F - (float)input_zero))};
}
static inline sums rescale_gated(factors raised, const raised_gate *g, factors m) {
    return (sums)_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_fmadd_ps(raised, g->gate, g->rest), m));
}
static inline sums sums_fourth(sums a, int32_t i) {
    const __m512i lane = _mm512_set_epi32(3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0);
    return (sums)_mm512_permutexvar_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(4 * i)),
                                          (__m512i)a);
}
/* The sum of bytes by MBN_ADD_SHIFT, for factors below 2^30 in magnitude: pairs of a and b as int16
 * times pairs of the factors' lower 15 bits, and of what is above. */
#define ADD_PREPARED 1
typedef struct prepared_add {
    __m512i lower, upper, start;
    __m128i shift;
} prepared_add;

static inline prepared_add prepared_add_of(const mbn_q8_add *add) {
    const int32_t m = add->multiplier[0].fixed, n = add->multiplier[1].fixed;
    const uint32_t rest = (1u << (add->output.shift - 1)) - (uint32_t)m * (uint32_t)add->zero[0] -
                          (uint32_t)n * (uint32_t)add->zero[1];
    return (prepared_add){
        _mm512_set1_epi32((int32_t)((uint32_t)(n & 0x7FFF) << 16) | (m & 0x7FFF)),
        _mm512_set1_epi32((int32_t)((uint32_t)(n >> 15) << 16 | ((uint32_t)(m >> 15) & 0xFFFF))),
        _mm512_set1_epi32((int32_t)rest),
        _mm_cvtsi32_si128(add->output.shift),
    };
}
static inline bytes64 bytes_add_prepared(const prepared_add *add, const byte_limits *limits,
                                         bytes64 a, bytes64 b) {
    const __m512i none = _mm512_setzero_si512();
    const __m512i half[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};
    __m512i words[2];
    MBN_UNROLL
    for (int i = 0; i < 2; i++) {
        __m512i sum[2];
        MBN_UNROLL
        for (int j = 0; j < 2; j++) {
            const __m512i pairs =
                j == 0 ? _mm512_unpacklo_epi8(half[i], none) : _mm512_unpackhi_epi8(half[i], none);
            const __m512i high = _mm512_slli_epi32(_mm512_madd_epi16(pairs, add->upper), 15);
            sum[j] = _mm512_sra_epi32(
                _mm512_add_epi32(_mm512_dpwssd_epi32(add->start, pairs, add->lower), high),
                add->shift);
        }
        words[i] = _mm512_adds_epi16(_mm512_packs_epi32(sum[0], sum[1]), limits->zero);
    }
    return bytes_clamped(limits, _mm512_packus_epi16(words[0], words[1]));
}

#endif
