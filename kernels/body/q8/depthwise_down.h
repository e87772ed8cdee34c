/* Depthwise convolution where inputs are made signed and channels stand side by side: a half is of
 * four rows of a column of 8 channels, so it serves two output rows, and in each as many columns as
 * the kernel has, with weights that are shifted by a row.  3x3 takes three operands for each
 * output, 5x5 ten.  What a row of outputs has no weight for meets a zero. */
#include "finish.h"

enum { DOWN_MOST = 3 }; /* shifts of a kernel's weights */

/* What the tiles of one channel block share. */
typedef struct depthwise_block {
    const char *weights; /* [shift]: a head, and [pass][four rows][column][half] */
    const char *channels;
    enum finish_kind kind;
    int32_t start[DOWN_MOST][BLOCK];
    int32_t passes;
} depthwise_block;

/* Fours of rows that the kernel reaches into, and rows that its weights are shifted by, less 1. */
MBN_INLINE int32_t fours_of(int32_t kernel) {
    return steps_of(kernel);
}
MBN_INLINE int32_t shifts_of(int32_t kernel) {
    return kernel == 3 ? 2 : DOWN_MOST;
}

/* The bytes of all weights of a pass, and of a shift. */
MBN_INLINE ptrdiff_t pass_bytes(int32_t kernel) {
    return (ptrdiff_t)kernel * fours_of(kernel) * STEP_BYTES;
}
MBN_INLINE ptrdiff_t shift_bytes(int32_t kernel, int32_t passes) {
    return HEAD_BYTES + passes * pass_bytes(kernel);
}

MBN_INLINE depthwise_block depthwise_block_of(const mbn_depthwise_args *args, const epilogue *e,
                                              int32_t b) {
    const char *channels = mbn_bias_at(&args->operands, b);
    const int32_t kernel = args->kernel_height, passes = passes_of(&args->operands);
    depthwise_block block = {
        .weights = mbn_weights_at(&args->operands, b),
        .channels = channels,
        .kind = finish_kind_of(e, channels, kernel * kernel, args->operands.wide),
        .passes = passes,
    };
    for (int32_t s = 0; s < shifts_of(kernel); s++) {
        sums_store(block.start[s],
                   start_of(block.kind, channels, block.weights + s * shift_bytes(kernel, passes)));
    }
    return block;
}

/* Output row r of a tile: its taps begin at input row r * vertical, which is that many rows, its
 * shift, behind a row that operands begin at. */
MBN_INLINE int32_t shift_of(int32_t r, int32_t kernel, int32_t vertical) {
    return vertical == 1 ? r : kernel == 5 ? 2 * r : 0;
}

/* Column x of the inputs of a tile's half: its rows two by two, of which an odd last one is its own
 * second. */
MBN_INLINE void depthwise_pairs(int32_t last, const char *const row[8], int32_t x, pair two[4]) {
    MBN_UNROLL
    for (int32_t j = 0; 2 * j <= last; j++) {
        const int32_t second = 2 * j < last ? 2 * j + 1 : last;
        two[j] = pair_of(row[2 * j] + x * PIXEL_BYTES, row[second] + x * PIXEL_BYTES);
    }
}

/* One pass over the taps of half a block, whose first channel the pointers are at.  Each column's
 * pairs are made before the one's before it are multiplied, for in-order cores. */
MBN_INLINE void depthwise_half(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const char *weights, ptrdiff_t shift_stride, half_sums acc[2][8]) {
    const int32_t last = (rows - 1) * vertical + kernel - 1;
    const int32_t read = (columns - 1) * horizontal + kernel; /* columns */
    const char *row[8], *w[DOWN_MOST];
    MBN_UNROLL
    for (int32_t y = 0; y <= last; y++) row[y] = fenced(input + y * input_row_stride);
    MBN_UNROLL
    for (int32_t s = 0; s < shifts_of(kernel); s++) w[s] = fenced(weights + s * shift_stride);
    /* The weights of a 3x3 kernel stay in registers; of a larger one there are too many. */
    half_operand kept[DOWN_MOST][3];
    MBN_UNROLL
    for (int32_t r = 0; r < rows && kernel == 3; r++) {
        const int32_t shift = shift_of(r, kernel, vertical);
        MBN_UNROLL
        for (int32_t kx = 0; kx < 3; kx++) kept[shift][kx] = half_load(w[shift] + kx * STEP_BYTES);
    }
    pair two[4], next[4];
    depthwise_pairs(last, row, 0, two);
    MBN_UNROLL
    for (int32_t x = 0; x < read; x++) {
        half_operand value[2][2];
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t first = (r * vertical - shift_of(r, kernel, vertical)) / 2;
            MBN_UNROLL
            for (int32_t j = 0; j < fours_of(kernel); j++) {
                const int32_t at = first + 2 * j, behind = 2 * at < last - 1 ? at + 1 : at;
                value[r][j] = half_of(two[at], two[behind]);
            }
        }
        VEC_FENCE();
        if (x + 1 < read) depthwise_pairs(last, row, x + 1, next);
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t shift = shift_of(r, kernel, vertical);
            MBN_UNROLL
            for (int32_t j = 0; j < fours_of(kernel); j++) {
                MBN_UNROLL
                for (int32_t kx = 0; kx < kernel; kx++) {
                    const int32_t c = (x - kx) / horizontal;
                    if (x < kx || (x - kx) % horizontal != 0 || c >= columns) continue;
                    const half_operand tap =
                        kernel == 3 ? kept[shift][kx]
                                    : half_load(w[shift] + (j * kernel + kx) * STEP_BYTES);
                    acc[r][c] = half_dot(value[r][j], tap, acc[r][c]);
                }
            }
        }
        MBN_UNROLL
        for (int32_t j = 0; 2 * j <= last; j++) two[j] = next[j];
    }
}

