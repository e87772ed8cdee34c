/* Standard convolution over a vec.h: the pointwise tile with a loop over taps around it.  Pixels of
 * a tile lie in one output row.  Columns whose taps leave the plane are computed one by one with the
 * taps cut; rows are cut for all of a row's tiles alike. */
#include "epilogue.h"
#include "kernels/walk/span.h"

typedef struct taps {
    int32_t y_begin, y_end, x_begin, x_end; /* those inside the plane */
} taps;

/* activation(acc [+ residual]), to output row oy, columns ox and on; vector by vector, since with one
 * branch for all of them gcc 12 spills the accumulators. */
MBN_INLINE void finish_convolution(const mbn_convolution_args *args, const epilogue *e,
                                   int32_t pixels, int32_t vectors, vec acc[16][4], int32_t block,
                                   int32_t oy, int32_t ox) {
    const ptrdiff_t column = (ptrdiff_t)ox * VEC_WIDTH;
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        float *output = args->output + ((block + v) * args->output_block_stride +
                                        oy * args->output_row_stride + column);
        if (args->residual != NULL) {
            const float *residual = args->residual + ((block + v) * args->residual_block_stride +
                                                      oy * args->residual_row_stride + column);
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                acc[p][v] = vec_add(acc[p][v], vec_load(residual + p * VEC_WIDTH));
            }
        }
        store_tile(e, false, pixels, v, 1, acc, output, args->output_block_stride);
    }
}

/* pixels and vectors are constants, pixel_stride (floats between the inputs of neighbouring outputs)
 * too where it matters.  input_offset: of tap (0, 0) of the first pixel, which may lie outside the
 * plane. */
MBN_INLINE void convolution_tile(const mbn_convolution_args *args, const epilogue *e,
                                 int32_t pixels, int32_t vectors, ptrdiff_t pixel_stride,
                                 taps inside_taps, ptrdiff_t input_offset, int32_t block,
                                 int32_t oy, int32_t ox) {
    const float *bias = args->bias + (ptrdiff_t)block * VEC_WIDTH;
    const int32_t channels = args->input_channels, input_block = args->input_block;
    const ptrdiff_t step = (ptrdiff_t)vectors * VEC_WIDTH;
    const float *weights = args->weights + (ptrdiff_t)block * VEC_WIDTH * channels *
                                               args->kernel_height * args->kernel_width;
    vec acc[16][4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = vec_load(bias + v * VEC_WIDTH);
    }
    /* Interleaved pixels: a row of taps is one run of floats. */
    const bool interleaved = input_block == channels;
    const int32_t columns = inside_taps.x_end - inside_taps.x_begin;
    const int32_t runs = interleaved ? 1 : columns;
    const int32_t run_block = interleaved ? columns * channels : input_block;
    const int32_t run_floats = interleaved ? columns * channels : channels;
    for (int32_t ky = inside_taps.y_begin; ky < inside_taps.y_end; ky++) {
        for (int32_t kx = inside_taps.x_begin; kx < inside_taps.x_begin + runs; kx++) {
            const float *w = weights + (ptrdiff_t)(ky * args->kernel_width + kx) * channels * step;
            const float *x = args->input + (input_offset + ky * args->input_row_stride +
                                            (ptrdiff_t)kx * input_block);
            int32_t left = run_floats;
            for (; left > 0; x += args->input_block_stride, left -= run_block) {
                const int32_t count = left < run_block ? left : run_block;
                for (int32_t k = 0; k < count; k++) {
                    vec row[4];
                    MBN_UNROLL
                    for (int32_t v = 0; v < vectors; v++) row[v] = vec_load(w + v * VEC_WIDTH);
                    MBN_UNROLL
                    for (int32_t p = 0; p < pixels; p++) {
                        const vec value = vec_broadcast(x + k + p * pixel_stride);
                        MBN_UNROLL
                        for (int32_t v = 0; v < vectors; v++) {
                            acc[p][v] = vec_fma(value, row[v], acc[p][v]);
                        }
                    }
                    w += step;
                }
            }
        }
    }
    finish_convolution(args, e, pixels, vectors, acc, block, oy, ox);
}

/* the taps of output `o` that fall into [0, size): first and one past the last */
MBN_INLINE int32_t first_tap(int32_t o, int32_t stride, int32_t pad) {
    const int32_t start = o * stride - pad;
    return start < 0 ? -start : 0;
}
MBN_INLINE int32_t last_tap(int32_t o, int32_t stride, int32_t pad, int32_t kernel, int32_t size) {
    const int32_t fit = size - (o * stride - pad);
    return fit < kernel ? fit : kernel;
}

MBN_INLINE taps taps_at(const mbn_convolution_args *args, int32_t oy, int32_t ox) {
    return (taps){
        first_tap(oy, args->stride_vertical, args->pad_top),
        last_tap(oy, args->stride_vertical, args->pad_top, args->kernel_height, args->input_height),
        first_tap(ox, args->stride_horizontal, args->pad_left),
        last_tap(ox, args->stride_horizontal, args->pad_left, args->kernel_width,
                 args->input_width),
    };
}

