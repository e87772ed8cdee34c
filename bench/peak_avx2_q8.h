/* The words of the probes of integers in AVX2, with AVX-VNNI or without. */
#include <immintrin.h>

#define VEC __m256i
#define LANES 8
#define VEC_SPLAT(f) _mm256_set1_epi32((int)(64 * (f)))
#define VEC_LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define VEC_ADD(x, y) _mm256_add_epi32(x, y)
#define FACTOR __m256i
#define FACTOR_SPLAT(f) VEC_SPLAT(f)
#define VEC_SUM(x) sum_lanes(x)
#define VEC_REGISTER "x"
#define CHAINS CHAINS_14
#define ELEMENT MBN_ELEMENT_Q8

static float sum_lanes(__m256i x) {
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
    return (float)(_mm_extract_epi32(sum, 0) + _mm_extract_epi32(sum, 1));
}
