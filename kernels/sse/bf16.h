/* The bfloat16 table of SSE4.1. */
#ifndef MBN_KERNELS_SSE_BF16_H
#define MBN_KERNELS_SSE_BF16_H

#include "vec.h"

#include <stdint.h>

#define VEC_TABLE mbn_sse_bf16
#define VEC_ISA MBN_ISA_SSE
#define VEC_ISA_NAME "sse"
#define VECTORS (&mbn_sse_f32)

#define POINTWISE_PIXELS_1 8

static inline vec element_load(const void *p) {
    const __m128i wide = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm_castsi128_ps(_mm_slli_epi32(wide, 16));
}
static inline void element_store(void *p, vec a) {
    const __m128i bits = _mm_castps_si128(a), zero = _mm_setzero_si128();
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(1));
    const __m128i nearest = _mm_add_epi32(_mm_add_epi32(bits, _mm_set1_epi32(0x7FFF)), odd);
    /* What has no exponent keeps its sign only. */
    const __m128i exponent = _mm_and_si128(bits, _mm_set1_epi32(0x7F800000));
    const __m128i none = _mm_srli_epi32(_mm_cmpeq_epi32(exponent, zero), 1);
    const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x00400000));
    const __m128 kept = _mm_blendv_ps(_mm_castsi128_ps(_mm_andnot_si128(none, nearest)),
                                      _mm_castsi128_ps(quiet), _mm_cmpunord_ps(a, a));
    const __m128i upper = _mm_srli_epi32(_mm_castps_si128(kept), 16);
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi32(upper, upper));
}

typedef __m128i pairs;

static inline pairs pairs_load(const void *p) {
    return _mm_loadu_si128((const __m128i *)p);
}
static inline pairs pairs_splat(int32_t bits) {
    return _mm_set1_epi32(bits);
}
static inline vec pairs_first(pairs a) {
    return _mm_castsi128_ps(_mm_slli_epi32(a, 16));
}
static inline vec pairs_second(pairs a) {
    return _mm_castsi128_ps(_mm_and_si128(a, _mm_set1_epi32(-0x10000)));
}

#endif
