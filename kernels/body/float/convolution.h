/* Standard convolution: the pointwise tile with a loop over taps around it. */
#include "epilogue.h"
#include "kernels/walk/taps.h"

/* activation(values [+ residual]) of a tile in memory, [pixel][vector]. */
static __attribute__((noinline)) void finish_spilled(const mbn_convolution_args *args,
                                                     const epilogue *e, int32_t pixels,
                                                     int32_t vectors, const float *values,
                                                     int32_t b, int32_t oy, int32_t ox) {
    const ptrdiff_t column = (ptrdiff_t)ox * PIXEL_BYTES;
    for (int32_t v = 0; v < vectors; v++) {
        char *output = mbn_row_at(&args->output, b + v, oy) + column;
        const char *residual =
            args->residual.data == NULL ? NULL : mbn_row_at(&args->residual, b + v, oy) + column;
        for (int32_t p = 0; p < pixels; p++) {
            vec y = vec_load(values + (p * vectors + v) * VEC_WIDTH);
            if (residual != NULL) y = vec_add(y, element_load(residual + p * PIXEL_BYTES));
            element_store(output + p * PIXEL_BYTES, epilogue_apply(e, y));
        }
    }
}

/* The same of accumulators.  Only the stem's chains are so short that its tiles are stored from
 * registers (stem, a constant), vector by vector, since with one branch for all of them gcc 12
 * spills the accumulators. */
MBN_INLINE void finish_convolution(const mbn_convolution_args *args, const epilogue *e, bool stem,
                                   int32_t pixels, int32_t vectors, vec acc[16][4], int32_t b,
                                   int32_t oy, int32_t ox) {
    if (TILES_FEW || !stem || args->residual.data != NULL) {
        float values[TILE_FLOATS];
        spill_tile(pixels, 0, vectors, acc, values);
        finish_spilled(args, e, pixels, vectors, values, b, oy, ox);
        return;
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        char *output = mbn_row_at(&args->output, b + v, oy) + (ptrdiff_t)ox * PIXEL_BYTES;
        store_tile(e, false, pixels, v, 1, acc, output, args->output.block_stride);
    }
}

/* pixels and vectors are constants, pixel_stride (bytes between the inputs of neighbouring outputs)
 * too where it matters.  input_offset: of tap (0, 0) of the first pixel, which may lie outside the
 * plane. */
MBN_INLINE void convolution_tile(const mbn_convolution_args *args, const epilogue *e,
                                 int32_t pixels, int32_t vectors, ptrdiff_t pixel_stride,
                                 taps inside_taps, ptrdiff_t input_offset, int32_t b, int32_t oy,
                                 int32_t ox) {
    const char *bias = mbn_bias_at(&args->operands, b);
    const int32_t steps = steps_of(args->input_channels), input_block = args->input_block;
    const ptrdiff_t step = (ptrdiff_t)vectors * STEP_BYTES;
    const char *weights = mbn_weights_at(&args->operands, b);
    vec acc[16][4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = vec_load(bias + v * VECTOR_BYTES);
    }
    /* Interleaved pixels: a row of taps is one run of operands. */
    const bool interleaved = input_block == steps * DEPTH;
    const int32_t columns = inside_taps.x_end - inside_taps.x_begin;
    const int32_t runs = interleaved ? 1 : columns;
    const int32_t run_block = interleaved ? columns * steps : input_block / DEPTH;
    const int32_t run_steps = interleaved ? columns * steps : steps;
    for (int32_t ky = inside_taps.y_begin; ky < inside_taps.y_end; ky++) {
        for (int32_t kx = inside_taps.x_begin; kx < inside_taps.x_begin + runs; kx++) {
            const char *w = weights + (ptrdiff_t)(ky * args->kernel_width + kx) * steps * step;
            const char *x = mbn_at(&args->input, input_offset + ky * args->input.row_stride +
                                                     (ptrdiff_t)kx * input_block * IMAGE_BYTES);
            int32_t left = run_steps;
            for (; left > 0; x += args->input.block_stride, left -= run_block) {
                const int32_t count = left < run_block ? left : run_block;
                for (int32_t k = 0; k < count; k++) {
                    operand row[4];
                    MBN_UNROLL
                    for (int32_t v = 0; v < vectors; v++) row[v] = operand_load(w + v * STEP_BYTES);
                    MBN_UNROLL
                    for (int32_t p = 0; p < pixels; p++) {
                        const operand value =
                            operand_broadcast(x + (ptrdiff_t)k * OPERAND_BYTES + p * pixel_stride);
                        MBN_UNROLL
                        for (int32_t v = 0; v < vectors; v++) {
                            acc[p][v] = operand_dot(value, row[v], acc[p][v]);
                        }
                    }
                    w += step;
                }
            }
        }
    }
    finish_convolution(args, e, is_stem_tile(pixels, pixel_stride), pixels, vectors, acc, b, oy,
                       ox);
}

#if STEM_SHARED
#include "stem.h"
#endif
MBN_INLINE epilogue convolution_epilogue(const mbn_convolution_args *args, mbn_range range) {
    (void)range;
    return epilogue_of(&args->finish);
}

#include "kernels/walk/convolution.h"
