/* Depthwise convolution by products of pairs: of two rows, which are made int16 side by side once
 * for all outputs, so that what a multiply-add reads is in memory as it stands.  Rows are computed
 * two by two, down a strip of columns: with stride 1 the second one's taps begin in the middle of a
 * pair, and there are weights for both.  The channels of a block come one vector after the
 * other. */
#include "finish_spilled.h"
#include "kernels/walk/span.h"

enum {
    KERNEL_MOST = 5,
    STRIDE_MOST = 2,
    RUN_ROWS = 2,
    TILE_COLUMNS = 4,
    PAIR_ROWS = (STRIDE_MOST * (RUN_ROWS - 1) + KERNEL_MOST + 1) / 2,
    PAIR_ROW_BYTES = ((RUN_PIXELS - 1) * STRIDE_MOST + KERNEL_MOST) * 4 * BLOCK,
};

/* What the runs of one channel block share. */
typedef struct depthwise_block {
    const char *weights; /* [first, second row of a pair][pairs of rows][column][channel][2] */
    const char *channels;
    enum finish_kind kind;
    int32_t parts; /* that have a channel; of the others sums are as they begin */
} depthwise_block;

static depthwise_block depthwise_block_of(const mbn_depthwise_args *args, const epilogue *e,
                                          int32_t b) {
    const char *channels = mbn_bias_at(&args->operands, b);
    const int32_t products = args->kernel_height * args->kernel_width;
    return (depthwise_block){
        .weights = mbn_weights_at(&args->operands, b),
        .channels = channels,
        .kind = finish_kind_of(e, channels, products, args->operands.wide),
        .parts = parts_of(args->channels - b * BLOCK),
    };
}

/* The bytes of one set of weights: those of pairs whose first row the kernel begins with, which is
 * the first set, or whose second row. */
MBN_INLINE ptrdiff_t set_bytes(int32_t kernel) {
    return (ptrdiff_t)(kernel + 1) / 2 * kernel * SUMS_BYTES;
}

/* A tile of one vector's channels; all sizes are constants.  Row r has set r of the weights. */
MBN_INLINE void depthwise_part(int32_t rows, int32_t kernel, int32_t horizontal,
                               const char *const *pairs, ptrdiff_t at, const char *weights,
                               const char *start, int32_t *values) {
    ints acc[RUN_ROWS][TILE_COLUMNS];
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < TILE_COLUMNS; c++) acc[r][c] = ints_load(start);
    }
    for (int32_t j = 0; j < (kernel + 1) / 2; j++, weights += kernel * SUMS_BYTES) {
        const char *from = fenced(pairs[j] + at);
        const char *const set[RUN_ROWS] = {weights, weights + set_bytes(kernel)};
        MBN_UNROLL
        for (int32_t kx = 0; kx < kernel; kx++) {
            ints w[RUN_ROWS];
            MBN_UNROLL
            for (int32_t r = 0; r < rows; r++) w[r] = ints_load(set[r] + kx * SUMS_BYTES);
            MBN_UNROLL
            for (int32_t c = 0; c < TILE_COLUMNS; c++) {
                const ints x = ints_load(from + (c * horizontal + kx) * SUMS_BYTES);
                MBN_UNROLL
                for (int32_t r = 0; r < rows; r++) acc[r][c] = ints_dot(x, w[r], acc[r][c]);
            }
        }
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < TILE_COLUMNS; c++) {
            ints_store(values + (r * RUN_PIXELS + c) * BLOCK, acc[r][c]);
        }
    }
}

/* `count` columns, at least a tile's; the last tile is over some that have their value.  pairs: its
 * rows. */
MBN_INLINE void depthwise_tiles(int32_t rows, int32_t kernel, int32_t horizontal, int32_t count,
                                int32_t parts, const char *const *pairs, const char *weights,
                                const char *start, int32_t *values) {
    for (int32_t c = 0; c < count; c += TILE_COLUMNS) {
        if (c > count - TILE_COLUMNS) c = count - TILE_COLUMNS;
        for (int32_t part = 0; part < parts; part++) {
            const ptrdiff_t bytes = part * PART_BYTES;
            depthwise_part(rows, kernel, horizontal, pairs, c * horizontal * SUMS_BYTES + bytes,
                           weights + bytes, start + bytes, values + c * BLOCK + part * WIDTH);
        }
    }
}

typedef void tiles_fn(int32_t count, int32_t parts, const char *const *pairs, const char *weights,
                      const char *start, int32_t *values);

