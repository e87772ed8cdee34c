/* The float32 table of AVX-512 (F, BW, DQ, VL). */
#ifndef MBN_KERNELS_AVX512_F32_H
#define MBN_KERNELS_AVX512_F32_H

#include "tiles.h"
#include "vec.h"

#define VEC_TABLE mbn_avx512_f32
#define VEC_ISA MBN_ISA_AVX512
#define VEC_ISA_NAME "avx512"

#endif
