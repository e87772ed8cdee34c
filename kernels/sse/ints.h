/* Vectors of int32 (kernels/body/q8/parts.h) in SSE4.1. */
#ifndef MBN_KERNELS_SSE_INTS_H
#define MBN_KERNELS_SSE_INTS_H

#include <mobilenet/q8.h>

#include <smmintrin.h>
#include <string.h>

typedef __m128i ints;
typedef __m128 reals;

#define WIDTH 4

static inline ints ints_zero(void) {
    return _mm_setzero_si128();
}
static inline ints ints_splat(int32_t a) {
    return _mm_set1_epi32(a);
}
static inline ints ints_load(const void *p) {
    return _mm_loadu_si128((const __m128i *)p);
}
static inline void ints_store(void *p, ints a) {
    _mm_storeu_si128((__m128i *)p, a);
}
static inline ints ints_add(ints a, ints b) {
    return _mm_add_epi32(a, b);
}
static inline ints ints_sub(ints a, ints b) {
    return _mm_sub_epi32(a, b);
}
static inline ints ints_mul(ints a, ints b) {
    return _mm_mullo_epi32(a, b);
}
static inline ints ints_shift(ints a, int32_t n) {
    return _mm_sra_epi32(a, _mm_cvtsi32_si128(n));
}
static inline ints ints_shift_left(ints a, int32_t n) {
    return _mm_sll_epi32(a, _mm_cvtsi32_si128(n));
}
static inline __m128i four_bytes(const void *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm_cvtsi32_si128(four);
}
static inline ints ints_broadcast(const void *p) {
    return _mm_shuffle_epi32(four_bytes(p), 0);
}
static inline ints ints_widen(const void *p) {
    return _mm_cvtepu8_epi32(four_bytes(p));
}
static inline ints ints_dot(ints x, ints w, ints sum) {
    return _mm_add_epi32(sum, _mm_madd_epi16(x, w));
}
static inline ints ints_first_pair(ints four) {
    return _mm_shuffle_epi8(four, _mm_set1_epi32((int)0x80018000));
}
static inline ints ints_second_pair(ints four) {
    return _mm_shuffle_epi8(four, _mm_set1_epi32((int)0x80038002));
}
static inline void ints_two_pairs(const int16_t *p, ints two[2]) {
    const __m128i four = _mm_loadl_epi64((const __m128i *)p);
    two[0] = _mm_shuffle_epi32(four, 0x00);
    two[1] = _mm_shuffle_epi32(four, 0x55);
}
static inline void pixel_widen(const void *p, int16_t *out) {
    const __m128i a = _mm_loadu_si128(p), none = _mm_setzero_si128();
    ints_store(out, _mm_cvtepu8_epi16(a));
    ints_store(out + 8, _mm_unpackhi_epi8(a, none));
}
static inline void image_widen(const void *p, int16_t *out) {
    const __m128i a = _mm_loadu_si128(p), none = _mm_setzero_si128();
    const __m128i three =
        _mm_shuffle_epi8(a, _mm_set_epi8(-1, -1, -1, -1, 14, 13, 12, 10, 9, 8, 6, 5, 4, 2, 1, 0));
    ints_store(out, _mm_cvtepu8_epi16(three));
    ints_store(out + 8, _mm_unpackhi_epi8(three, none));
}
static inline void pixels_pair(const void *p, const void *q, void *out) {
    const __m128i a = _mm_loadu_si128(p), b = _mm_loadu_si128(q), none = _mm_setzero_si128();
    const __m128i low = _mm_unpacklo_epi8(a, b), high = _mm_unpackhi_epi8(a, b);
    __m128i *to = out;
    ints_store(to, _mm_cvtepu8_epi16(low));
    ints_store(to + 1, _mm_unpackhi_epi8(low, none));
    ints_store(to + 2, _mm_cvtepu8_epi16(high));
    ints_store(to + 3, _mm_unpackhi_epi8(high, none));
}