#define TILES(rows, kernel, horizontal)                                                            \
    static void tiles_##rows##_##kernel##_##horizontal(                                            \
        int32_t count, int32_t parts, const char *const *pairs, const char *weights,               \
        const char *start, int32_t *values) {                                                      \
        depthwise_tiles(rows, kernel, horizontal, count, parts, pairs, weights, start, values);    \
    }

TILES(1, 3, 1)
TILES(1, 3, 2)
TILES(2, 3, 1)
TILES(1, 5, 1)
TILES(1, 5, 2)
TILES(2, 5, 1)

/* [kernel][horizontal stride]; rows that are no step apart are one by one. */
static tiles_fn *const tiles_of_row[2][2] = {{tiles_1_3_1, tiles_1_3_2},
                                             {tiles_1_5_1, tiles_1_5_2}};
static tiles_fn *const tiles_of_two[2] = {tiles_2_3_1, tiles_2_5_1};

/* A few columns of a row, one by one. */
static void depthwise_singles(int32_t kernel, int32_t horizontal, int32_t count,
                              const char *const *pairs, const char *weights, const char *start,
                              int32_t *values) {
    for (int32_t i = 0; i < count * PARTS; i++) {
        const ptrdiff_t bytes = i % PARTS * PART_BYTES;
        const char *w = weights + bytes;
        ints acc = ints_load(start + bytes);
        for (int32_t j = 0; j < (kernel + 1) / 2; j++) {
            const char *x = pairs[j] + i / PARTS * horizontal * SUMS_BYTES + bytes;
            for (int32_t kx = 0; kx < kernel; kx++, w += SUMS_BYTES) {
                acc = ints_dot(ints_load(x + kx * SUMS_BYTES), ints_load(w), acc);
            }
        }
        ints_store(values + i * WIDTH, acc);
    }
}

/* The sliding window. */
typedef struct window {
    int32_t kernel, vertical, horizontal;
} window;

/* The pairs of rows that are needed at a time, each where the fourth one before it was. */
typedef struct pair_rows {
    _Alignas(64) char bytes[PAIR_ROWS][PAIR_ROW_BYTES];
    int32_t made;
} pair_rows;

/* Makes pairs up to number `end`, of `columns` columns of `input_rows` rows. */
static void make_pairs(pair_rows *pairs, int32_t end, int32_t columns, int32_t input_rows,
                       const char *input, ptrdiff_t row_stride) {
    for (; pairs->made < end; pairs->made++) {
        const int32_t y = 2 * pairs->made;
        const char *first = input + y * row_stride;
        /* Beside a last row there is none, and its weights are zeros. */
        const char *second = y + 1 < input_rows ? first + row_stride : first;
        char *out = pairs->bytes[pairs->made % PAIR_ROWS];
        for (int32_t x = 0; x < columns; x++) {
            pixels_pair(first + x * PIXEL_BYTES, second + x * PIXEL_BYTES, out + x * SUMS_BYTES);
        }
    }
}

/* `rows` rows, at most RUN_ROWS, of `count` sums; pairs: the first of each row's. */
static void depthwise_sums(window w, int32_t rows, int32_t count, const char *const *pairs,
                           const depthwise_block *block, int32_t *values) {
    const char *start = start_at(block->kind, block->channels);
    const int32_t large = w.kernel == KERNEL_MOST, stepped = w.horizontal - 1;
    if (rows == RUN_ROWS && w.vertical == 1 && stepped == 0 && count >= TILE_COLUMNS) {
        tiles_of_two[large](count, block->parts, pairs, block->weights, start, values);
        return;
    }
    for (int32_t r = 0; r < rows; r++, values += RUN_PIXELS * BLOCK) {
        const char *const *own = pairs + r * w.vertical / 2;
        const char *weights = block->weights + r * w.vertical % 2 * set_bytes(w.kernel);
        if (count < TILE_COLUMNS) {
            depthwise_singles(w.kernel, w.horizontal, count, own, weights, start, values);
        } else {
            tiles_of_row[large][stepped](count, block->parts, own, weights, start, values);
        }
    }
}

/* A strip of `height` x `count` outputs, at most RUN_PIXELS columns.  input: the first tap of the
 * first output; all taps are inside the plane. */
