#include <immintrin.h>

#define VEC __m256
#define LANES 8
#define VEC_SPLAT(f) _mm256_set1_ps(f)
#define VEC_LOAD(p) _mm256_load_ps(p)
#define VEC_ADD(x, y) _mm256_add_ps(x, y)
#define VEC_MULTIPLY_ADD(x, a, b) _mm256_fmadd_ps(x, a, b)
#define VEC_SUM(x) sum_lanes(x)
#define VEC_REGISTER "x"
#define CHAINS CHAINS_14
#define PROBE peak_avx2_f32
#define ISA MBN_ISA_AVX2
#define ELEMENT MBN_ELEMENT_F32

static float sum_lanes(__m256 x) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    return _mm_cvtss_f32(_mm_dp_ps(sum, _mm_set1_ps(1.0f), 0xff));
}

#include "peak_body.h"