/* Offset of the input at tap (0, 0) of an output, which may lie outside the plane. */
MBN_INLINE ptrdiff_t input_offset_at(const mbn_convolution_args *args, int32_t oy, int32_t ox) {
    return (oy * args->stride_vertical - args->pad_top) * args->input_row_stride +
           (ptrdiff_t)(ox * args->stride_horizontal - args->pad_left) * args->input_block;
}

/* The image comes from memory, read too seldom to be in cache: what a row of outputs is the first to
 * read is fetched two rows before, beside the tile in the same columns.  (v3-large, between whose runs
 * 30 MB pass: its stem took twice as long without, with AVX2 and with AVX-512.)  Constants: the tile's
 * pixels and pixel_stride, which is 6 for interleaved pixels and 2 for planes. */
MBN_INLINE void fetch_image(const mbn_convolution_args *args, int32_t pixels,
                            ptrdiff_t pixel_stride, int32_t oy, int32_t ox) {
    enum { ROWS_AHEAD = 2, LINE_FLOATS = 16 };
    const int32_t planes = pixel_stride == 2 ? args->input_channels : 1;
    const int32_t end =
        (oy + ROWS_AHEAD) * args->stride_vertical - args->pad_top + args->kernel_height;
    for (int32_t y = end - args->stride_vertical; y < end && y < args->input_height; y++) {
        const float *row = args->input + y * args->input_row_stride + ox * pixel_stride;
        for (int32_t c = 0; c < planes; c++, row += args->input_block_stride) {
            for (int32_t i = 0; i < pixels * pixel_stride; i += LINE_FLOATS) {
                __builtin_prefetch(row + i);
            }
        }
    }
}

/* One pixel, wherever it lies. */
static void convolution_single(const mbn_convolution_args *args, const epilogue *e, int32_t vectors,
                               int32_t block, int32_t oy, int32_t ox) {
    const taps cut = taps_at(args, oy, ox);
    const ptrdiff_t offset = input_offset_at(args, oy, ox);
    switch (vectors) {
    case 1: convolution_tile(args, e, 1, 1, 0, cut, offset, block, oy, ox); break;
    case 2: convolution_tile(args, e, 1, 2, 0, cut, offset, block, oy, ox); break;
    case 3: convolution_tile(args, e, 1, 3, 0, cut, offset, block, oy, ox); break;
#if PANEL_MAX >= 4
    case 4: convolution_tile(args, e, 1, 4, 0, cut, offset, block, oy, ox); break;
#endif
    }
}

/* Columns that tiles of `pixels` compute for `columns` of a row.  A single one takes as long as
 * four: its multiply-adds wait for each other. */
MBN_INLINE int32_t tiled_columns(int32_t columns, int32_t pixels) {
    return columns < pixels ? 4 * columns : (columns + pixels - 1) / pixels * pixels;
}

/* One output row of one panel; vectors, pixels and pixel_stride as above.  can_narrow: whether tiles
 * for narrow planes are worth their code, a constant. */
MBN_INLINE void convolution_row(const mbn_convolution_args *args, const epilogue *e,
                                int32_t vectors, int32_t pixels, ptrdiff_t pixel_stride,
                                bool can_narrow, int32_t block, int32_t oy) {
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
            convolution_single(args, e, vectors, block, oy, ox);
            ox++;
            continue;
        }
        const taps t = taps_at(args, oy, ox);
        const ptrdiff_t offset = input_offset_at(args, oy, ox);
        if (block == 0 && (pixel_stride == 6 || pixel_stride == 2)) {
            fetch_image(args, pixels, pixel_stride, oy, ox);
        }
        if (narrow) {
            convolution_tile(args, e, NARROW_PIXELS, vectors, pixel_stride, t, offset, block, oy,
                             ox);
        } else {
            convolution_tile(args, e, pixels, vectors, pixel_stride, t, offset, block, oy, ox);
        }
        ox += tile;
        /* The last tile ends with the row, over outputs that have their value already. */
        if (ox < whole.end && ox + tile > whole.end) ox = whole.end - tile;
    }
}

#if STEM_SHARED
/* The stem of v3: one vector of outputs, 3x3 taps at stride 2 over 3 channels.  With a broadcast for
 * every multiply-add it would be bound by loads, so what two pixels read is loaded once: every other
 * column is the last of one pixel's and the first of the next one's.  A tile is four runs of four pixels
 * side by side, whose multiply-adds do not wait for each other's; the 9 weights of a row of taps stay
 * in registers. */
enum { STEM_RUNS = 4, STEM_RUN = 4, STEM_PIXELS = STEM_RUNS * STEM_RUN };

/* column_stride: floats between neighbouring inputs, a constant.  The first and the last column may lie
 * outside the plane. */
