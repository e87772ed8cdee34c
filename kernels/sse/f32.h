/* The float32 table of SSE4.1. */
#ifndef MBN_KERNELS_SSE_F32_H
#define MBN_KERNELS_SSE_F32_H

#include "vec.h"

#define VEC_TABLE mbn_sse_f32
#define VEC_ISA MBN_ISA_SSE
#define VEC_ISA_NAME "sse"

/* Tiles: without FMA each product needs a register of its own, so 12 accumulators, one broadcast
 * and its products fill the 16.  Weights are wide (four vectors), which spares broadcasts. */
#define PANEL 4
#define PANEL_MAX 4
#define POINTWISE_PIXELS_1 8
#define POINTWISE_PIXELS_2 6
#define POINTWISE_PIXELS_3 4
#define POINTWISE_PIXELS_4 3

#define TILES_FEW 0

#define VEC_HALVES 0 /* every channel count of MobileNet fills whole vectors */

/* v3-small's classifier takes three quarters of the time with it (Zen 5); wider vectors need
 * none. */
#define FULLY_CONNECTED_AHEAD 8192

#define STEM_SHARED 0 /* v3's stem is a convolution like others */

/* Standard convolution on planes narrower than the tiles above. */
#define NARROW_PIXELS 3

/* Depthwise steps, in output rows x columns: as for AVX2, a row of seven beats two of four (Zen 5,
 * 3x3 at 14x14: 68 % of the mul+add peak against 55 %). */
#define DEPTHWISE_ROWS 1
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4

#define VEC_LANES 0 /* no multiply-add by one lane */
#define VEC_MATRIX 0

#endif
