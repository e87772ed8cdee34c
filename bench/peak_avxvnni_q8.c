#include "peak_avx2_q8.h"

#define PER_LANE 4
#define VEC_MULTIPLY_ADD(x, a, b) _mm256_dpbusd_avx_epi32(x, a, b)
#define PROBE peak_avxvnni_q8
#define ISA MBN_ISA_AVX_VNNI
#include "peak_body.h"
