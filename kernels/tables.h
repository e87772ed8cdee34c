/* The table of each instruction set's folder. */
#ifndef MBN_KERNELS_TABLES_H
#define MBN_KERNELS_TABLES_H

#include <mobilenet/kernels.h>

extern const mbn_kernels mbn_scalar_kernels, mbn_sse_kernels, mbn_avx2_kernels, mbn_avx512_kernels,
    mbn_neon_kernels;

#endif
