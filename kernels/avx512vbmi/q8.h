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

#define IMAGE_TRIPLES 1
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
static inline operand quad_load_last(const void *p) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i four = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x01010101));
    return _mm512_permutexvar_epi8(_mm512_add_epi32(four, _mm512_set1_epi32(0x00302010)),
                                   bytes_load((const char *)p - 16));
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

static inline bytes64 bytes_interleave_three(bytes64 a) {
    static const uint8_t at[64] = {
        0,  16, 32, 1,  17, 33, 2,  18, 34, 3,  19, 35, 4,  20, 36, 5,
        21, 37, 6,  22, 38, 7,  23, 39, 8,  24, 40, 9,  25, 41, 10, 26,
        42, 11, 27, 43, 12, 28, 44, 13, 29, 45, 14, 30, 46, 15, 31, 47,
    };
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(at), a);
}

/* A row of taps of 16 pixels is 15 * 6 + 9 bytes, as two vectors of which the second begins at
 * byte 35. */
static inline void stem_ninths(const char *rows, ptrdiff_t row_stride, char *ninths) {
    enum { SECOND = 15 * 6 + 9 - 64 };
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i byte =
        _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(6)), _mm512_set1_epi32(8));
    const __m512i at =
        _mm512_mask_add_epi32(byte, _mm512_cmpgt_epi32_mask(byte, _mm512_set1_epi32(63)), byte,
                              _mm512_set1_epi32(64 - SECOND));
    const __m512i bytes = _mm512_mullo_epi32(_mm512_and_si512(at, _mm512_set1_epi32(127)),
                                             _mm512_set1_epi32(0x01010101));
    __m512i all = _mm512_setzero_si512();
    MBN_UNROLL
    for (int y = 0; y < 3; y++, rows += row_stride) {
        all = _mm512_or_si512(all, _mm512_maskz_permutex2var_epi8(
                                       0x1111111111111111ull << y, _mm512_loadu_si512(rows), bytes,
                                       _mm512_loadu_si512(rows + SECOND)));
    }
    _mm512_storeu_si512(ninths, all);
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
