/* Depthwise convolution: which tile is computed where.  Outputs whose taps leave the plane are
 * computed one by one with the taps cut; a plane that carries its own halo has none of those.
 *
 * The body gives depthwise_tile, depthwise_border and what they share. */
#ifndef MBN_KERNELS_WALK_DEPTHWISE_H
#define MBN_KERNELS_WALK_DEPTHWISE_H

#include "span.h"

/* Columns of `rows` output rows from oy on, in steps of `tile` columns, a constant.  What is left
 * of a row after whole steps is computed by a step that ends with the row, over outputs that have
 * their value already. */
MBN_INLINE void depthwise_steps(const mbn_depthwise_args *args, int32_t rows, int32_t tile,
                                int32_t kernel, int32_t vertical, int32_t horizontal,
                                const char *line, const depthwise_block *block, const epilogue *e,
                                span columns, char *output) {
    for (int32_t ox = columns.begin; ox < columns.end;) {
        const char *x = line + (ptrdiff_t)(ox * horizontal - args->pad_left) * PIXEL_BYTES;
        depthwise_tile(rows, tile, kernel, vertical, horizontal, x, args->input.row_stride, block,
                       e, output + (ptrdiff_t)ox * PIXEL_BYTES, args->output.row_stride);
        ox += tile;
        if (ox < columns.end && ox + tile > columns.end) ox = columns.end - tile;
    }
}

/* Columns that steps of `tile` compute for `columns` of a row. */
MBN_INLINE int32_t stepped_columns(int32_t columns, int32_t tile) {
    return (columns + tile - 1) / tile * tile;
}

/* Columns of the tile for `columns` of a row. */
MBN_INLINE int32_t tile_columns(int32_t columns) {
    const bool wide =
        columns >= DEPTHWISE_COLUMNS &&
        (columns < DEPTHWISE_NARROW ||
         stepped_columns(columns, DEPTHWISE_COLUMNS) <= stepped_columns(columns, DEPTHWISE_NARROW));
    return wide ? DEPTHWISE_COLUMNS : columns >= DEPTHWISE_NARROW ? DEPTHWISE_NARROW : 1;
}

/* Rows to compute together, of `left` with a tile of so many columns; most: 1, 2 or 4, a
 * constant. */
MBN_INLINE int32_t tile_rows(int32_t left, int32_t columns, int32_t most) {
    const int32_t narrow = most < DEPTHWISE_NARROW_ROWS ? most : DEPTHWISE_NARROW_ROWS;
    const int32_t rows = columns == DEPTHWISE_COLUMNS ? most : columns > 1 ? narrow : 1;
    return left >= rows ? rows : left >= 2 && rows > 2 ? 2 : 1;
}

/* rows: a constant; tile: columns of the tile. */
MBN_INLINE void depthwise_rows(const mbn_depthwise_args *args, int32_t rows, int32_t tile,
                               int32_t kernel, int32_t vertical, int32_t horizontal,
                               const char *input, const depthwise_block *block, const epilogue *e,
                               int32_t oy, span columns, char *output) {
    const char *line = input + (oy * vertical - args->pad_top) * args->input.row_stride;
    char *out = output + oy * args->output.row_stride;
    if (tile == DEPTHWISE_COLUMNS) {
        depthwise_steps(args, rows, DEPTHWISE_COLUMNS, kernel, vertical, horizontal, line, block, e,
                        columns, out);
    } else if (rows <= DEPTHWISE_NARROW_ROWS && tile == DEPTHWISE_NARROW) {
        depthwise_steps(args, rows, DEPTHWISE_NARROW, kernel, vertical, horizontal, line, block, e,
                        columns, out);
    } else if (rows == 1) {
        depthwise_steps(args, rows, 1, kernel, vertical, horizontal, line, block, e, columns, out);
    }
}

/* most: rows to compute together, as above.  They are where rows and columns are stepped through
 * alike; else, which is rare, rows are computed one by one, by what serves any vertical stride. */
MBN_INLINE void depthwise(const mbn_depthwise_args *args, mbn_range range, int32_t kernel,
                          int32_t horizontal, int32_t most) {
    const int32_t vertical = args->stride_vertical;
    mbn_assert_depthwise(args, range, ELEMENT_BYTES);
    assert(args->blocking.block == BLOCK);
    assert(args->kernel_height == kernel && args->kernel_width == kernel);
    assert(args->stride_horizontal == horizontal);
    const epilogue e = epilogue_of(&args->finish);
    const span rows =
        inside(args->output_height, args->input_height, kernel, vertical, args->pad_top);
    span columns =
        inside(args->output_width, args->input_width, kernel, horizontal, args->pad_left);
    const int32_t tile = tile_columns(columns.end - columns.begin);
    if (tile > columns.end - columns.begin) columns.end = columns.begin;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const char *input = mbn_row_at(&args->input, b, 0);
        char *output = mbn_row_at(&args->output, b, 0);
        const depthwise_block block = depthwise_block_of(args, &e, b);
        for (int32_t oy = range.row_begin; oy < range.row_end;) {
            const bool row_inside = oy >= rows.begin && oy < rows.end;
            const span middle = row_inside ? columns : (span){0, 0};
            const int32_t end = rows.end < range.row_end ? rows.end : range.row_end;
            const int32_t step =
                row_inside && vertical == horizontal ? tile_rows(end - oy, tile, most) : 1;
            for (int32_t r = oy; r < oy + step; r++) {
                for (int32_t ox = 0; ox < args->output_width; ox++) {
                    if (ox == middle.begin) ox = middle.end;
                    if (ox == args->output_width) break;
                    depthwise_border(args, kernel, input, &block, &e, r, ox, output);
                }
            }
            if (most >= 4 && step == 4) {
                depthwise_rows(args, 4, tile, kernel, horizontal, horizontal, input, &block, &e, oy,
                               middle, output);
            } else if (most >= 2 && step == 2) {
                depthwise_rows(args, 2, tile, kernel, horizontal, horizontal, input, &block, &e, oy,
                               middle, output);
            } else if (row_inside) {
                depthwise_rows(args, 1, tile, kernel, vertical, horizontal, input, &block, &e, oy,
                               middle, output);
            }
            oy += step;
        }
    }
}

#if TILES_FEW
/* One function for all strides, which are no constants there. */
#define DEPTHWISE_ANY(kernel)                                                                      \
    static void depthwise_##kernel##x##kernel(const mbn_depthwise_args *args, mbn_range range) {   \
        depthwise(args, range, kernel, args->stride_horizontal, 1);                                \
    }

DEPTHWISE_ANY(3)
DEPTHWISE_ANY(5)

#define DEPTHWISE(kernel, horizontal)                                                              \
    static void depthwise_##kernel##x##kernel##_s##horizontal(const mbn_depthwise_args *args,      \
                                                              mbn_range range) {                   \
        depthwise_##kernel##x##kernel(args, range);                                                \
    }
#else
#define DEPTHWISE(kernel, horizontal)                                                              \
    static void depthwise_##kernel##x##kernel##_s##horizontal(const mbn_depthwise_args *args,      \
                                                              mbn_range range) {                   \
        depthwise(args, range, kernel, horizontal, DEPTHWISE_ROWS);                                \
    }
#endif

DEPTHWISE(3, 1)
DEPTHWISE(3, 2)
DEPTHWISE(5, 1)
DEPTHWISE(5, 2)

#endif
