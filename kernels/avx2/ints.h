/* Vectors of int32 (kernels/body/q8/parts.h) in AVX2 with FMA. */
#ifndef MBN_KERNELS_AVX2_INTS_H
#define MBN_KERNELS_AVX2_INTS_H

#include <mobilenet/q8.h>

#include <immintrin.h>
#include <string.h>

typedef __m256i ints;
typedef __m256 reals;

#define WIDTH 8

static inline ints ints_zero(void) {
    return _mm256_setzero_si256();
}
static inline ints ints_splat(int32_t a) {
    return _mm256_set1_epi32(a);
}
static inline ints ints_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void ints_store(void *p, ints a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline ints ints_add(ints a, ints b) {
    return _mm256_add_epi32(a, b);
}
static inline ints ints_sub(ints a, ints b) {
    return _mm256_sub_epi32(a, b);
}
static inline ints ints_mul(ints a, ints b) {
    return _mm256_mullo_epi32(a, b);
}
static inline ints ints_shift(ints a, int32_t n) {
    return _mm256_sra_epi32(a, _mm_cvtsi32_si128(n));
}
static inline ints ints_shift_left(ints a, int32_t n) {
    return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n));
}
static inline ints ints_broadcast(const void *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}
static inline ints ints_widen(const void *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline ints ints_dot(ints x, ints w, ints sum) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}
static inline ints ints_first_pair(ints four) {
    return _mm256_shuffle_epi8(four, _mm256_set1_epi32((int)0x80018000));
}
static inline ints ints_second_pair(ints four) {
    return _mm256_shuffle_epi8(four, _mm256_set1_epi32((int)0x80038002));
}
static inline void ints_two_pairs(const int16_t *p, ints two[2]) {
    two[0] = ints_broadcast(p);
    two[1] = ints_broadcast(p + 2);
}
static inline void pixel_widen(const void *p, int16_t *out) {
    ints_store(out, _mm256_cvtepu8_epi16(_mm_loadu_si128(p)));
}
static inline void image_widen(const void *p, int16_t *out) {
    const __m128i three = _mm_set_epi8(-1, -1, -1, -1, 14, 13, 12, 10, 9, 8, 6, 5, 4, 2, 1, 0);
    ints_store(out, _mm256_cvtepu8_epi16(_mm_shuffle_epi8(_mm_loadu_si128(p), three)));
}
static inline void pixels_pair(const void *p, const void *q, void *out) {
    const __m128i a = _mm_loadu_si128(p), b = _mm_loadu_si128(q);
    __m256i *to = out;
    ints_store(to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)));
    ints_store(to + 1, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)));
}

static inline reals reals_load(const void *p) {
    return _mm256_loadu_ps(p);
}
static inline reals reals_splat(float a) {
    return _mm256_set1_ps(a);
}
static inline reals reals_of(ints a) {
    return _mm256_cvtepi32_ps(a);
}
static inline reals reals_add(reals a, reals b) {
    return _mm256_add_ps(a, b);
}
static inline reals reals_mul(reals a, reals b) {
    return _mm256_mul_ps(a, b);
}
static inline reals reals_div(reals a, reals b) {
    return _mm256_div_ps(a, b);
}
static inline reals reals_fma(reals a, reals b, reals c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline bool reals_below_one(reals a) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_set1_ps(1.0F), _CMP_NLT_UQ)) == 0;
}
static inline ints reals_nearest(reals a) {
    return _mm256_cvtps_epi32(a);
}
/* The instruction returns its second operand where one is NaN. */
static inline ints reals_nearest_bounded(reals a) {
    return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(0x1p30F), a));
}
static inline ints reals_nearest_away(reals a) {
    const __m256 bounded =
        _mm256_max_ps(_mm256_set1_ps(-0x1p30F), _mm256_min_ps(_mm256_set1_ps(0x1p30F), a));
    /* What is just below a half stays below one with the float before 0.5. */
    const __m256 sign = _mm256_and_ps(bounded, _mm256_set1_ps(-0.0F));
    const __m256 half = _mm256_or_ps(sign, _mm256_set1_ps(0x1.fffffep-2F));
    return _mm256_cvttps_epi32(_mm256_add_ps(bounded, half));
}

