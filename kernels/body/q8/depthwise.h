/* Depthwise convolution: four taps to a multiply-add, of a row, and of a fifth column, so that 3x3
 * takes three and 5x5 seven for each output.  A quad, four pixels from a column on with each
 * channel's bytes side by side, is made once in a row of a tile and serves as many output rows as
 * the kernel has.  A fifth column's are of four rows, from each fourth of the tile on, two to an
 * output row, wherever that begins: it has weights that are shifted by as many rows, and zero for
 * those that are not its own. */
#include "finish.h"

/* What the tiles of one channel block share. */
typedef struct depthwise_block {
    const char *weights; /* as mbn_pack_depthwise_q8_quads packs them */
    const char *channels;
    sums start;
    enum finish_kind kind;
    int32_t passes;
} depthwise_block;

MBN_INLINE depthwise_block depthwise_block_of(const mbn_depthwise_args *args, const epilogue *e,
                                              int32_t b) {
    const char *channels = mbn_bias_at(&args->operands, b);
    const enum finish_kind kind =
        finish_kind_of(e, channels, args->kernel_height * args->kernel_width, args->operands.wide);
    return (depthwise_block){
        mbn_weights_at(&args->operands, b), channels, start_of(kind, channels, NULL), kind,
        passes_of(&args->operands),
    };
}

/* A fifth column's quads of weights: of each shift the first's and the second's. */
enum { DOWN = 2 };

/* The bytes of all weights of a pass. */
MBN_INLINE ptrdiff_t pass_bytes(int32_t kernel) {
    return (kernel + (kernel > QUAD ? QUAD * DOWN : 0)) * STEP_BYTES;
}

/* The quad from pixel x on of `count` pixels, which may be all that there is to read.  Three pixels
 * are all that a kernel of three needs. */
MBN_INLINE operand quad_across(const char *line, int32_t x, int32_t count) {
    const char *p = line + x * PIXEL_BYTES;
    if (x + QUAD <= count) return quad_load(p);
    return x > 0 ? quad_load_last(p) : quad_load_some(p, count);
}

/* The fifth column's taps in one quad of rows, number q of `read` rows; line: the quad's first.
 * weights: the column's. */
MBN_INLINE void depthwise_down(int32_t rows, int32_t columns, int32_t vertical, int32_t horizontal,
                               int32_t read, int32_t q, const char *line, ptrdiff_t row_stride,
                               const char *weights, sums acc[16][4]) {
    const int32_t left = read - q * QUAD;
    operand quads[16];
    MBN_UNROLL
    for (int32_t c = 0; c < columns; c++) {
        const char *p = line + (c * horizontal + QUAD) * PIXEL_BYTES;
        quads[c] = left == 1 ? operand_first(p)
                             : quad_load_apart(p, row_stride, left < QUAD ? left : QUAD);
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        const int32_t shift = r * vertical % QUAD, i = q - r * vertical / QUAD;
        if (i < 0 || i >= DOWN) continue;
        const packed w = packed_load(weights + (shift * DOWN + i) * STEP_BYTES);
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[c][r] = operand_dot(quads[c], w, acc[c][r]);
    }
}

/* One pass over the taps. */
MBN_INLINE void depthwise_sums(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const char *weights, sums acc[16][4]) {
    const int32_t read = (rows - 1) * vertical + kernel;       /* rows */
    const int32_t count = (columns - 1) * horizontal + kernel; /* pixels of each */
    const char *line = input;
    MBN_UNROLL
    for (int32_t iy = 0; iy < read; iy++, line += input_row_stride) {
        operand quads[16];
        line = fenced(line);
        if (kernel > QUAD && iy % QUAD == 0) {
            depthwise_down(rows, columns, vertical, horizontal, read, iy / QUAD, line,
                           input_row_stride, weights + kernel * STEP_BYTES, acc);
        }
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) quads[c] = quad_across(line, c * horizontal, count);
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t ky = iy - r * vertical;
            if (ky < 0 || ky >= kernel) continue;
            const packed w = packed_load(weights + ky * STEP_BYTES);
            MBN_UNROLL
            for (int32_t c = 0; c < columns; c++) acc[c][r] = operand_dot(quads[c], w, acc[c][r]);
        }
    }
}