/* A pass over both halves of a tile, to `values`: from the starts on, or from twice what is there;
 * `second`, which is a constant. */
MBN_INLINE void depthwise_pass(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const depthwise_block *block, bool second,
                               int32_t values[2][8][BLOCK]) {
    const char *weights = block->weights + HEAD_BYTES + (second ? pass_bytes(kernel) : 0);
    for (int32_t h = 0; h < 2; h++) {
        const int32_t channel = h * (BLOCK / 2);
        half_sums acc[2][8];
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const half_sums start =
                half_sums_load(block->start[shift_of(r, kernel, vertical)] + channel);
            MBN_UNROLL
            for (int32_t c = 0; c < columns; c++) {
                acc[r][c] =
                    second ? half_sums_twice(half_sums_load(values[r][c] + channel), start) : start;
            }
        }
        depthwise_half(rows, columns, kernel, vertical, horizontal, input + channel,
                       input_row_stride, weights + h * (STEP_BYTES / 2),
                       shift_bytes(kernel, block->passes), acc);
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            MBN_UNROLL
            for (int32_t c = 0; c < columns; c++) {
                half_sums_store(values[r][c] + channel, acc[r][c]);
            }
        }
    }
}

/* rows x columns outputs, all taps inside the plane; every size but the strides in memory is a
 * constant.  input: the first tap of the first output. */
MBN_INLINE void depthwise_tile(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const depthwise_block *block, const epilogue *e, char *output,
                               ptrdiff_t output_row_stride) {
    int32_t values[2][8][BLOCK];
    depthwise_pass(rows, columns, kernel, vertical, horizontal, input, input_row_stride, block,
                   false, values);
    if (block->passes > 1) {
        depthwise_pass(rows, columns, kernel, vertical, horizontal, input, input_row_stride, block,
                       true, values);
    }
    if (block->kind == FINISH_ANY) {
        for (int32_t r = 0; r < rows; r++) {
            finish_run(e, block->channels, values[r][0], columns, NULL,
                       output + r * output_row_stride);
        }
        return;
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        char *line = output + r * output_row_stride;
        sums acc[16][4];
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[c][0] = sums_load(values[r][c]);
        store_tile(e, block->kind, block->channels, 0, columns, 1, acc, line, 0);
        if (lookup_left(e) != NULL) finish_bytes(e, e->lookup, NULL, columns, line);
    }
}

/* Output (oy, ox) of the channel block: its taps are copied, with the zero point for those outside
 * the plane. */
static void depthwise_border(const mbn_depthwise_args *args, int32_t kernel, const char *input,
                             const depthwise_block *block, const epilogue *e, int32_t oy,
                             int32_t ox, char *output) {
    enum { KERNEL_MOST = 5, ROW_BYTES = KERNEL_MOST * PIXEL_BYTES };
    const int32_t top = oy * args->stride_vertical - args->pad_top;
    const int32_t left = ox * args->stride_horizontal - args->pad_left;
    char window[KERNEL_MOST][ROW_BYTES];
    memset(window, e->input_zero, sizeof window);
    for (int32_t ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= args->input_height) continue;
        const char *line = input + (top + ky) * args->input.row_stride;
        for (int32_t kx = 0; kx < kernel; kx++) {
            if (left + kx < 0 || left + kx >= args->input_width) continue;
            memcpy(window[ky] + kx * PIXEL_BYTES, line + (ptrdiff_t)(left + kx) * PIXEL_BYTES,
                   PIXEL_BYTES);
        }
    }
    output += oy * args->output.row_stride + (ptrdiff_t)ox * PIXEL_BYTES;
    depthwise_tile(1, 1, kernel, 1, 1, window[0], ROW_BYTES, block, e, output, 0);
}

#include "kernels/walk/depthwise.h"
