/* The table of 8-bit integers of AVX-512 with VNNI and VBMI: bytes go anywhere in one
 * instruction. */
#ifndef MBN_KERNELS_AVX512VBMI_Q8_H
#define MBN_KERNELS_AVX512VBMI_Q8_H

#include "kernels/avx512vnni/tiles.h"
#include "kernels/avx512vnni/vec.h"

#define VEC_TABLE mbn_avx512vbmi_q8
#define VEC_ISA MBN_ISA_AVX512_VBMI
#define VEC_ISA_NAME "avx512vbmi"
#define TILES_FEW 0
#define FIXED_INLINE 1
#define LOOKUP_INLINE 1

#define RELU_RAISED 1
#define VEC_HALVES 1
#define HALVES_PIXELS_1 POINTWISE_PIXELS_1
#define HALVES_PIXELS_2 POINTWISE_PIXELS_2
#define HALVES_PIXELS_3 POINTWISE_PIXELS_3
#define TILES_SOME 1

static inline sums operand_dot_half(operand x, packed weights, sums sum) {
    return (sums)_mm512_castsi256_si512(_mm256_dpbusd_epi32(_mm512_castsi512_si256((__m512i)sum),
                                                            _mm512_castsi512_si256(x),
                                                            _mm512_castsi512_si256(weights)));
}
static inline sums sums_half(sums sum) {
    return (sums)_mm512_zextsi256_si512(_mm512_castsi512_si256((__m512i)sum));
}

/* Of four rows of 16 bytes the columns. */
static inline bytes64 bytes_interleave(bytes64 a) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i four = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x01010101));
    return _mm512_permutexvar_epi8(_mm512_add_epi32(four, _mm512_set1_epi32(0x30201000)), a);
}
static inline bytes64 bytes_spread(bytes64 a) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i three = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x00030303));
    return _mm512_permutexvar_epi8(_mm512_add_epi32(three, _mm512_set1_epi32(0x30020100)), a);
}
static inline operand quad_load(const void *p) {
    return bytes_interleave(bytes_load(p));
}
static inline operand quad_load_some(const void *p, int32_t pixels) {
    return bytes_interleave(bytes_load_some(p, pixels));
}
static inline bytes64 two_load_apart(const char *p, ptrdiff_t stride, int32_t n) {
    const __m128i first = _mm_loadu_si128((const __m128i *)p);
    if (n == 1) return _mm512_zextsi128_si512(first);
    const __m256i both = _mm256_zextsi128_si256(first);
    return _mm512_zextsi256_si512(
        _mm256_inserti128_si256(both, _mm_loadu_si128((const __m128i *)(p + stride)), 1));
}
/* Of two vectors half full, which cost less than one that is, and no permutation more. */
static inline operand quad_load_apart(const void *p, ptrdiff_t stride, int32_t n) {
    const char *from = p;
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i four = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x01010101));
    const bytes64 a = two_load_apart(from, stride, n);
    const bytes64 b = n > 2 ? two_load_apart(from + 2 * stride, stride, n - 2) : a;
    return _mm512_permutex2var_epi8(a, _mm512_add_epi32(four, _mm512_set1_epi32(0x50401000)), b);
}
static inline sums pixels_sum(const void *p, sums sum) {
    return operand_dot(quad_load(p), operand_splat(1), sum);
}

/* Of either half of the table by seven bits, one of them by the eighth. */
static inline bytes64 bytes_lookup(const uint8_t *table, bytes64 a) {
    const __m512i lower =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(table), a, _mm512_loadu_si512(table + 64));
    const __m512i upper = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), a,
                                                   _mm512_loadu_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(a), lower, upper);
}

#endif
