#include <immintrin.h>

#define VEC __m128
#define LANES 4
#define VEC_SPLAT(f) _mm_set1_ps(f)
#define VEC_LOAD(p) _mm_load_ps(p)
#define VEC_ADD(x, y) _mm_add_ps(x, y)
#define VEC_MULTIPLY_ADD(x, a, b) _mm_add_ps(_mm_mul_ps(x, a), b)
#define VEC_SUM(x) _mm_cvtss_f32(_mm_dp_ps(x, _mm_set1_ps(1.0f), 0xff))
#define VEC_REGISTER "x"
#define CHAINS CHAINS_14
#define PROBE peak_sse_f32
#define ISA MBN_ISA_SSE
#define ELEMENT MBN_ELEMENT_F32
#include "peak_body.h"