static void depthwise_strip(window w, int32_t height, int32_t count, const char *input,
                            ptrdiff_t input_row_stride, const depthwise_block *block,
                            const epilogue *e, char *output, ptrdiff_t output_row_stride) {
    pair_rows pairs;
    _Alignas(64) int32_t values[RUN_ROWS * RUN_PIXELS * BLOCK + SUMS_BEYOND];
    const int32_t columns = (count - 1) * w.horizontal + w.kernel;
    const int32_t input_rows = (height - 1) * w.vertical + w.kernel;
    pairs.made = 0;
    for (int32_t i = 0; i < RUN_ROWS * RUN_PIXELS && block->parts < PARTS; i++) {
        sums_store(values + i * BLOCK, sums_load(start_at(block->kind, block->channels)));
    }
    for (int32_t y = 0, rows; y < height; y += rows) {
        rows = height - y < RUN_ROWS ? height - y : RUN_ROWS;
        const int32_t begin = y * w.vertical / 2;
        const int32_t end = begin + ((rows - 1) * w.vertical + w.kernel + 1) / 2;
        make_pairs(&pairs, end, columns, input_rows, input, input_row_stride);
        const char *from[PAIR_ROWS];
        for (int32_t j = 0; j < PAIR_ROWS; j++) from[j] = pairs.bytes[(begin + j) % PAIR_ROWS];
        depthwise_sums(w, rows, count, from, block, values);
        for (int32_t r = 0; r < rows; r++, output += output_row_stride) {
            finish_spilled(e, block->kind, block->channels, values + r * RUN_PIXELS * BLOCK, count,
                           NULL, output);
        }
    }
}

/* Output (oy, ox) of the channel block: its taps are copied, with the zero point for those outside
 * the plane. */
static void depthwise_border(const mbn_depthwise_args *args, const char *input,
                             const depthwise_block *block, const epilogue *e, int32_t oy,
                             int32_t ox, char *output) {
    const int32_t kernel = args->kernel_height;
    const int32_t top = oy * args->stride_vertical - args->pad_top;
    const int32_t left = ox * args->stride_horizontal - args->pad_left;
    char around[KERNEL_MOST][KERNEL_MOST * PIXEL_BYTES];
    memset(around, e->input_zero, sizeof around);
    for (int32_t ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= args->input_height) continue;
        const char *line = input + (top + ky) * args->input.row_stride;
        for (int32_t kx = 0; kx < kernel; kx++) {
            if (left + kx < 0 || left + kx >= args->input_width) continue;
            memcpy(around[ky] + kx * PIXEL_BYTES, line + (ptrdiff_t)(left + kx) * PIXEL_BYTES,
                   PIXEL_BYTES);
        }
    }
    depthwise_strip((window){kernel, 1, 1}, 1, 1, around[0], sizeof around[0], block, e,
                    output + oy * args->output.row_stride + (ptrdiff_t)ox * PIXEL_BYTES, 0);
}

/* Rows and columns of one channel block whose taps are inside the plane, strip by strip. */
static void depthwise_inside(const mbn_depthwise_args *args, const depthwise_block *block,
                             const epilogue *e, int32_t b, span rows, span columns) {
    const window w = {args->kernel_height, args->stride_vertical, args->stride_horizontal};
    const char *input = mbn_row_at(&args->input, b, rows.begin * w.vertical - args->pad_top);
    char *output = mbn_row_at(&args->output, b, rows.begin);
    for (int32_t ox = columns.begin, count; ox < columns.end; ox += count) {
        const int32_t left = columns.end - ox;
        count = left < RUN_PIXELS ? left : RUN_PIXELS;
        depthwise_strip(w, rows.end - rows.begin, count,
                        input + (ptrdiff_t)(ox * w.horizontal - args->pad_left) * PIXEL_BYTES,
                        args->input.row_stride, block, e, output + (ptrdiff_t)ox * PIXEL_BYTES,
                        args->output.row_stride);
    }
}

static void depthwise(const mbn_depthwise_args *args, mbn_range range) {
    mbn_assert_depthwise(args, range, ELEMENT_BYTES);
    assert(args->blocking.block == BLOCK);
    const epilogue e = epilogue_of(&args->finish);
    span rows = inside(args->output_height, args->input_height, args->kernel_height,
                       args->stride_vertical, args->pad_top);
    const span columns = inside(args->output_width, args->input_width, args->kernel_width,
                                args->stride_horizontal, args->pad_left);
    if (rows.begin < range.row_begin) rows.begin = range.row_begin;
    if (rows.end > range.row_end) rows.end = range.row_end;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const char *input = mbn_row_at(&args->input, b, 0);
        char *output = mbn_row_at(&args->output, b, 0);
        const depthwise_block block = depthwise_block_of(args, &e, b);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            const span middle = oy >= rows.begin && oy < rows.end ? columns : (span){0, 0};
            for (int32_t ox = 0; ox < args->output_width; ox++) {
                if (ox == middle.begin) ox = middle.end;
                if (ox == args->output_width) break;
                depthwise_border(args, input, &block, &e, oy, ox, output);
            }
        }
        if (rows.begin < rows.end) depthwise_inside(args, &block, &e, b, rows, columns);
    }
}