static inline reals reals_load(const void *p) {
    return _mm_loadu_ps(p);
}
static inline reals reals_splat(float a) {
    return _mm_set1_ps(a);
}
static inline reals reals_of(ints a) {
    return _mm_cvtepi32_ps(a);
}
static inline reals reals_add(reals a, reals b) {
    return _mm_add_ps(a, b);
}
static inline reals reals_mul(reals a, reals b) {
    return _mm_mul_ps(a, b);
}
static inline reals reals_div(reals a, reals b) {
    return _mm_div_ps(a, b);
}
/* Two lanes.  The product is exact in double, the sum is rounded to odd there (Boldo and Melquiond
 * 2008, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd"):
 * inexact, its last bit is set, so that rounding it again goes where rounding once would. */
static inline __m128 fma_two(__m128 a, __m128 b, __m128 c) {
    const __m128d product = _mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), rest = _mm_cvtps_pd(c);
    const __m128d sum = _mm_add_pd(product, rest);
    const __m128d of_rest = _mm_sub_pd(sum, product);
    const __m128d error =
        _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, of_rest)), _mm_sub_pd(rest, of_rest));
    const __m128i bits = _mm_castpd_si128(sum), one = _mm_set_epi64x(1, 1);
    const __m128i inexact = _mm_castpd_si128(_mm_cmpneq_pd(error, _mm_setzero_pd()));
    /* What was rounded away from zero goes back by one before the bit is set. */
    const __m128i away = _mm_srli_epi64(_mm_xor_si128(bits, _mm_castpd_si128(error)), 63);
    const __m128i odd = _mm_or_si128(_mm_sub_epi64(bits, away), one);
    return _mm_cvtpd_ps(_mm_castsi128_pd(_mm_blendv_epi8(bits, odd, inexact)));
}
static __attribute__((noinline)) reals reals_fma(reals a, reals b, reals c) {
    return _mm_movelh_ps(fma_two(a, b, c),
                         fma_two(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(c, c)));
}
static inline bool reals_below_one(reals a) {
    return _mm_movemask_ps(_mm_cmpnlt_ps(a, _mm_set1_ps(1.0F))) == 0;
}
static inline ints reals_nearest(reals a) {
    return _mm_cvtps_epi32(a);
}
/* The instruction returns its second operand where one is NaN. */
static inline ints reals_nearest_bounded(reals a) {
    return _mm_cvtps_epi32(_mm_min_ps(_mm_set1_ps(0x1p30F), a));
}
static __attribute__((noinline)) ints reals_nearest_away(reals a) {
    const __m128 bounded = _mm_max_ps(_mm_set1_ps(-0x1p30F), _mm_min_ps(_mm_set1_ps(0x1p30F), a));
    const __m128i whole = _mm_cvttps_epi32(bounded);
    const __m128 rest = _mm_sub_ps(bounded, _mm_cvtepi32_ps(whole));
    const __m128 up = _mm_cmpge_ps(rest, _mm_set1_ps(0.5F));
    const __m128 down = _mm_cmple_ps(rest, _mm_set1_ps(-0.5F));
    return _mm_add_epi32(_mm_sub_epi32(whole, _mm_castps_si128(up)), _mm_castps_si128(down));
}

/* 2^n for n of 0 to 31, the last one modulo 2^32. */
static inline __m128i power_of_two(__m128i n) {
    const __m128i bits = _mm_slli_epi32(_mm_add_epi32(n, _mm_set1_epi32(127)), 23);
    return _mm_cvttps_epi32(_mm_castsi128_ps(bits));
}
/* (x m + 2^30 - less) / 2^31, rounded down. */
static inline __m128i upper_half(__m128i x, __m128i m, __m128i less) {
    const __m128i half = _mm_set_epi64x(1 << 30, 1 << 30);
    const __m128i lower = _mm_set_epi64x(0xFFFFFFFF, 0xFFFFFFFF);
    const __m128i even =
        _mm_sub_epi64(_mm_add_epi64(_mm_mul_epi32(x, m), half), _mm_and_si128(less, lower));
    const __m128i odd = _mm_sub_epi64(
        _mm_add_epi64(_mm_mul_epi32(_mm_srli_epi64(x, 32), _mm_srli_epi64(m, 32)), half),
        _mm_srli_epi64(less, 32));
    return _mm_blend_epi16(_mm_srli_epi64(even, 31), _mm_slli_epi64(odd, 1), 0xCC);
}
/* There are no shifts by lanes: to the left it is a multiplication, and to the right by n the upper
 * half of one with 2^(31 - n), which is rounded like the other. */
