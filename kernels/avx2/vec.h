/* Vectors of floats (kernels/body/float/vocabulary.h) in AVX2 with FMA. */
#ifndef MBN_KERNELS_AVX2_VEC_H
#define MBN_KERNELS_AVX2_VEC_H

#include "kernels/inline.h"

#include <immintrin.h>

typedef __m256 vec;

#define VEC_WIDTH 8

#define VEC_FENCED 0
#define VEC_FENCE() ((void)0)

static inline vec vec_zero(void) {
    return _mm256_setzero_ps();
}
static inline vec vec_load(const void *p) {
    return _mm256_loadu_ps(p);
}
static inline void vec_store(void *p, vec a) {
    _mm256_storeu_ps(p, a);
}
static inline vec vec_splat(float a) {
    return _mm256_set1_ps(a);
}
static inline vec vec_broadcast(const void *p) {
    return _mm256_broadcast_ss(p);
}
static inline vec vec_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/* The x86 instructions return their second operand where one is NaN: x must be that one. */
static inline vec vec_max(vec limit, vec x) {
    return _mm256_max_ps(limit, x);
}
static inline vec vec_min(vec limit, vec x) {
    return _mm256_min_ps(limit, x);
}
/* all lanes of x that are NaN, the others from y */
static inline vec vec_keep_nan(vec x, vec y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
static inline vec vec_round(vec a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^n for whole n in [-127, 127]; -127 gives 0 */
static inline vec vec_exp2_whole(vec n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
/* rows become columns */
static inline void vec_transpose(vec square[8]) {
    __m256 pairs[8], quads[8];
    MBN_UNROLL
    for (int i = 0; i < 4; i++) {
        pairs[2 * i] = _mm256_unpacklo_ps(square[2 * i], square[2 * i + 1]);
        pairs[2 * i + 1] = _mm256_unpackhi_ps(square[2 * i], square[2 * i + 1]);
    }
    MBN_UNROLL
    for (int i = 0; i < 2; i++) {
        __m256 *p = pairs + 4 * i, *q = quads + 4 * i;
        q[0] = _mm256_shuffle_ps(p[0], p[2], 0x44);
        q[1] = _mm256_shuffle_ps(p[0], p[2], 0xEE);
        q[2] = _mm256_shuffle_ps(p[1], p[3], 0x44);
        q[3] = _mm256_shuffle_ps(p[1], p[3], 0xEE);
    }
    MBN_UNROLL
    for (int i = 0; i < 4; i++) {
        square[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        square[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
    }
}

#endif
