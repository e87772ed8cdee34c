/* Standard convolution: the pointwise tile with a loop over taps around it.  Taps outside of the
 * plane all read the zero point, and a tile's pixels have the same of them: what they add is a
 * vector, from which the sums begin. */
#include "finish.h"
#include "kernels/walk/taps.h"
#include "tile.h"

/* Whether the stem has tiles of its own here; of pixels of three bytes it has others. */
#define STEM_TILES (!TILES_FEW && !IMAGE_TRIPLES)

/* Where the sums of block b + v begin, of a panel of `vectors` blocks from b on: at `start`, and
 * what taps outside of the plane add. */
static sums outside_sums(const mbn_convolution_args *args, const epilogue *e, int32_t vectors,
                         int32_t v, taps inside_taps, int32_t b, sums start) {
    const int32_t steps = steps_of(args->input_channels);
    const operand zero = operand_splat(e->input_zero);
    const char *weights =
        mbn_weights_at(&args->operands, b) + vectors * HEAD_BYTES + v * STEP_BYTES;
    sums sum = start;
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                const bool inside = ky >= inside_taps.y_begin && ky < inside_taps.y_end &&
                                    kx >= inside_taps.x_begin && kx < inside_taps.x_end;
                for (int32_t k = 0; k < steps; k++, weights += vectors * STEP_BYTES) {
                    if (!inside) sum = operand_dot(zero, packed_load(weights), sum);
                }
            }
        }
        if (--pass == 0) return sum;
        sum = sums_twice(sum, start);
    }
}

/* Whether pixels are a stem's, interleaved; it has stride 2. */
MBN_INLINE bool is_stem(const mbn_convolution_args *args) {
    return args->input_channels <= IMAGE_BLOCK && args->input_block == IMAGE_BLOCK &&
           args->stride_horizontal == 2;
}

/* With the kind that serves for all of the range's blocks, of the stem. */
MBN_INLINE epilogue convolution_epilogue(const mbn_convolution_args *args, mbn_range range) {
    epilogue e = epilogue_of(&args->finish);
    e.kind = FINISH_ANY;
    if (is_stem(args) && args->residual.data == NULL) {
        e.kind = kind_of_blocks(&e, &args->operands, range.block_begin, range.block_end,
                                args->kernel_height * args->kernel_width * IMAGE_BLOCK);
    }
    return e;
}

MBN_INLINE bool taps_whole(const mbn_convolution_args *args, taps t) {
    return t.y_begin == 0 && t.y_end == args->kernel_height && t.x_begin == 0 &&
           t.x_end == args->kernel_width;
}

/* To output row oy, columns ox and on. */
MBN_INLINE void finish_convolution(const mbn_convolution_args *args, const epilogue *e,
                                   enum finish_kind kind, int32_t pixels, int32_t vectors,
                                   sums acc[16][4], int32_t b, int32_t oy, int32_t ox) {
    const ptrdiff_t column = (ptrdiff_t)ox * PIXEL_BYTES;
    if (kind != FINISH_ANY) {
        char *output = mbn_row_at(&args->output, b, oy) + column;
        store_tile(e, kind, mbn_bias_at(&args->operands, b), args->operands.bias_stride, pixels,
                   vectors, acc, output, args->output.block_stride);
        for (int32_t v = 0; v < vectors && lookup_left(e) != NULL; v++) {
            finish_bytes(e, e->lookup, NULL, pixels, output + v * args->output.block_stride);
        }
        return;
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const char *residual =
            args->residual.data == NULL ? NULL : mbn_row_at(&args->residual, b + v, oy) + column;
        int32_t values[16 * BLOCK];
        spill_pixels(pixels, v, acc, values);
        finish_run(e, mbn_bias_at(&args->operands, b + v), values, pixels, residual,
                   mbn_row_at(&args->output, b + v, oy) + column);
    }
}

/* Blocks [first, first + vectors) of the panel of `panel` blocks that begins with block b.  stem,
 * pixels and vectors are constants, pixel_stride (bytes between the inputs of neighbouring outputs)
 * too where it matters.  input_offset: of tap (0, 0) of the first pixel, which may lie outside the
 * plane. */
