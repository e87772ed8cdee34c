/* The bfloat16 table of AVX2 with FMA. */
#ifndef MBN_KERNELS_AVX2_BF16_H
#define MBN_KERNELS_AVX2_BF16_H

#include "vec.h"

#include <stdint.h>

#define VEC_TABLE mbn_avx2_bf16
#define VEC_ISA MBN_ISA_AVX2
#define VEC_ISA_NAME "avx2"
#define VECTORS (&mbn_avx2_f32)

#define POINTWISE_PIXELS_1 8

static inline vec element_load(const void *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline void element_store(void *p, vec a) {
    const __m256i bits = _mm256_castps_si256(a), zero = _mm256_setzero_si256();
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i nearest =
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    /* What has no exponent keeps its sign only. */
    const __m256i exponent = _mm256_and_si256(bits, _mm256_set1_epi32(0x7F800000));
    const __m256i none = _mm256_srli_epi32(_mm256_cmpeq_epi32(exponent, zero), 1);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
    const __m256 kept =
        _mm256_blendv_ps(_mm256_castsi256_ps(_mm256_andnot_si256(none, nearest)),
                         _mm256_castsi256_ps(quiet), _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    const __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(kept), 16);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi32(_mm256_castsi256_si128(upper),
                                                    _mm256_extracti128_si256(upper, 1)));
}

typedef __m256i pairs;

static inline pairs pairs_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline pairs pairs_splat(int32_t bits) {
    return _mm256_set1_epi32(bits);
}
static inline vec pairs_first(pairs a) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
}
static inline vec pairs_second(pairs a) {
    return _mm256_castsi256_ps(_mm256_and_si256(a, _mm256_set1_epi32(-0x10000)));
}

#endif
