#include <immintrin.h>

#define VEC __m128i
#define LANES 4
#define VEC_SPLAT(f) _mm_set1_epi32((int)(64 * (f)))
#define VEC_LOAD(p) _mm_load_si128((const __m128i *)(p))
#define VEC_ADD(x, y) _mm_add_epi32(x, y)
#define FACTOR __m128i
#define FACTOR_SPLAT(f) VEC_SPLAT(f)
#define PER_LANE 2
#define VEC_MULTIPLY_ADD(x, a, b) _mm_add_epi32(_mm_madd_epi16(x, a), b)
#define VEC_SUM(x) sum_lanes(x)
#define VEC_REGISTER "x"
#define CHAINS CHAINS_14
#define PROBE peak_sse_q8
#define ISA MBN_ISA_SSE
#define ELEMENT MBN_ELEMENT_Q8

static float sum_lanes(__m128i x) {
    __m128i sum = _mm_add_epi32(x, _mm_unpackhi_epi64(x, x));
    return (float)(_mm_extract_epi32(sum, 0) + _mm_extract_epi32(sum, 1));
}

#include "peak_body.h"
