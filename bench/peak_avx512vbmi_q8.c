#include "peak_avx512vnni_q8.h"

#define PROBE peak_avx512vbmi_q8
#define ISA MBN_ISA_AVX512_VBMI
#include "peak_body.h"
