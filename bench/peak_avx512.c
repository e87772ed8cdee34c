#include <immintrin.h>

#define VEC __m512
#define LANES 16
#define VEC_SPLAT(f) _mm512_set1_ps(f)
#define VEC_LOAD(p) _mm512_load_ps(p)
#define VEC_ADD(x, y) _mm512_add_ps(x, y)
#define VEC_MULTIPLY_ADD(x, a, b) _mm512_fmadd_ps(x, a, b)
#define VEC_SUM(x) _mm512_reduce_add_ps(x)
#define VEC_REGISTER "v"
#define CHAINS(DO)                                                                                 \
    DO(0)                                                                                          \
    DO(1)                                                                                          \
    DO(2)                                                                                          \
    DO(3)                                                                                          \
    DO(4)                                                                                          \
    DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) DO(18)   \
        DO(19) DO(20) DO(21) DO(22) DO(23)
#define PROBE peak_probe_avx512
#include "peak_body.h"
