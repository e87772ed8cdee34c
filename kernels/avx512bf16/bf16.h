/* The bfloat16 table of AVX-512 with BF16: one instruction for 32 multiply-adds. */
#ifndef MBN_KERNELS_AVX512BF16_BF16_H
#define MBN_KERNELS_AVX512BF16_BF16_H

#include "kernels/avx512/tiles.h"
#include "kernels/avx512/vec.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_TABLE mbn_avx512bf16_bf16
#define VEC_ISA MBN_ISA_AVX512_BF16
#define VEC_ISA_NAME "avx512bf16"

#define DEPTH 2
#define VECTORS (&mbn_avx512_f32)
#define PACK_DEPTHWISE mbn_pack_depthwise_bf16_pairs
#define DEPTHWISE_PAIRS 1

static inline vec element_load(const void *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline void element_store(void *p, vec a) {
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(a));
}
static inline void element_store_two(void *p, vec a, vec b) {
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}
/* Pairs, in vectors of int: gcc 12 spills tiles of __m512bh. */
typedef __m512i operand;

static inline operand operand_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline operand operand_broadcast(const void *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}
static inline vec operand_dot(operand a, operand b, vec sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
static inline vec pair_values(operand a, int which) {
    return _mm512_castsi512_ps(which == 0 ? _mm512_slli_epi32(a, 16)
                                          : _mm512_and_epi32(a, _mm512_set1_epi32(-0x10000)));
}
static inline operand operand_load_twice(const void *p) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
}
static inline operand operand_join_halves(operand a, operand b) {
    return _mm512_mask_blend_epi32(0xFF00, a, b);
}

static inline operand pair_load(const void *p) {
    const __m512i turn =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turn, _mm512_loadu_si512(p));
}
static inline operand pair_load_first(const void *p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}
static inline operand pair_first(operand a) {
    return _mm512_and_epi32(a, _mm512_set1_epi32(0xFFFF));
}

#endif
