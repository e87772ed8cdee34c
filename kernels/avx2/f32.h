/* The float32 table of AVX2 with FMA. */
#ifndef MBN_KERNELS_AVX2_F32_H
#define MBN_KERNELS_AVX2_F32_H

#include "vec.h"

#define VEC_TABLE mbn_avx2_f32
#define VEC_ISA MBN_ISA_AVX2
#define VEC_ISA_NAME "avx2"

/* Tiles, each the largest whose accumulators and operands fit 16 registers.  A panel is two or
 * three vectors wide (mbn_panel_width with panel 2); one vector only where there is one block in
 * all.  Zen 5 reaches 97-100 % of the FMA peak with 6 x 2 and with 4 x 3. */
#define PANEL 2
#define PANEL_MAX 3
#define POINTWISE_PIXELS_1 8
#define POINTWISE_PIXELS_2 6
#define POINTWISE_PIXELS_3 4

#define TILES_FEW 0

#define VEC_HALVES 0 /* every channel count of MobileNet fills whole vectors */

/* The hardware fetches the weights of fully connected layers as early as they are wanted. */
#define FULLY_CONNECTED_AHEAD 0

#define STEM_SHARED 0 /* v3's stem is a convolution like others */

/* Standard convolution on planes narrower than the tiles above. */
#define NARROW_PIXELS 4

/* Depthwise steps, in output rows x columns.  Seven columns divide every row of MobileNet at 224;
 * where they do not divide a row, four may leave less.  Two rows would share loads, but their
 * accumulators leave too few registers: 2 x 4 reaches 61-77 % of the FMA peak on Zen 5, 1 x 7 84-89
 * %. */
#define DEPTHWISE_ROWS 1
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4

#define VEC_LANES 0 /* no multiply-add by one lane */
#define VEC_MATRIX 0

#endif
