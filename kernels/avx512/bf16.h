/* The bfloat16 table of AVX-512 (F, BW, DQ, VL). */
#ifndef MBN_KERNELS_AVX512_BF16_H
#define MBN_KERNELS_AVX512_BF16_H

#include "vec.h"

#include <stdint.h>

#define VEC_TABLE mbn_avx512_bf16
#define VEC_ISA MBN_ISA_AVX512
#define VEC_ISA_NAME "avx512"
#define VECTORS (&mbn_avx512_f32)

#define POINTWISE_PIXELS_1 14

static inline vec element_load(const void *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline void element_store(void *p, vec a) {
    enum { ZEROS = 0x06, DENORMALS = 0x20 };
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i nearest =
        _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
    const __mmask16 none = _mm512_fpclass_ps_mask(a, ZEROS | DENORMALS);
    __m512i kept = _mm512_mask_or_epi32(nearest, nan, bits, _mm512_set1_epi32(0x00400000));
    kept = _mm512_mask_and_epi32(kept, none, bits, _mm512_set1_epi32(INT32_MIN));
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16)));
}

typedef __m512i pairs;

static inline pairs pairs_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline pairs pairs_splat(int32_t bits) {
    return _mm512_set1_epi32(bits);
}
static inline vec pairs_first(pairs a) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(a, 16));
}
static inline vec pairs_second(pairs a) {
    return _mm512_castsi512_ps(_mm512_and_si512(a, _mm512_set1_epi32(-0x10000)));
}

#endif
