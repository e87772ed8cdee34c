#include "peak_avx512vnni_q8.h"

#define PROBE peak_avx512vnni_q8
#define ISA MBN_ISA_AVX512_VNNI
#include "peak_body.h"
