/* Standard convolution: which tile is computed where.  Pixels of a tile lie in one output row.
 * Columns whose taps leave the plane are computed one by one with the taps cut; rows are cut for
 * all of a row's tiles alike.
 *
 * The body gives convolution_epilogue, convolution_tile, and with STEM_SHARED stem_tile. */
#ifndef MBN_KERNELS_WALK_CONVOLUTION_H
#define MBN_KERNELS_WALK_CONVOLUTION_H

#include "span.h"
#include "taps.h"

/* Offset of the input at tap (0, 0) of an output, which may lie outside the plane. */
MBN_INLINE ptrdiff_t input_offset_at(const mbn_convolution_args *args, int32_t oy, int32_t ox) {
    return (oy * args->stride_vertical - args->pad_top) * args->input.row_stride +
           (ptrdiff_t)(ox * args->stride_horizontal - args->pad_left) * args->input_block *
               IMAGE_BYTES;
}

/* The image comes from memory, read too seldom to be in cache: what a row of outputs is the first
 * to read is fetched two rows before, beside the tile in the same columns.  (v3-large, between
 * whose runs 30 MB pass: its stem took twice as long without, with AVX2 and with AVX-512.)
 * Constants: the tile's pixels and pixel_stride, INTERLEAVED_STRIDE or PLANE_STRIDE. */
MBN_INLINE void fetch_image(const mbn_convolution_args *args, int32_t pixels,
                            ptrdiff_t pixel_stride, int32_t oy, int32_t ox) {
    enum { ROWS_AHEAD = 2, IMAGE_LINE = 64 };
    const int32_t planes = pixel_stride == PLANE_STRIDE ? args->input_channels : 1;
    const int32_t end =
        (oy + ROWS_AHEAD) * args->stride_vertical - args->pad_top + args->kernel_height;
    for (int32_t y = end - args->stride_vertical; y < end && y < args->input_height; y++) {
        const char *row = mbn_row_at(&args->input, 0, y) + ox * pixel_stride;
        for (int32_t c = 0; c < planes; c++, row += args->input.block_stride) {
            for (int32_t i = 0; i < pixels * pixel_stride; i += IMAGE_LINE) {
                __builtin_prefetch(row + i);
            }
        }
    }
}

/* One pixel, wherever it lies. */
static void convolution_single(const mbn_convolution_args *args, const epilogue *e, int32_t vectors,
                               int32_t b, int32_t oy, int32_t ox) {
    const taps cut = taps_at(args, oy, ox);
    const ptrdiff_t offset = input_offset_at(args, oy, ox);
    switch (vectors) {
    case 1: convolution_tile(args, e, 1, 1, 0, cut, offset, b, oy, ox); break;
#if PANEL_MAX >= 3
    case 2: convolution_tile(args, e, 1, 2, 0, cut, offset, b, oy, ox); break;
    case 3: convolution_tile(args, e, 1, 3, 0, cut, offset, b, oy, ox); break;
#endif
#if PANEL_MAX >= 4
    case 4: convolution_tile(args, e, 1, 4, 0, cut, offset, b, oy, ox); break;
#endif
    }
}

/* Columns that tiles of `pixels` compute for `columns` of a row.  A single one takes as long as
 * four: its multiply-adds wait for each other. */
MBN_INLINE int32_t tiled_columns(int32_t columns, int32_t pixels) {
    return columns < pixels ? 4 * columns : (columns + pixels - 1) / pixels * pixels;
}

/* One output row of one panel; vectors, pixels and pixel_stride as above.  can_narrow: whether
 * tiles for narrow planes are worth their code, a constant. */
MBN_INLINE void convolution_row(const mbn_convolution_args *args, const epilogue *e,
                                int32_t vectors, int32_t pixels, ptrdiff_t pixel_stride,
                                bool can_narrow, int32_t b, int32_t oy) {
    const span whole = inside(args->output_width, args->input_width, args->kernel_width,
                              args->stride_horizontal, args->pad_left);
    const int32_t columns = whole.end - whole.begin;
    /* Narrow planes: seven columns are one tile of 7 or two of 4, rather than seven single ones.
     * Small tiles load more per multiply-add, so they have to save an eighth. */
    const bool narrow = can_narrow && 8 * tiled_columns(columns, NARROW_PIXELS) <
                                          7 * tiled_columns(columns, pixels);
    const int32_t tile = narrow ? NARROW_PIXELS : pixels;
    const bool tiled = columns >= tile;
    for (int32_t ox = 0; ox < args->output_width;) {
        if (!tiled || ox < whole.begin || ox >= whole.end) {
            convolution_single(args, e, vectors, b, oy, ox);
            ox++;
            continue;
        }
        const taps t = taps_at(args, oy, ox);
        const ptrdiff_t offset = input_offset_at(args, oy, ox);
        if (b == 0 && (pixel_stride == INTERLEAVED_STRIDE || pixel_stride == PLANE_STRIDE)) {
            fetch_image(args, pixels, pixel_stride, oy, ox);
        }
        if (narrow) {
            convolution_tile(args, e, NARROW_PIXELS, vectors, pixel_stride, t, offset, b, oy, ox);
        } else {
            convolution_tile(args, e, pixels, vectors, pixel_stride, t, offset, b, oy, ox);
        }
        ox += tile;
        /* The last tile ends with the row, over outputs that have their value already. */
        if (ox < whole.end && ox + tile > whole.end) ox = whole.end - tile;
    }
}