/* The rounded upper half of 2 x m. */
static inline __m256i srdhm(__m256i x, __m256i m) {
    const __m256i half = _mm256_set1_epi64x(1 << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, m), half);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(m, 32)), half);
    /* Bits 31 to 62 of each. */
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
}
/* a / 2^n, ties away from zero. */
static inline __m256i rdbpot(__m256i a, __m256i n) {
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, n), one);
    const __m256i most = /* that is rounded down */
        _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_srai_epi32(a, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(a, mask), most);
    return _mm256_sub_epi32(_mm256_srav_epi32(a, n), up);
}
static inline ints ints_rescale_fixed(ints x, ints fixed, ints shift) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i left = _mm256_max_epi32(shift, zero);
    const __m256i right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
    return rdbpot(srdhm(_mm256_sllv_epi32(x, left), fixed), right);
}

static inline bool ints_within(ints a, int32_t most) {
    const __m256i bound = _mm256_set1_epi32(most);
    const __m256i size = _mm256_abs_epi32(a); /* 2^31 as unsigned */
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(_mm256_max_epu32(size, bound), bound)) == -1;
}
static inline bool ints_negative(ints a) {
    return _mm256_movemask_ps(_mm256_castsi256_ps(a)) == 0xFF;
}

/* Of each four numbers the second and the third change places: in this order come the upper halves
 * of the even ones' products and of the odd ones'. */
static inline __m256i middles_swapped(__m256i a) {
    return _mm256_shuffle_epi32(a, _MM_SHUFFLE(3, 1, 2, 0));
}

typedef struct fixed_part {
    __m256i even, odd;             /* twice the factors: the odd ones in even places, too */
    __m256i right, less, negative; /* middles swapped; negative: what is below has a sign */
} fixed_part;

static inline fixed_part fixed_part_of(ints fixed, ints shift, ints less, ints offset,
                                       int32_t zero) {
    (void)offset;
    const __m256i twice = _mm256_slli_epi32(fixed, 1);
    const __m256i right = _mm256_sub_epi32(_mm256_setzero_si256(), shift);
    const __m256i half =
        _mm256_srlv_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), _mm256_set1_epi32(1));
    return (fixed_part){
        twice,
        _mm256_srli_epi64(twice, 32),
        middles_swapped(right),
        middles_swapped(_mm256_sub_epi32(less, _mm256_sllv_epi32(_mm256_set1_epi32(zero), right))),
        middles_swapped(_mm256_add_epi32(less, half)),
    };
}
static inline ints part_rescale(const fixed_part *f, const int32_t *p, bool signs) {
    const __m256i even = _mm256_mul_epu32(ints_load(p), f->even);
    const __m256i odd = _mm256_mul_epu32(ints_load(p + 1), f->odd);
    const __m256i upper = _mm256_castps_si256(_mm256_shuffle_ps(
        _mm256_castsi256_ps(even), _mm256_castsi256_ps(odd), _MM_SHUFFLE(3, 1, 3, 1)));
    __m256i y = _mm256_sub_epi32(upper, f->less);
    if (signs) y = _mm256_add_epi32(y, _mm256_cmpgt_epi32(f->negative, upper));
    return _mm256_srav_epi32(y, f->right);
}

/* Ties away from zero, bounded to 2^30. */
static inline __m128i nearest_away(__m256d a) {
    const __m256d most = _mm256_set1_pd(0x1p30), least = _mm256_set1_pd(-0x1p30);
    const __m256d x = _mm256_max_pd(least, _mm256_min_pd(most, a));
    const __m128i whole = _mm256_cvttpd_epi32(x);
    const __m256d rest = _mm256_sub_pd(x, _mm256_cvtepi32_pd(whole));
    const __m256d up =
        _mm256_and_pd(_mm256_cmp_pd(rest, _mm256_set1_pd(0.5), _CMP_GE_OQ), _mm256_set1_pd(1.0));
    const __m256d down =
        _mm256_and_pd(_mm256_cmp_pd(rest, _mm256_set1_pd(-0.5), _CMP_LE_OQ), _mm256_set1_pd(-1.0));
    return _mm_add_epi32(whole, _mm256_cvttpd_epi32(_mm256_add_pd(up, down)));
}
static inline ints ints_rescale_double(ints x, const double *m) {
    const __m256d low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(x));
    const __m256d high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(x, 1));
    return _mm256_set_m128i(nearest_away(_mm256_mul_pd(high, _mm256_loadu_pd(m + 4))),
                            nearest_away(_mm256_mul_pd(low, _mm256_loadu_pd(m))));
}

#endif
