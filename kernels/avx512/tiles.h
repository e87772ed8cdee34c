/* Tiles for 32 registers of 16 floats: of AVX-512's tables of floats. */
#ifndef MBN_KERNELS_AVX512_TILES_H
#define MBN_KERNELS_AVX512_TILES_H

/* Tiles, each the largest whose accumulators and operands fit 32 registers.  14 pixels divide the
 * rows of MobileNet at 224 (112, 56, 28, 14, 7 + 7).  Zen 5 reaches 93-98 % of the FMA peak. */
#define PANEL 2
#define PANEL_MAX 3
#define POINTWISE_PIXELS_1 14
#define POINTWISE_PIXELS_2 14
#define POINTWISE_PIXELS_3 9
#define TILES_FEW 0

/* Where half of the last vector's channels exist (24, 40, 72, ...), a vector of it holds two
 * pixels.  Making the operand costs a blend per pair of pixels, which Zen 5 runs beside the
 * multiply-adds (24 channels: 69 % of the FMA peak become 92 %) and Intel in the place of the one
 * it saves. */
#define VEC_HALVES 1
#define HALVES_PIXELS_1 14
#define HALVES_PIXELS_2 14
#define HALVES_PIXELS_3 10

/* v3's stem, 3 to 16 channels, has tiles of its own: 86 % of the FMA peak of Zen 5, where tiles as
 * of pointwise reach 68 %. */
#define STEM_SHARED 1
/* The hardware fetches the weights of fully connected layers as early as they are wanted. */
#define FULLY_CONNECTED_AHEAD 0

/* Standard convolution on planes narrower than the tiles above. */
#define NARROW_PIXELS 7

/* Depthwise steps, in output rows x columns.  Seven columns divide every row of MobileNet at 224;
 * where they do not divide a row, four may leave less. */
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
#define DEPTHWISE_NARROW 4

#define VEC_LANES 0 /* no multiply-add by one lane */
#define VEC_MATRIX 0

#endif