#if STEM_SHARED
/* Columns of an output row whose taps are at most one column outside the plane; a tile of them has
 * to fit. */
MBN_INLINE span stem_columns(const mbn_convolution_args *args) {
    return inside(args->output_width, args->input_width + 2, 3, 2, args->pad_left - 1);
}

MBN_INLINE bool is_stem(const mbn_convolution_args *args) {
    const bool interleaved = args->input_block == IMAGE_BLOCK;
    const bool planes = DEPTH == 1 && args->input_block == 1;
    const span columns = stem_columns(args);
    return args->output_channels <= BLOCK && args->input_channels == 3 && (interleaved || planes) &&
           args->kernel_height == 3 && args->kernel_width == 3 && args->stride_horizontal == 2 &&
           columns.end - columns.begin >= STEM_PIXELS;
}

MBN_INLINE void stem_row(const mbn_convolution_args *args, const epilogue *e,
                         ptrdiff_t column_stride, int32_t oy) {
    const span columns = stem_columns(args);
    for (int32_t ox = 0; ox < args->output_width;) {
        if (ox < columns.begin || ox >= columns.end) {
            convolution_single(args, e, 1, 0, oy, ox);
            ox++;
            continue;
        }
        taps t = taps_at(args, oy, ox);
        t.x_end = taps_at(args, oy, ox + STEM_PIXELS - 1).x_end;
        fetch_image(args, STEM_PIXELS, 2 * column_stride, oy, ox);
        stem_tile(args, e, column_stride, t, input_offset_at(args, oy, ox), oy, ox);
        ox += STEM_PIXELS;
        /* As above. */
        if (ox < columns.end && ox + STEM_PIXELS > columns.end) ox = columns.end - STEM_PIXELS;
    }
}

/* Rows of the stem; its only block of outputs is the first. */
MBN_INLINE void stem(const mbn_convolution_args *args, const epilogue *e, mbn_range range) {
    if (range.block_begin == range.block_end) return;
    for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
        if (args->input_block == IMAGE_BLOCK) {
            stem_row(args, e, IMAGE_BLOCK * IMAGE_BYTES, oy);
        } else {
            stem_row(args, e, IMAGE_BYTES, oy);
        }
    }
}
#endif

/* Where the stride is a constant, a tile's inputs are at fixed distances from one register; else
 * each needs an address of its own, which costs a quarter of the speed.  The stem of every
 * MobileNet has stride 2 over 3 interleaved channels, or over planes. */
MBN_INLINE void convolution_panel_row(const mbn_convolution_args *args, const epilogue *e,
                                      int32_t vectors, int32_t pixels, int32_t b, int32_t oy) {
    const ptrdiff_t pixel_stride =
        (ptrdiff_t)args->stride_horizontal * args->input_block * IMAGE_BYTES;
#if TILES_FEW
    convolution_row(args, e, vectors, pixels, pixel_stride, false, b, oy);
#else
    switch (pixel_stride) {
    case INTERLEAVED_STRIDE:
        convolution_row(args, e, vectors, pixels, INTERLEAVED_STRIDE, false, b, oy);
        break;
#if DEPTH == 1
    case PLANE_STRIDE: convolution_row(args, e, vectors, pixels, PLANE_STRIDE, false, b, oy); break;
#endif
#if STEM_ONLY
    default: convolution_row(args, e, vectors, pixels, pixel_stride, false, b, oy); break;
#else
    case PIXEL_BYTES: convolution_row(args, e, vectors, pixels, PIXEL_BYTES, true, b, oy); break;
    default: convolution_row(args, e, vectors, pixels, pixel_stride, true, b, oy); break;
#endif
    }
#endif
}

/* A panel of one vector.  Called as the others are, gcc 12 and clang 14 spill more for AVX2. */
MBN_INLINE void convolution_vector_row(const mbn_convolution_args *args, const epilogue *e,
                                       int32_t b, int32_t oy) {
    convolution_panel_row(args, e, 1, POINTWISE_PIXELS_1, b, oy);
}

static void convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, ELEMENT_BYTES, IMAGE_BYTES);
    assert(mbn_same_blocking(args->blocking, (mbn_blocking){BLOCK, PANEL, DEPTH}));
    const epilogue e = convolution_epilogue(args, range);
#if STEM_SHARED
    if (is_stem(args)) {
        stem(args, &e, range);
        return;
    }
#endif
    const int32_t blocks = mbn_block_count(args->output_channels, BLOCK);
    for (int32_t b = range.block_begin; b < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - b, PANEL);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            switch (vectors) {
            case 1: convolution_vector_row(args, &e, b, oy); break;
#if PANEL_MAX >= 3
            case 2: convolution_panel_row(args, &e, 2, POINTWISE_PIXELS_2, b, oy); break;
            case 3: convolution_panel_row(args, &e, 3, CONVOLUTION_PIXELS_3, b, oy); break;
#endif
#if PANEL_MAX >= 4
            case 4: convolution_panel_row(args, &e, 4, CONVOLUTION_PIXELS_4, b, oy); break;
#endif
            }
        }
        b += vectors;
    }
}

#endif
