/* The table of 8-bit integers of AVX-512 with VNNI, and without VBMI: bytes cross the quarters of a
 * vector in two instructions, and a table of 256 is four vectors of words.  It is for two
 * generations of servers (Cascade Lake, Cooper Lake), and small rather than fast. */
#ifndef MBN_KERNELS_AVX512VNNI_Q8_H
#define MBN_KERNELS_AVX512VNNI_Q8_H

#include "tiles.h"
#include "vec.h"

#define VEC_TABLE mbn_avx512vnni_q8
#define VEC_ISA MBN_ISA_AVX512_VNNI
#define VEC_ISA_NAME "avx512vnni"
#define TILES_FEW 1
#define FIXED_INLINE 0
#define LOOKUP_INLINE 0

/* Of four rows of 16 bytes the columns: their quarters are brought together, and turned. */
static inline bytes64 bytes_interleave(bytes64 a) {
    const __m512i quarters = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const __m512i turn =
        _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, a), turn);
}
static inline bytes64 bytes_spread(bytes64 a) {
    const __m512i quarters = _mm512_set_epi32(12, 11, 10, 9, 12, 8, 7, 6, 12, 5, 4, 3, 12, 2, 1, 0);
    const __m512i turn =
        _mm512_broadcast_i32x4(_mm_set_epi8(12, 11, 10, 9, 12, 8, 7, 6, 12, 5, 4, 3, 12, 2, 1, 0));
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, a), turn);
}
static inline operand quad_load(const void *p) {
    return bytes_interleave(bytes_load(p));
}
static inline operand quad_load_some(const void *p, int32_t pixels) {
    return bytes_interleave(bytes_load_some(p, pixels));
}
static inline operand quad_load_last(const void *p) {
    return quad_load_some(p, 3);
}
/* By blends, which run where neither dot products nor permutations do. */
static inline operand quad_load_apart(const void *p, ptrdiff_t stride, int32_t n) {
    const char *from = p;
    __m512i a = _mm512_zextsi128_si512(_mm_loadu_si128(p));
    MBN_UNROLL
    for (int32_t i = 1; i < n; i++) {
        const __m128i pixel = _mm_loadu_si128((const __m128i *)(from + i * stride));
        a = _mm512_mask_broadcast_i32x4(a, (__mmask16)(0xF << 4 * i), pixel);
    }
    return bytes_interleave(a);
}
static inline sums pixels_sum(const void *p, sums sum) {
    return operand_dot(quad_load(p), operand_splat(1), sum);
}

/* Words of the table by the upper seven bits, in which the lowest one chooses the byte. */
static inline __m512i lookup_words(const __m512i words[4], __m512i at) {
    const __m512i lower = _mm512_permutex2var_epi16(words[0], at, words[1]);
    const __m512i upper = _mm512_permutex2var_epi16(words[2], at, words[3]);
    return _mm512_mask_blend_epi16(_mm512_test_epi16_mask(at, _mm512_set1_epi16(64)), lower, upper);
}
static inline bytes64 bytes_lookup(const uint8_t *table, bytes64 a) {
    __m512i words[4];
    MBN_UNROLL
    for (int i = 0; i < 4; i++) words[i] = _mm512_loadu_si512(table + 64 * i);
    const __m512i eight = _mm512_set1_epi16(8);
    /* A word by a byte's upper seven bits, shifted by 8 where the lowest is 1. */
    const __m512i low = _mm512_srlv_epi16(
        lookup_words(words, _mm512_and_si512(_mm512_srli_epi16(a, 1), _mm512_set1_epi16(0x7F))),
        _mm512_and_si512(_mm512_slli_epi16(a, 3), eight));
    const __m512i high = _mm512_srlv_epi16(lookup_words(words, _mm512_srli_epi16(a, 9)),
                                           _mm512_and_si512(_mm512_srli_epi16(a, 5), eight));
    return _mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAA, low, _mm512_slli_epi16(high, 8));
}

#endif
