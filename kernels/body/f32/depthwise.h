/* Depthwise convolution over a vec.h.
 *
 * A step computes a few columns of one or two output rows: as many as there are registers for
 * (DEPTHWISE_ROWS, DEPTHWISE_COLUMNS).  Two rows share the input rows between them.  Outputs whose
 * taps leave the plane are computed one by one with the taps cut; a plane that carries its own halo
 * has none of those.
 *
 * A vec.h with a VEC_FENCE has a row's inputs loaded at once, and weights no sooner than they are
 * needed: left alone, gcc 12 spills for AArch64.  Cycles for a multiply-add on Neoverse N1 by
 * llvm-mca, 3x3 and 5x5 at stride 2: 1.42 and 1.15 without, 0.84 and 0.68 with it. */
#include "epilogue.h"
#include "kernels/walk/span.h"

/* rows x columns outputs, all taps inside the plane; every size but the strides in memory is a
 * constant.  input: the first tap of the first output. */
MBN_INLINE void depthwise_tile(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const float *input, ptrdiff_t input_row_stride,
                               const float *weights, vec bias, const epilogue *e, float *output,
                               ptrdiff_t output_row_stride) {
    vec acc[2][16][4]; /* a tile of one vector for each row */
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[r][c][0] = bias;
    }
    MBN_UNROLL
    for (int32_t iy = 0; iy < (rows - 1) * vertical + kernel; iy++) {
        const float *line = input + iy * input_row_stride;
#if defined(VEC_FENCE)
        vec inputs[17];
        MBN_UNROLL
        for (int32_t i = 0; i < (columns - 1) * horizontal + kernel; i++) {
            inputs[i] = vec_load(line + i * VEC_WIDTH);
        }
#endif
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t ky = iy - r * vertical;
            if (ky < 0 || ky >= kernel) continue;
            MBN_UNROLL
            for (int32_t kx = 0; kx < kernel; kx++) {
                const vec w = vec_load(weights + (ky * kernel + kx) * VEC_WIDTH);
#if defined(VEC_FENCE)
                VEC_FENCE();
#endif
                MBN_UNROLL
                for (int32_t c = 0; c < columns; c++) {
#if defined(VEC_FENCE)
                    const vec x = inputs[c * horizontal + kx];
#else
                    const vec x = vec_load(line + (c * horizontal + kx) * VEC_WIDTH);
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

/* Output (oy, ox) of one channel block with the taps outside the plane left out. */
static void depthwise_border(const mbn_depthwise_args *args, int32_t kernel, const float *input,
                             const float *weights, vec bias, const epilogue *e, int32_t oy,
                             int32_t ox, float *output) {
    const int32_t top = oy * args->stride_vertical - args->pad_top;
    const int32_t left = ox * args->stride_horizontal - args->pad_left;
    vec acc = bias;
    for (int32_t ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= args->input_height) continue;
        for (int32_t kx = 0; kx < kernel; kx++) {
            if (left + kx < 0 || left + kx >= args->input_width) continue;
            const float *x =
                input + (top + ky) * args->input_row_stride + (ptrdiff_t)(left + kx) * VEC_WIDTH;
            acc = vec_fma(vec_load(x), vec_load(weights + (ky * kernel + kx) * VEC_WIDTH), acc);
        }
    }
    vec_store(output + oy * args->output_row_stride + (ptrdiff_t)ox * VEC_WIDTH,
              epilogue_apply(e, acc));
}

/* Columns of `rows` output rows from oy on, in steps of `tile` columns, a constant.  What is left of a
 * row after whole steps is computed by a step that ends with the row, over outputs that have their
 * value already. */
MBN_INLINE void depthwise_steps(const mbn_depthwise_args *args, int32_t rows, int32_t tile,
                                int32_t kernel, int32_t vertical, int32_t horizontal,
                                const float *line, const float *weights, vec bias,
                                const epilogue *e, span columns, float *output) {
    for (int32_t ox = columns.begin; ox < columns.end;) {
        const float *x = line + (ptrdiff_t)(ox * horizontal - args->pad_left) * VEC_WIDTH;
        depthwise_tile(rows, tile, kernel, vertical, horizontal, x, args->input_row_stride, weights,
                       bias, e, output + (ptrdiff_t)ox * VEC_WIDTH, args->output_row_stride);
        ox += tile;
        if (ox < columns.end && ox + tile > columns.end) ox = columns.end - tile;
    }
}

/* Columns that steps of `tile` compute for `columns` of a row. */
MBN_INLINE int32_t stepped_columns(int32_t columns, int32_t tile) {
    return (columns + tile - 1) / tile * tile;
}

MBN_INLINE void depthwise_rows(const mbn_depthwise_args *args, int32_t rows, int32_t kernel,
                               int32_t vertical, int32_t horizontal, const float *input,
                               const float *weights, vec bias, const epilogue *e, int32_t oy,
                               span columns, float *output) {
    const float *line = input + (oy * vertical - args->pad_top) * args->input_row_stride;
    float *out = output + oy * args->output_row_stride;
    const int32_t count = columns.end - columns.begin;
    const bool wide = count >= DEPTHWISE_COLUMNS && stepped_columns(count, DEPTHWISE_COLUMNS) <=
                                                        stepped_columns(count, DEPTHWISE_NARROW);
    if (wide) {
        depthwise_steps(args, rows, DEPTHWISE_COLUMNS, kernel, vertical, horizontal, line, weights,
                        bias, e, columns, out);
    } else if (count >= DEPTHWISE_NARROW) {
        depthwise_steps(args, rows, DEPTHWISE_NARROW, kernel, vertical, horizontal, line, weights,
                        bias, e, columns, out);
    } else {
        depthwise_steps(args, rows, 1, kernel, vertical, horizontal, line, weights, bias, e,
                        columns, out);
    }
}

/* pair: whether to compute rows in pairs, a constant. */
MBN_INLINE void depthwise(const mbn_depthwise_args *args, mbn_range range, int32_t kernel,
                          int32_t vertical, int32_t horizontal, bool pair) {
    assert(args->block == VEC_WIDTH);
    assert(args->kernel_height == kernel && args->kernel_width == kernel);
    assert(args->stride_vertical == vertical && args->stride_horizontal == horizontal);
    const epilogue e = epilogue_of(&args->activation);
    const span rows =
        inside(args->output_height, args->input_height, kernel, vertical, args->pad_top);
    const span columns =
        inside(args->output_width, args->input_width, kernel, horizontal, args->pad_left);
    for (int32_t block = range.block_begin; block < range.block_end; block++) {
        const float *input = args->input + block * args->input_block_stride;
        float *output = args->output + block * args->output_block_stride;
        const float *weights = args->weights + (ptrdiff_t)block * kernel * kernel * VEC_WIDTH;
        const vec bias = vec_load(args->bias + (ptrdiff_t)block * VEC_WIDTH);
        for (int32_t oy = range.row_begin; oy < range.row_end;) {
            const bool row_inside = oy >= rows.begin && oy < rows.end;
            const span middle = row_inside ? columns : (span){0, 0};
            const int32_t step =
                pair && row_inside && oy + 2 <= rows.end && oy + 2 <= range.row_end ? 2 : 1;
            for (int32_t r = oy; r < oy + step; r++) {
                for (int32_t ox = 0; ox < args->output_width; ox++) {
                    if (ox == middle.begin) ox = middle.end;
                    if (ox == args->output_width) break;
                    depthwise_border(args, kernel, input, weights, bias, &e, r, ox, output);
                }
            }
            if (step == 2) {
                depthwise_rows(args, 2, kernel, vertical, horizontal, input, weights, bias, &e, oy,
                               middle, output);
            } else if (row_inside) {
                depthwise_rows(args, 1, kernel, vertical, horizontal, input, weights, bias, &e, oy,
                               middle, output);
            }
            oy += step;
        }
    }
}

#define DEPTHWISE(kernel, vertical, horizontal)                                                    \
    void MBN_ISA_NAME(depthwise_##kernel##x##kernel##_s##vertical##horizontal)(                    \
        const mbn_depthwise_args *args, mbn_range range) {                                         \
        /* Unequal strides are rare, and not worth the code of a pair. */                          \
        depthwise(args, range, kernel, vertical, horizontal,                                       \
                  DEPTHWISE_ROWS == 2 && vertical == horizontal);                                  \
    }

DEPTHWISE(3, 1, 1)
DEPTHWISE(3, 1, 2)
DEPTHWISE(3, 2, 1)
DEPTHWISE(3, 2, 2)
DEPTHWISE(5, 1, 1)
DEPTHWISE(5, 1, 2)
DEPTHWISE(5, 2, 1)
DEPTHWISE(5, 2, 2)
