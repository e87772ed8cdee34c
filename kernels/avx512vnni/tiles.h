/* Tiles for 32 registers of 16 sums, and the packers. */
#ifndef MBN_KERNELS_AVX512VNNI_TILES_H
#define MBN_KERNELS_AVX512VNNI_TILES_H

#define PACK_CONVOLUTION mbn_pack_convolution_q8_quads
#define PACK_DEPTHWISE mbn_pack_depthwise_q8_quads

/* Each is the largest whose sums and operands fit 32 registers.  14 pixels divide the rows of
 * MobileNet at 224 (112, 56, 28, 14, 7 + 7). */
#define PANEL 2
#define PANEL_MAX 3
#define POINTWISE_PIXELS_1 14
#define POINTWISE_PIXELS_2 14
#define POINTWISE_PIXELS_3 14
#define PANEL_SPLIT 1

/* Depthwise tiles, in output rows x columns: rows of four pixels are stored whole, and four rows
 * share most of the quads that are made of the rows they read.  Seven columns divide planes of 14
 * and 7. */
#define DEPTHWISE_ROWS 4
#define DEPTHWISE_COLUMNS 4
#define DEPTHWISE_NARROW_ROWS 2
#define DEPTHWISE_NARROW 7

#endif
