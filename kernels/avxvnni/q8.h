/* The table of 8-bit integers of AVX2 with AVX-VNNI: AVX2's, but for what dot products of bytes
 * do. */
#ifndef MBN_KERNELS_AVXVNNI_Q8_H
#define MBN_KERNELS_AVXVNNI_Q8_H

#include "kernels/avx2/ints.h"

/* Of int, for gcc 12 copies and spills sums that are of __m256i. */
typedef int32_t quads __attribute__((vector_size(32)));

static inline quads quads_dot(ints x, ints w, quads sum) {
    return (quads)_mm256_dpbusd_avx_epi32((__m256i)sum, x, w);
}

#define VEC_QUADS 1
#include "kernels/body/q8/parts.h"

#define VEC_TABLE mbn_avxvnni_q8
#define VEC_ISA MBN_ISA_AVX_VNNI
#define VEC_ISA_NAME "avxvnni"
#define VEC_BENEATH mbn_avx2_q8
#define PACK_CONVOLUTION mbn_pack_convolution_q8_quads

/* Tiles: six pixels of a block have twelve vectors of sums, its weights two, the inputs of a pixel
 * one.  Four are for what is left of a run, and just enough to hide the multiply-adds' latency. */
#define POINTWISE_PIXELS_1 6
#define POINTWISE_PIXELS_FEW 4

#include "kernels/avx2/q8.h"

#endif
