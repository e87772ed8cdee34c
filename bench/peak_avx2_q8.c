#include "peak_avx2_q8.h"

#define PER_LANE 2
#define VEC_MULTIPLY_ADD(x, a, b) _mm256_add_epi32(_mm256_madd_epi16(x, a), b)
#define PROBE peak_avx2_q8
#define ISA MBN_ISA_AVX2
#include "peak_body.h"