MBN_INLINE void stem_tile(const mbn_convolution_args *args, const epilogue *e,
                          ptrdiff_t column_stride, taps inside_taps, ptrdiff_t input_offset,
                          int32_t oy, int32_t ox) {
    const ptrdiff_t channel_stride = column_stride == 1 ? args->input_block_stride : 1;
    vec acc[16][4];
    MBN_UNROLL
    for (int32_t p = 0; p < STEM_PIXELS; p++) {
        acc[p][0] = vec_load(args->bias);
    }
    for (int32_t ky = inside_taps.y_begin; ky < inside_taps.y_end; ky++) {
        const float *row = args->input + (input_offset + ky * args->input_row_stride);
        vec w[3][3];
        MBN_UNROLL
        for (int32_t kx = 0; kx < 3; kx++) {
            MBN_UNROLL
            for (int32_t c = 0; c < 3; c++) {
                w[kx][c] = vec_load(args->weights + ((ky * 3 + kx) * 3 + c) * VEC_WIDTH);
            }
        }
        MBN_UNROLL
        for (int32_t j = 0; j <= 2 * STEM_RUN; j++) {
            const int32_t p = j / 2;
            MBN_UNROLL
            for (int32_t c = 0; c < 3; c++) {
                MBN_UNROLL
                for (int32_t run = 0; run < STEM_RUNS; run++) {
                    vec(*const sum)[4] = acc + run * STEM_RUN + p;
                    if (j == 0 && run == 0 && inside_taps.x_begin > 0) continue;
                    if (j == 2 * STEM_RUN && run == STEM_RUNS - 1 && inside_taps.x_end < 3)
                        continue;
                    const vec x = vec_broadcast(row + (2 * STEM_RUN * run + j) * column_stride +
                                                c * channel_stride);
                    if (j % 2 == 1) {
                        sum[0][0] = vec_fma(x, w[1][c], sum[0][0]);
                    } else {
                        if (j > 0) sum[-1][0] = vec_fma(x, w[2][c], sum[-1][0]);
                        if (p < STEM_RUN) sum[0][0] = vec_fma(x, w[0][c], sum[0][0]);
                    }
                }
            }
        }
    }
    finish_convolution(args, e, STEM_PIXELS, 1, acc, 0, oy, ox);
}

/* Columns of an output row whose taps are at most one column outside the plane; a tile of them has
 * to fit. */
MBN_INLINE span stem_columns(const mbn_convolution_args *args) {
    return inside(args->output_width, args->input_width + 2, 3, 2, args->pad_left - 1);
}

MBN_INLINE bool is_stem(const mbn_convolution_args *args) {
    const bool interleaved = args->input_block == 3, planes = args->input_block == 1;
    const span columns = stem_columns(args);
    return args->output_channels <= VEC_WIDTH && args->input_channels == 3 &&
           (interleaved || planes) && args->kernel_height == 3 && args->kernel_width == 3 &&
           args->stride_horizontal == 2 && columns.end - columns.begin >= STEM_PIXELS;
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
        if (args->input_block == 3) {
            stem_row(args, e, 3, oy);
        } else {
            stem_row(args, e, 1, oy);
        }
    }
}
#endif

/* Where the stride is a constant, a tile's inputs are at fixed distances from one register; else
 * each needs an address of its own, which costs a quarter of the speed.  The stem of every MobileNet
 * has stride 2 over 3 interleaved channels, or over planes. */
MBN_INLINE void convolution_panel_row(const mbn_convolution_args *args, const epilogue *e,
                                      int32_t vectors, int32_t pixels, int32_t block, int32_t oy) {
    const ptrdiff_t pixel_stride = (ptrdiff_t)args->stride_horizontal * args->input_block;
    switch (pixel_stride) {
    case 6: convolution_row(args, e, vectors, pixels, 6, false, block, oy); break;
    case 2: convolution_row(args, e, vectors, pixels, 2, false, block, oy); break;
    case VEC_WIDTH: convolution_row(args, e, vectors, pixels, VEC_WIDTH, true, block, oy); break;
    default: convolution_row(args, e, vectors, pixels, pixel_stride, true, block, oy); break;
    }
}

/* A panel of one vector.  Called as the others are, gcc 12 and clang 14 spill more for AVX2. */
MBN_INLINE void convolution_vector_row(const mbn_convolution_args *args, const epilogue *e,
                                       int32_t block, int32_t oy) {
    convolution_panel_row(args, e, 1, POINTWISE_PIXELS_1, block, oy);
}

void MBN_ISA_NAME(convolution)(const mbn_convolution_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH && args->panel == PANEL);
    const epilogue e = epilogue_of(&args->activation);
#if STEM_SHARED
    if (is_stem(args)) {
        stem(args, &e, range);
        return;
    }
#endif
    const int32_t blocks = mbn_block_count(args->output_channels, VEC_WIDTH);
    for (int32_t block = range.block_begin; block < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - block, PANEL);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            switch (vectors) {
            case 1: convolution_vector_row(args, &e, block, oy); break;
            case 2: convolution_panel_row(args, &e, 2, POINTWISE_PIXELS_2, block, oy); break;
            case 3: convolution_panel_row(args, &e, 3, POINTWISE_PIXELS_3, block, oy); break;
#if PANEL_MAX >= 4
            case 4: convolution_panel_row(args, &e, 4, POINTWISE_PIXELS_4, block, oy); break;
#endif
            }
        }
        block += vectors;
    }
}
