/* The float32 table of AArch64 NEON. */
#ifndef MBN_KERNELS_NEON_F32_H
#define MBN_KERNELS_NEON_F32_H

#include "vec.h"

#define VEC_TABLE mbn_neon_f32
#define VEC_ISA MBN_ISA_NEON
#define VEC_ISA_NAME "neon"

/* Tiles, each the largest whose accumulators and operands fit 32 registers. */
#define PANEL 4
#define PANEL_MAX 4
#define POINTWISE_PIXELS_1 14
#define POINTWISE_PIXELS_2 10
#define POINTWISE_PIXELS_3 7
#define POINTWISE_PIXELS_4 6

#define TILES_FEW 0

#define VEC_HALVES 0 /* every channel count of MobileNet fills whole vectors */

/* As for SSE. */
#define FULLY_CONNECTED_AHEAD 8192

#define STEM_SHARED 0 /* v3's stem is a convolution like others */

/* Standard convolution on planes narrower than the tiles above. */
#define NARROW_PIXELS 4

/* Depthwise steps, in output rows x columns.  Seven columns divide every row of MobileNet at 224;
 * where they do not divide a row, four may leave less. */
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4

#define VEC_LANES 1
#define VEC_MATRIX 0

#endif
