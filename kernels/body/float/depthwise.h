/* Depthwise convolution: a tile computes a few columns of one or two output rows: as many as there
 * are registers for (DEPTHWISE_ROWS, DEPTHWISE_COLUMNS).  Two rows share the input rows between
 * them.
 *
 * Where loads are fenced, a row's inputs are loaded at once, and weights no sooner than they are
 * needed: left alone, gcc 12 spills for AArch64.  Cycles for a multiply-add on Neoverse N1 by
 * llvm-mca, 3x3 and 5x5 at stride 2: 1.42 and 1.15 without, 0.84 and 0.68 with it. */
#include "epilogue.h"

/* What the tiles of one channel block share. */
typedef struct depthwise_block {
    const char *weights;
    vec bias;
} depthwise_block;

MBN_INLINE depthwise_block depthwise_block_of(const mbn_depthwise_args *args, const epilogue *e,
                                              int32_t b) {
    (void)e;
    return (depthwise_block){
        mbn_weights_at(&args->operands, b),
        vec_load(mbn_bias_at(&args->operands, b)),
    };
}

/* The weights of one tap. */
MBN_INLINE vec tap_weight(const depthwise_block *block, int32_t kernel, int32_t ky, int32_t kx) {
#if DEPTHWISE_PAIRS
    const char *row = block->weights + (ptrdiff_t)ky * steps_of(kernel) * STEP_BYTES;
    return pair_values(operand_load(row + kx / 2 * STEP_BYTES), kx % 2);
#else
    return element_load(block->weights + (ptrdiff_t)(ky * kernel + kx) * PIXEL_BYTES);
#endif
}

#if DEPTHWISE_PAIRS
#include "depthwise_pairs.h"
#else
/* rows x columns outputs, all taps inside the plane; every size but the strides in memory is a
 * constant.  input: the first tap of the first output. */
MBN_INLINE void depthwise_tile(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const depthwise_block *block, const epilogue *e, char *output,
                               ptrdiff_t output_row_stride) {
    vec acc[2][16][4]; /* a tile of one vector for each row */
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[r][c][0] = block->bias;
    }
    MBN_UNROLL
    for (int32_t iy = 0; iy < (rows - 1) * vertical + kernel; iy++) {
        const char *line = input + iy * input_row_stride;
#if VEC_FENCED && !TILES_FEW
        vec inputs[17];
        MBN_UNROLL
        for (int32_t i = 0; i < (columns - 1) * horizontal + kernel; i++) {
            inputs[i] = element_load(line + i * PIXEL_BYTES);
        }
#endif
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t ky = iy - r * vertical;
            if (ky < 0 || ky >= kernel) continue;
            MBN_UNROLL
            for (int32_t i = 0; i < kernel; i++) {
                const int32_t kx = in_turn(i, kernel);
                const vec w = tap_weight(block, kernel, ky, kx);
                VEC_FENCE();
                MBN_UNROLL
                for (int32_t c = 0; c < columns; c++) {
#if VEC_FENCED && !TILES_FEW
                    const vec x = inputs[c * horizontal + kx];
#else
                    const vec x = element_load(line + (c * horizontal + kx) * PIXEL_BYTES);
#endif
                    acc[r][c][0] = vec_fma(x, w, acc[r][c][0]);
                }
            }
        }
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        store_tile(e, false, columns, 0, 1, acc[r], output + r * output_row_stride, 0);
    }
}

#endif

/* Output (oy, ox) of the channel block with the taps outside the plane left out. */
static void depthwise_border(const mbn_depthwise_args *args, int32_t kernel, const char *input,
                             const depthwise_block *block, const epilogue *e, int32_t oy,
                             int32_t ox, char *output) {
    const int32_t top = oy * args->stride_vertical - args->pad_top;
    const int32_t left = ox * args->stride_horizontal - args->pad_left;
    vec acc = block->bias;
    for (int32_t ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= args->input_height) continue;
        for (int32_t i = 0; i < kernel; i++) {
            const int32_t kx = in_turn(i, kernel);
            if (left + kx < 0 || left + kx >= args->input_width) continue;
            const char *x =
                input + (top + ky) * args->input.row_stride + (ptrdiff_t)(left + kx) * PIXEL_BYTES;
            acc = vec_fma(element_load(x), tap_weight(block, kernel, ky, kx), acc);
        }
    }
    element_store(output + oy * args->output.row_stride + (ptrdiff_t)ox * PIXEL_BYTES,
                  epilogue_apply(e, acc));
}

#include "kernels/walk/depthwise.h"
