/* The words of the probes of AVX-512 with VNNI, with VBMI or without. */
#include <immintrin.h>

#define VEC __m512i
#define LANES 16
#define VEC_SPLAT(f) _mm512_set1_epi32((int)(64 * (f)))
#define VEC_LOAD(p) _mm512_load_si512(p)
#define VEC_ADD(x, y) _mm512_add_epi32(x, y)
#define FACTOR __m512i
#define FACTOR_SPLAT(f) VEC_SPLAT(f)
#define PER_LANE 4
#define VEC_MULTIPLY_ADD(x, a, b) _mm512_dpbusd_epi32(x, a, b)
#define VEC_SUM(x) _mm512_reduce_add_ps(_mm512_cvtepi32_ps(x)) /* which does not overflow */
#define VEC_REGISTER "v"
#define CHAINS CHAINS_24
#define ELEMENT MBN_ELEMENT_Q8
