/* Vectors of floats (kernels/body/float/vocabulary.h) in SSE4.1. */
#ifndef MBN_KERNELS_SSE_VEC_H
#define MBN_KERNELS_SSE_VEC_H

#include <smmintrin.h>

typedef __m128 vec;

#define VEC_WIDTH 4

#define VEC_FENCED 0
#define VEC_FENCE() ((void)0)

static inline vec vec_zero(void) {
    return _mm_setzero_ps();
}
static inline vec vec_load(const void *p) {
    return _mm_loadu_ps(p);
}
static inline void vec_store(void *p, vec a) {
    _mm_storeu_ps(p, a);
}
static inline vec vec_splat(float a) {
    return _mm_set1_ps(a);
}
static inline vec vec_broadcast(const void *p) {
    return _mm_set1_ps(*(const float *)p);
}
static inline vec vec_add(vec a, vec b) {
    return _mm_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm_div_ps(a, b);
}
/* a * b + c, rounded twice */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm_add_ps(_mm_mul_ps(a, b), c);
}
/* The x86 instructions return their second operand where one is NaN: x must be that one. */
static inline vec vec_max(vec limit, vec x) {
    return _mm_max_ps(limit, x);
}
static inline vec vec_min(vec limit, vec x) {
    return _mm_min_ps(limit, x);
}
/* all lanes of x that are NaN, the others from y */
static inline vec vec_keep_nan(vec x, vec y) {
    return _mm_blendv_ps(y, x, _mm_cmpunord_ps(x, x));
}
static inline vec vec_round(vec a) {
    return _mm_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^n for whole n in [-127, 127]; -127 gives 0 */
static inline vec vec_exp2_whole(vec n) {
    const __m128i biased = _mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127));
    return _mm_castsi128_ps(_mm_slli_epi32(biased, 23));
}
/* rows become columns */
static inline void vec_transpose(vec square[4]) {
    _MM_TRANSPOSE4_PS(square[0], square[1], square[2], square[3]);
}

#endif