/* A tile's rows from memory: values, or where the kind is not ANY, bytes that want more. */
static void finish_rows_of(const epilogue *e, enum finish_kind kind, const depthwise_block *block,
                           int32_t rows, int32_t columns, const int32_t *values, char *output,
                           ptrdiff_t output_row_stride) {
    for (int32_t r = 0; r < rows; r++, output += output_row_stride) {
        if (kind != FINISH_ANY) {
            finish_bytes(e, e->lookup, NULL, columns, output);
        } else {
            finish_run(e, block->channels, values + r * columns * BLOCK, columns, NULL, output);
        }
    }
}

/* Tiles that are not for what is left of a plane; those finish from memory. */
MBN_INLINE bool is_frequent_tile(int32_t rows, int32_t columns) {
    return (rows == DEPTHWISE_ROWS && columns == DEPTHWISE_COLUMNS) || columns == DEPTHWISE_NARROW;
}

/* rows x columns outputs, all taps inside the plane; every size but the strides in memory is a
 * constant.  input: the first tap of the first output. */
MBN_INLINE void depthwise_tile(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const depthwise_block *block, const epilogue *e, char *output,
                               ptrdiff_t output_row_stride) {
    const enum finish_kind kind = is_frequent_tile(rows, columns) ? block->kind : FINISH_ANY;
    const sums start = is_frequent_tile(rows, columns)
                           ? block->start
                           : start_of(FINISH_ANY, block->channels, NULL);
    sums acc[16][4]; /* [column][row] */
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[c][r] = start;
    }
    const char *weights = block->weights;
    for (int32_t pass = block->passes;; weights += pass_bytes(kernel)) {
        depthwise_sums(rows, columns, kernel, vertical, horizontal, input, input_row_stride,
                       weights, acc);
        if (--pass == 0) break;
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            MBN_UNROLL
            for (int32_t c = 0; c < columns; c++) {
                acc[c][r] = sums_twice(acc[c][r], start);
            }
        }
    }
    int32_t values[TILE_SUMS];
    if (kind != FINISH_ANY) {
        store_tile(e, kind, block->channels, 0, columns, rows, acc, output, output_row_stride);
        if (lookup_left(e) == NULL) return;
    } else {
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            spill_pixels(columns, r, acc, values + r * columns * BLOCK);
        }
    }
    finish_rows_of(e, kind, block, rows, columns, values, output, output_row_stride);
}

/* Output (oy, ox) of the channel block: its taps are copied, with the zero point for those outside
 * the plane. */
static void depthwise_border(const mbn_depthwise_args *args, int32_t kernel, const char *input,
                             const depthwise_block *block, const epilogue *e, int32_t oy,
                             int32_t ox, char *output) {
    enum { MOST = 5, FIFTH = MOST * QUAD }; /* the kernel's size; the column's first pixel */
    const int32_t top = oy * args->stride_vertical - args->pad_top;
    const int32_t left = ox * args->stride_horizontal - args->pad_left;
    char window[(MOST + DOWN) * QUAD][PIXEL_BYTES];
    memset(window, e->input_zero, sizeof window);
    for (int32_t ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= args->input_height) continue;
        const char *line = input + (top + ky) * args->input.row_stride;
        for (int32_t kx = 0; kx < kernel; kx++) {
            if (left + kx < 0 || left + kx >= args->input_width) continue;
            memcpy(window[kx < QUAD ? ky * QUAD + kx : FIFTH + ky],
                   line + (ptrdiff_t)(left + kx) * PIXEL_BYTES, PIXEL_BYTES);
        }
    }
    const char *weights = block->weights;
    const sums bias = start_of(FINISH_ANY, block->channels, NULL);
    sums sum = bias;
    for (int32_t pass = block->passes;;) {
        for (int32_t i = 0; i < kernel + (kernel > QUAD ? DOWN : 0); i++) {
            sum = operand_dot(quad_load(window[i * QUAD]), packed_load(weights + i * STEP_BYTES),
                              sum);
        }
        weights += pass_bytes(kernel);
        if (--pass == 0) break;
        sum = sums_twice(sum, bias);
    }
    int32_t values[BLOCK];
    sums_store(values, sum);
    finish_run(e, block->channels, values, 1, NULL,
               output + oy * args->output.row_stride + (ptrdiff_t)ox * PIXEL_BYTES);
}

#include "kernels/walk/depthwise.h"
