/* Standard convolution over a vec.h: the pointwise tile with a loop over taps around it.  Pixels of
 * a tile lie in one output row.  Columns whose taps leave the plane are computed one by one with the
 * taps cut; rows are cut for all of a row's tiles alike. */
#include "epilogue.h"
#include "span.h"

/* Pixels of a tile of one vector, if not pointwise's. */
#ifndef CONVOLUTION_PIXELS_1
#define CONVOLUTION_PIXELS_1 POINTWISE_PIXELS_1
#endif

typedef struct taps {
    int32_t y_begin, y_end, x_begin, x_end; /* those inside the plane */
} taps;

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
    vec acc[28][4];
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
        if (e->kind == EPILOGUE_LINE) {
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                vec_store(output + p * VEC_WIDTH, epilogue_of_kind(e, EPILOGUE_LINE, acc[p][v]));
            }
        } else {
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                vec_store(output + p * VEC_WIDTH, epilogue_clamp(e, acc[p][v]));
            }
        }
    }
}

/* One pixel, wherever it lies. */
static void convolution_single(const mbn_convolution_args *args, const epilogue *e, int32_t vectors,
                               taps cut, ptrdiff_t input_offset, int32_t block, int32_t oy,
                               int32_t ox) {
    switch (vectors) {
    case 1: convolution_tile(args, e, 1, 1, 0, cut, input_offset, block, oy, ox); break;
    case 2: convolution_tile(args, e, 1, 2, 0, cut, input_offset, block, oy, ox); break;
    case 3: convolution_tile(args, e, 1, 3, 0, cut, input_offset, block, oy, ox); break;
#if PANEL_MAX >= 4
    case 4: convolution_tile(args, e, 1, 4, 0, cut, input_offset, block, oy, ox); break;
#endif
    }
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
    taps t = {
        first_tap(oy, args->stride_vertical, args->pad_top),
        last_tap(oy, args->stride_vertical, args->pad_top, args->kernel_height, args->input_height),
        0,
        args->kernel_width,
    };
    const ptrdiff_t row = (oy * args->stride_vertical - args->pad_top) * args->input_row_stride;
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
        const int32_t left = ox * args->stride_horizontal - args->pad_left;
        const ptrdiff_t offset = row + (ptrdiff_t)left * args->input_block;
        if (tiled && ox >= whole.begin && ox < whole.end) {
            if (narrow) {
                convolution_tile(args, e, NARROW_PIXELS, vectors, pixel_stride, t, offset, block,
                                 oy, ox);
            } else {
                convolution_tile(args, e, pixels, vectors, pixel_stride, t, offset, block, oy, ox);
            }
            ox += tile;
            /* The last tile ends with the row, over outputs that have their value already. */
            if (ox < whole.end && ox + tile > whole.end) ox = whole.end - tile;
        } else {
            taps cut = t;
            cut.x_begin = first_tap(ox, args->stride_horizontal, args->pad_left);
            cut.x_end = last_tap(ox, args->stride_horizontal, args->pad_left, args->kernel_width,
                                 args->input_width);
            convolution_single(args, e, vectors, cut, offset, block, oy, ox);
            ox++;
        }
    }
}

/* Where the stride is a constant, a tile's inputs are at fixed distances from one register; else
 * each needs an address of its own, which costs a quarter of the speed.  The stem of every MobileNet
 * has stride 2 over 3 interleaved channels, or over planes. */
MBN_INLINE void convolution_panel_row(const mbn_convolution_args *args, const epilogue *e,
                                      int32_t vectors, int32_t pixels, int32_t block, int32_t oy) {
    const ptrdiff_t pixel_stride = (ptrdiff_t)args->stride_horizontal * args->input_block;
    /* Tiles that are longer than pointwise's would leave short rows to single pixels. */
    const bool can_narrow = pixels > POINTWISE_PIXELS_1;
    switch (pixel_stride) {
    case 6: convolution_row(args, e, vectors, pixels, 6, can_narrow, block, oy); break;
    case 2: convolution_row(args, e, vectors, pixels, 2, can_narrow, block, oy); break;
    case VEC_WIDTH: convolution_row(args, e, vectors, pixels, VEC_WIDTH, true, block, oy); break;
    default: convolution_row(args, e, vectors, pixels, pixel_stride, true, block, oy); break;
    }
}

void MBN_ISA_NAME(convolution)(const mbn_convolution_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH && args->panel == PANEL);
    const epilogue e = epilogue_of(&args->activation);
    const int32_t blocks = mbn_block_count(args->output_channels, VEC_WIDTH);
    for (int32_t block = range.block_begin; block < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - block, PANEL);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            switch (vectors) {
            case 1: convolution_panel_row(args, &e, 1, CONVOLUTION_PIXELS_1, block, oy); break;
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
