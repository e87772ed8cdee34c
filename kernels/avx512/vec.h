/* Vectors of floats (kernels/body/float/vocabulary.h) in AVX-512 (F, BW, DQ, VL). */
#ifndef MBN_KERNELS_AVX512_VEC_H
#define MBN_KERNELS_AVX512_VEC_H

#include "kernels/inline.h"

#include <immintrin.h>

typedef __m512 vec;

#define VEC_WIDTH 16

#define VEC_FENCED 0
#define VEC_FENCE() ((void)0)

static inline vec vec_zero(void) {
    return _mm512_setzero_ps();
}
static inline vec vec_load(const void *p) {
    return _mm512_loadu_ps(p);
}
static inline void vec_store(void *p, vec a) {
    _mm512_storeu_ps(p, a);
}
static inline vec vec_splat(float a) {
    return _mm512_set1_ps(a);
}
static inline vec vec_broadcast(const void *p) {
    return _mm512_set1_ps(*(const float *)p);
}
static inline vec vec_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* The x86 instructions return their second operand where one is NaN: x must be that one. */
static inline vec vec_max(vec limit, vec x) {
    return _mm512_max_ps(limit, x);
}
static inline vec vec_min(vec limit, vec x) {
    return _mm512_min_ps(limit, x);
}
/* all lanes of x that are NaN, the others from y */
static inline vec vec_keep_nan(vec x, vec y) {
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}
static inline vec vec_round(vec a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* 2^n for whole n in [-127, 127]; -127 gives 0 */
static inline vec vec_exp2_whole(vec n) {
    const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}
/* VEC_WIDTH / 2 floats, in both halves */
static inline vec vec_load_twice(const void *p) {
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}
/* the low half of a beside the high half of b */
static inline vec vec_join_halves(vec a, vec b) {
    return _mm512_mask_blend_ps(0xFF00, a, b);
}
/* a half, and zeros above it */
static inline vec vec_low_half(vec a) {
    return _mm512_zextps256_ps512(_mm512_castps512_ps256(a));
}
static inline vec vec_high_half(vec a) {
    return _mm512_zextps256_ps512(_mm512_extractf32x8_ps(a, 1));
}
#define VEC_SPREAD
static inline vec vec_spread(vec a) {
    const __m512i from = _mm512_set_epi32(0, 11, 10, 9, 0, 8, 7, 6, 0, 5, 4, 3, 0, 2, 1, 0);
    return _mm512_maskz_permutexvar_ps(0x7777, from, a);
}
/* rows become columns */
static inline void vec_transpose(vec square[16]) {
    __m512 pairs[16], quads[16];
    MBN_UNROLL
    for (int i = 0; i < 8; i++) {
        pairs[2 * i] = _mm512_unpacklo_ps(square[2 * i], square[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_ps(square[2 * i], square[2 * i + 1]);
    }
    MBN_UNROLL
    for (int i = 0; i < 4; i++) {
        const __m512 *p = pairs + 4 * i;
        __m512 *q = quads + 4 * i;
        q[0] = _mm512_shuffle_ps(p[0], p[2], 0x44);
        q[1] = _mm512_shuffle_ps(p[0], p[2], 0xEE);
        q[2] = _mm512_shuffle_ps(p[1], p[3], 0x44);
        q[3] = _mm512_shuffle_ps(p[1], p[3], 0xEE);
    }
    /* quads[4 * j + i]: column i of every 128-bit lane, of rows 4 j .. 4 j + 3 */
    MBN_UNROLL
    for (int i = 0; i < 4; i++) {
        const __m512 low01 = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0x88);
        const __m512 high01 = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0xDD);
        const __m512 low23 = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0x88);
        const __m512 high23 = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0xDD);
        square[i] = _mm512_shuffle_f32x4(low01, low23, 0x88);
        square[i + 4] = _mm512_shuffle_f32x4(high01, high23, 0x88);
        square[i + 8] = _mm512_shuffle_f32x4(low01, low23, 0xDD);
        square[i + 12] = _mm512_shuffle_f32x4(high01, high23, 0xDD);
    }
}

#endif
