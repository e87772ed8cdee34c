#include <immintrin.h>

#define VEC __m512
#define LANES 16
#define VEC_SPLAT(f) _mm512_set1_ps(f)
#define VEC_LOAD(p) _mm512_load_ps(p)
#define VEC_ADD(x, y) _mm512_add_ps(x, y)
#define FACTOR __m512bh
#define FACTOR_SPLAT(f) _mm512_cvtne2ps_pbh(VEC_SPLAT(f), VEC_SPLAT(f))
#define PER_LANE 2
#define VEC_MULTIPLY_ADD(x, a, b) _mm512_dpbf16_ps(x, a, b)
#define VEC_SUM(x) _mm512_reduce_add_ps(x)
#define VEC_REGISTER "v"
#define CHAINS CHAINS_24
#define PROBE peak_avx512bf16_bf16
#define ISA MBN_ISA_AVX512_BF16
#define ELEMENT MBN_ELEMENT_BF16
#include "peak_body.h"