MBN_INLINE void convolution_part(const mbn_convolution_args *args, const epilogue *e, bool stem,
                                 int32_t pixels, int32_t panel, int32_t first, int32_t vectors,
                                 ptrdiff_t pixel_stride, taps inside_taps, ptrdiff_t input_offset,
                                 int32_t b, int32_t oy, int32_t ox) {
    const int32_t steps = steps_of(args->input_channels), input_block = args->input_block;
    const ptrdiff_t step = (ptrdiff_t)panel * STEP_BYTES;
    const char *const head = mbn_weights_at(&args->operands, b);
    const char *weights = head + panel * HEAD_BYTES + first * STEP_BYTES;
    /* Worth code in whole tiles of the stem alone. */
    const enum finish_kind kind = stem ? e->kind : FINISH_ANY;
    int32_t starts[4 * BLOCK];
    sums acc[16][4];
    /* All before the first sum: a call leaves no vector in its register. */
    for (int32_t v = 0; v < vectors; v++) {
        sums start = start_of(kind, mbn_bias_at(&args->operands, b + first + v),
                              head + (first + v) * HEAD_BYTES);
        if (!taps_whole(args, inside_taps)) {
            start = outside_sums(args, e, panel, first + v, inside_taps, b, start);
        }
        sums_store(starts + v * BLOCK, start);
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_load(starts + v * BLOCK);
    }
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = inside_taps.y_begin; ky < inside_taps.y_end; ky++) {
            /* Of the stem's interleaved pixels a row of taps is one run of operands. */
            const int32_t columns = inside_taps.x_end - inside_taps.x_begin;
            const int32_t runs = stem ? 1 : columns;
            for (int32_t kx = inside_taps.x_begin; kx < inside_taps.x_begin + runs; kx++) {
                const char *w = weights + (ptrdiff_t)(ky * args->kernel_width + kx) * steps * step;
                const char *x = mbn_at(&args->input, input_offset + ky * args->input.row_stride +
                                                         (ptrdiff_t)kx * input_block);
                const int32_t run_block = input_block / DEPTH;
                for (int32_t left = stem ? columns : steps; left > 0; left -= run_block) {
                    const int32_t count = stem || left < run_block ? left : run_block;
                    for (int32_t k = 0; k < count; k++, w += step) {
                        tile_step(pixels, vectors, false, x + (ptrdiff_t)k * OPERAND_BYTES,
                                  pixel_stride, w, acc);
                    }
                    if (stem) break;
                    x += args->input.block_stride;
                }
            }
        }
        if (--pass == 0) break;
        weights += (ptrdiff_t)args->kernel_height * args->kernel_width * steps * step;
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const sums start = sums_load(starts + v * BLOCK);
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_twice(acc[p][v], start);
        }
    }
    finish_convolution(args, e, kind, pixels, vectors, acc, b + first, oy, ox);
}

/* What is not the stem: block by block, whatever the panel. */
static __attribute__((noinline)) void convolution_any(const mbn_convolution_args *args,
                                                      const epilogue *e, int32_t pixels,
                                                      int32_t panel, ptrdiff_t pixel_stride,
                                                      taps inside_taps, ptrdiff_t input_offset,
                                                      int32_t b, int32_t oy, int32_t ox) {
    for (int32_t v = 0; v < panel; v++) {
        if (pixels == 1) {
            convolution_part(args, e, false, 1, panel, v, 1, 0, inside_taps, input_offset, b, oy,
                             ox);
        } else if (pixels == POINTWISE_PIXELS_3 && POINTWISE_PIXELS_3 != POINTWISE_PIXELS_1) {
            convolution_part(args, e, false, POINTWISE_PIXELS_3, panel, v, 1, pixel_stride,
                             inside_taps, input_offset, b, oy, ox);
        } else if (pixels == POINTWISE_PIXELS_2 && POINTWISE_PIXELS_2 != POINTWISE_PIXELS_1) {
            convolution_part(args, e, false, POINTWISE_PIXELS_2, panel, v, 1, pixel_stride,
                             inside_taps, input_offset, b, oy, ox);
        } else {
            convolution_part(args, e, false, POINTWISE_PIXELS_1, panel, v, 1, pixel_stride,
                             inside_taps, input_offset, b, oy, ox);
        }
    }
}

#if STEM_TILES
/* A tile of the stem, of 1 or 2 blocks.  A function each: the walk around it would take its
 * registers. */
static __attribute__((noinline)) void stem_tile(const mbn_convolution_args *args, const epilogue *e,
                                                int32_t vectors, const taps *inside_taps,
                                                ptrdiff_t input_offset, int32_t oy, int32_t ox) {
    if (vectors == 1) {
        convolution_part(args, e, true, POINTWISE_PIXELS_1, 1, 0, 1, 2 * IMAGE_BLOCK, *inside_taps,
                         input_offset, 0, oy, ox);
    } else {
        convolution_part(args, e, true, POINTWISE_PIXELS_2, 2, 0, 2, 2 * IMAGE_BLOCK, *inside_taps,
                         input_offset, 0, oy, ox);
    }
}
#endif

MBN_INLINE void convolution_tile(const mbn_convolution_args *args, const epilogue *e,
                                 int32_t pixels, int32_t vectors, ptrdiff_t pixel_stride,
                                 taps inside_taps, ptrdiff_t input_offset, int32_t b, int32_t oy,
                                 int32_t ox) {
#if STEM_TILES
    if (b == 0 && vectors <= 2 && pixels > 1 && is_stem(args)) {
        stem_tile(args, e, vectors, &inside_taps, input_offset, oy, ox);
        return;
    }
#endif
    convolution_any(args, e, pixels, vectors, pixel_stride, inside_taps, input_offset, b, oy, ox);
}

#include "kernels/walk/convolution.h"