static __attribute__((noinline)) ints ints_rescale_fixed(ints x, ints fixed, ints shift) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i left = _mm_max_epi32(shift, zero);
    const __m128i right = _mm_max_epi32(_mm_sub_epi32(zero, shift), zero);
    const __m128i upper = upper_half(_mm_mullo_epi32(x, power_of_two(left)), fixed, zero);
    const __m128i unit = power_of_two(_mm_sub_epi32(_mm_set1_epi32(31), right));
    const __m128i less = _mm_and_si128(_mm_srai_epi32(upper, 31), unit);
    return _mm_blendv_epi8(upper_half(upper, unit, less), upper, _mm_cmpeq_epi32(right, zero));
}

static inline bool ints_within(ints a, int32_t most) {
    const __m128i bound = _mm_set1_epi32(most);
    const __m128i size = _mm_abs_epi32(a); /* 2^31 as unsigned */
    return _mm_movemask_epi8(_mm_cmpeq_epi32(_mm_max_epu32(size, bound), bound)) == 0xFFFF;
}
static inline bool ints_negative(ints a) {
    return _mm_movemask_ps(_mm_castsi128_ps(a)) == 0xF;
}

typedef struct fixed_part {
    __m128i even, odd; /* twice the factors: the odd ones in even places, too */
    __m128i unit;      /* 2^(31 + shift) */
    __m128i less, offset;
} fixed_part;

static inline fixed_part fixed_part_of(ints fixed, ints shift, ints less, ints offset,
                                       int32_t zero) {
    const __m128i twice = _mm_slli_epi32(fixed, 1);
    const __m128i places = power_of_two(_mm_sub_epi32(_mm_setzero_si128(), shift));
    return (fixed_part){
        twice,
        _mm_srli_epi64(twice, 32),
        power_of_two(_mm_add_epi32(_mm_set1_epi32(31), shift)),
        _mm_sub_epi32(less, _mm_mullo_epi32(_mm_set1_epi32(zero), places)),
        offset,
    };
}
static inline ints part_rescale(const fixed_part *f, const int32_t *p, bool signs) {
    const __m128i x = ints_load(p);
    const __m128i even = _mm_mul_epu32(x, f->even);
    const __m128i odd = _mm_mul_epu32(ints_load(p + 1), f->odd);
    const __m128i upper = _mm_blend_epi16(_mm_srli_epi64(even, 32), odd, 0xCC);
    __m128i y = _mm_sub_epi32(upper, f->less);
    if (signs) y = _mm_add_epi32(y, _mm_srai_epi32(_mm_sub_epi32(x, f->offset), 31));
    const __m128i even_shifted = _mm_mul_epi32(y, f->unit);
    const __m128i odd_shifted = _mm_mul_epi32(_mm_srli_epi64(y, 32), _mm_srli_epi64(f->unit, 32));
    return _mm_blend_epi16(_mm_srli_epi64(even_shifted, 31), _mm_slli_epi64(odd_shifted, 1), 0xCC);
}

/* Ties away from zero, bounded to 2^30. */
static inline __m128i nearest_away(__m128d a) {
    const __m128d most = _mm_set1_pd(0x1p30), least = _mm_set1_pd(-0x1p30);
    const __m128d x = _mm_max_pd(least, _mm_min_pd(most, a));
    const __m128i whole = _mm_cvttpd_epi32(x);
    const __m128d rest = _mm_sub_pd(x, _mm_cvtepi32_pd(whole));
    const __m128d up = _mm_and_pd(_mm_cmpge_pd(rest, _mm_set1_pd(0.5)), _mm_set1_pd(1.0));
    const __m128d down = _mm_and_pd(_mm_cmple_pd(rest, _mm_set1_pd(-0.5)), _mm_set1_pd(-1.0));
    return _mm_add_epi32(whole, _mm_cvttpd_epi32(_mm_add_pd(up, down)));
}
static __attribute__((noinline)) ints ints_rescale_double(ints x, const double *m) {
    const __m128d low = _mm_cvtepi32_pd(x), high = _mm_cvtepi32_pd(_mm_unpackhi_epi64(x, x));
    return _mm_unpacklo_epi64(nearest_away(_mm_mul_pd(low, _mm_loadu_pd(m))),
                              nearest_away(_mm_mul_pd(high, _mm_loadu_pd(m + 2))));
}

#endif
