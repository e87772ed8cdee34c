/* Pointwise convolution: which tile is computed where.  Panels outermost: a panel (K x 2 vectors)
 * stays in L1 or L2 while the pixels stream past it, and every weight leaves L3 once.  Meanwhile
 * the next panel is fetched, a piece with each tile: a panel's first tile alone uses up weights
 * faster than they come from memory.
 *
 * The body gives pointwise_epilogue, pointwise_tile, for VEC_HALVES pointwise_tile_halves, a
 * tile_place, and a tile_start, which tiles of a panel have in common; or instead of tiles, where
 * RUN_PIXELS is a number of pixels, pointwise_run and pointwise_half_run, which take up to so many,
 * the latter where half a block is enough. */
#ifndef MBN_KERNELS_WALK_POINTWISE_H
#define MBN_KERNELS_WALK_POINTWISE_H

#include "kernels/inline.h"
#include "taps.h"

/* Steps of a tile; over wide weights it runs twice. */
MBN_INLINE int32_t count_steps(const mbn_pointwise_args *args) {
    return steps_of(args->input_channels) << args->operands.wide;
}

#if !RUN_PIXELS
/* Sizes of tiles: the full one, and a few smaller for what is left of a run of pixels. */
MBN_INLINE bool is_tile(int32_t pixels, int32_t most) {
    if (TILES_FEW) return pixels == most || pixels == 1;
#if defined(TILES_SOME) /* what is left is mostly worth a tile that begins before it */
    return pixels == most || pixels == most / 2 || pixels == 1;
#endif
    return pixels == most || pixels == most - 4 || pixels == most / 2 || pixels == 4 ||
           pixels == 2 || pixels == 1;
}

/* Whether tiles of half the pixels, if there are any, may do for the largest: their sums are enough
 * to hide their latency (of a panel that is split, of each part). */
MBN_INLINE bool is_gapped_tile(int32_t pixels, int32_t most, int32_t vectors) {
    enum { SUMS = 12 };
    const int32_t part = PANEL_SPLIT && vectors == 3 ? 1 : vectors;
    return is_tile(pixels, most) && pixels == most / 2 && pixels * part >= SUMS;
}

/* Whether there is one more tile, and its place. */
MBN_INLINE bool next_place(const mbn_pointwise_args *args, int32_t pixels, tile_place *place) {
    const ptrdiff_t bytes = (ptrdiff_t)pixels * PIXEL_BYTES;
    place->input += bytes;
    place->output += bytes;
    if (place->residual != NULL) place->residual += bytes;
    place->contiguous -= pixels;
    if (place->contiguous == 0) { /* to the next row */
        const ptrdiff_t row = (ptrdiff_t)args->width * PIXEL_BYTES;
        place->output += args->output.row_stride - row;
        if (place->residual != NULL) place->residual += args->residual.row_stride - row;
        place->contiguous = args->width;
    }
    place->ahead += count_steps(args) * place->ahead_step;
    return --place->tiles > 0;
}

/* The switch keeps the hot loops apart.  Tiles that are alike run behind it: what a CPU looks ahead
 * holds a tile's end and the next one's first multiply-adds, if there is little between them and
 * these wait for nothing from memory. */
#define POINTWISE_CASE(tile, most, pixels, vectors)                                                \
    case pixels:                                                                                   \
        if (pixels <= most && is_tile(pixels, most)) {                                             \
            const tile_start start = tile_start_of(args, e, pixels, vectors, place);               \
            if (pixels != most && !is_gapped_tile(pixels, most, vectors)) {                        \
                tile(args, e, pixels, vectors, &start, place);                                     \
                break;                                                                             \
            }                                                                                      \
            tile_place at = *place;                                                                \
            do {                                                                                   \
                tile(args, e, pixels, vectors, &start, &at);                                       \
            } while (next_place(args, pixels, &at));                                               \
        }                                                                                          \
        break;

#define POINTWISE_TILES(name, tile, most, vectors)                                                 \
    static void name(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,            \
                     const tile_place *place) {                                                    \
        switch (pixels) {                                                                          \
            POINTWISE_CASE(tile, most, 1, vectors)                                                 \
            POINTWISE_CASE(tile, most, 2, vectors)                                                 \
            POINTWISE_CASE(tile, most, 3, vectors)                                                 \
            POINTWISE_CASE(tile, most, 4, vectors)                                                 \
            POINTWISE_CASE(tile, most, 5, vectors)                                                 \
            POINTWISE_CASE(tile, most, 6, vectors)                                                 \
            POINTWISE_CASE(tile, most, 7, vectors)                                                 \
            POINTWISE_CASE(tile, most, 8, vectors)                                                 \
            POINTWISE_CASE(tile, most, 9, vectors)                                                 \
            POINTWISE_CASE(tile, most, 10, vectors)                                                \
            POINTWISE_CASE(tile, most, 11, vectors)                                                \
            POINTWISE_CASE(tile, most, 12, vectors)                                                \
            POINTWISE_CASE(tile, most, 13, vectors)                                                \
            POINTWISE_CASE(tile, most, 14, vectors)                                                \
        }                                                                                          \
    }

/* A panel of 3: the first `count` blocks, then the others. */
#define POINTWISE_SPLIT(name, first, count, last)                                                  \
    static void name(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,            \
                     const tile_place *place) {                                                    \
        tile_place part = *place;                                                                  \
        part.panel = 3;                                                                            \
        first(args, e, pixels, &part);                                                             \
        part.weights += (count)*STEP_BYTES;                                                        \
        part.bias += (count)*args->operands.bias_stride;                                           \
        part.output += (count)*args->output.block_stride;                                          \
        if (part.residual != NULL) part.residual += (count)*args->residual.block_stride;           \
        part.ahead_step = 0;                                                                       \
        last(args, e, pixels, &part);                                                              \
    }

POINTWISE_TILES(tiles_1, pointwise_tile, POINTWISE_PIXELS_1, 1)
#if PANEL_MAX >= 3
POINTWISE_TILES(tiles_2, pointwise_tile, POINTWISE_PIXELS_2, 2)
#if PANEL_SPLIT
POINTWISE_SPLIT(tiles_3, tiles_2, 2, tiles_1)
#else
POINTWISE_TILES(tiles_3, pointwise_tile, POINTWISE_PIXELS_3, 3)
#endif
#endif
#if PANEL_MAX >= 4
POINTWISE_TILES(tiles_4, pointwise_tile, POINTWISE_PIXELS_4, 4)
#endif
#if VEC_HALVES
POINTWISE_TILES(halves_1, pointwise_tile_halves, HALVES_PIXELS_1, 1)
POINTWISE_TILES(halves_2, pointwise_tile_halves, HALVES_PIXELS_2, 2)
#if PANEL_SPLIT
POINTWISE_SPLIT(halves_3, tiles_1, 1, halves_2)
#else
POINTWISE_TILES(halves_3, pointwise_tile_halves, HALVES_PIXELS_3, 3)
#endif
#endif
#endif

/* How panels of each width, indexed by it, are cut into tiles. */
typedef struct panel_tiles {
    void (*run)(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                const tile_place *place);
    int32_t most; /* pixels of a tile */
} panel_tiles;

static const panel_tiles whole_tiles[] = {
    {NULL, 0},
#if RUN_PIXELS
    {pointwise_run, RUN_PIXELS},
    {pointwise_half_run, RUN_PIXELS},
#else
    {tiles_1, POINTWISE_PIXELS_1},
#if PANEL_MAX >= 3
    {tiles_2, POINTWISE_PIXELS_2},
    {tiles_3, POINTWISE_PIXELS_3},
#endif
#if PANEL_MAX >= 4
    {tiles_4, POINTWISE_PIXELS_4},
#endif
#endif
};
#if VEC_HALVES
static const panel_tiles halves_tiles[] = {
    {NULL, 0},
    {halves_1, HALVES_PIXELS_1},
    {halves_2, HALVES_PIXELS_2},
    {halves_3, HALVES_PIXELS_3},
};
#endif

static panel_tiles tiles_of(const mbn_pointwise_args *args, int32_t b, int32_t vectors) {
#if VEC_HALVES
    const int32_t last = args->output_channels - (b + vectors - 1) * BLOCK;
    if (last <= BLOCK / 2) return halves_tiles[vectors];
#elif RUN_PIXELS
    if (args->output_channels - b * BLOCK <= BLOCK / 2) return whole_tiles[2];
#else
    (void)args, (void)b;
#endif
    return whole_tiles[vectors];
}

#if RUN_PIXELS
MBN_INLINE int32_t next_tile(int32_t left, int32_t done, int32_t most, int32_t vectors) {
    (void)done, (void)vectors;
    return left < most ? left : most;
}
#else
/* Pixels of the next tile, of `left` after `done`: the smallest that holds what is left, if it can
 * begin among the pixels before (which get the value that they have), else the largest that fits.
 * What would be left too small to hide the latency of its own multiply-adds (eight vectors) shares
 * with the tile before: 7 pixels are 4 + 3, not 6 + 1. */
MBN_INLINE int32_t next_tile(int32_t left, int32_t done, int32_t most, int32_t vectors) {
    if (left >= most + 8 / vectors || left == most) return most;
    const int32_t shared = left > most ? (left + 1) / 2 : left;
    const int32_t wanted = shared < most ? shared : most;
    int32_t pixels = wanted;
    while (!is_tile(pixels, most)) pixels++;
    if (pixels <= left + done) return pixels;
    for (pixels = wanted; !is_tile(pixels, most);) pixels--;
    return pixels;
}

/* Pixels of the tile for rows of `width` that have gaps between them: the largest, or half of that
 * if rows are whole numbers of these alone. */
MBN_INLINE int32_t gapped_tile(int32_t width, int32_t most, int32_t vectors) {
    const int32_t half = most / 2;
    return width % most > 0 && width % half == 0 && is_gapped_tile(half, most, vectors) ? half
                                                                                        : most;
}

/* How many tiles of that size are next, of `left` pixels, without one that goes on in the next row:
 * there are `contiguous` until it, and `width` in a row. */
MBN_INLINE int32_t tiles_alike(int32_t pixels, int32_t left, int32_t contiguous, int32_t width,
                               int32_t most, int32_t vectors) {
    if (pixels < most || contiguous < most) return 1;
    const bool shares = left % most > 0 && left % most < 8 / vectors;
    int32_t tiles = left / most - shares;
    if (width % most > 0 || contiguous % most > 0) tiles = smaller(tiles, contiguous / most);
    return tiles < 1 ? 1 : tiles;
}
#endif

/* What the tiles of a panel fetch: `tiles` of them one thing, the others the next. */
typedef struct fetching {
    const char *at, *then;
    ptrdiff_t step, then_step; /* bytes with each step of a tile */
    int32_t tiles;
} fetching;

enum { LINE_BYTES = 64 };

/* The next panel, and where there are tiles enough `bytes` of what the caller wants fetched: then a
 * line with each step for the panel, and at most that for the rest. */
static fetching fetch_beside(const mbn_pointwise_args *args, const char *panel, int32_t vectors,
                             int32_t tiles, const char *more, size_t bytes) {
    const int32_t row_bytes = vectors * STEP_BYTES;
    const int32_t dense = (row_bytes + LINE_BYTES - 1) / LINE_BYTES;
    const int32_t of_panel = bytes > 0 && dense < tiles ? dense : tiles;
    const ptrdiff_t steps = (ptrdiff_t)(tiles - of_panel) * count_steps(args);
    const ptrdiff_t step = steps == 0 ? 0 : ((ptrdiff_t)bytes + steps - 1) / steps;
    return (fetching){
        .at = panel,
        .then = steps == 0 ? panel : more,
        .step = (row_bytes + of_panel - 1) / of_panel,
        .then_step = step < LINE_BYTES ? step : LINE_BYTES,
        .tiles = of_panel,
    };
}

/* Whether what a tile writes, and adds, has no gaps between rows. */
MBN_INLINE bool has_flat_output(const mbn_pointwise_args *args) {
    const ptrdiff_t row = (ptrdiff_t)args->width * PIXEL_BYTES;
    return args->output.row_stride == row &&
           (args->residual.data == NULL || args->residual.row_stride == row);
}

/* Pixels [begin, end) of the panel of `vectors` blocks from b on. */
static void pointwise_panel(const mbn_pointwise_args *args, const epilogue *e, panel_tiles tiles,
                            int32_t vectors, int32_t begin, int32_t end, const char *input,
                            int32_t b, fetching *fetch) {
    const bool flat = has_flat_output(args);
    const char *weights = mbn_weights_at(&args->operands, b);
    const char *bias = mbn_bias_at(&args->operands, b);
    for (int32_t i = begin; i < end;) {
        const int32_t pixels = next_tile(end - i, i - begin, tiles.most, vectors);
        if (i + pixels > end) i = end - pixels;
        const int32_t y = i / args->width, x = i % args->width;
        const ptrdiff_t column = (ptrdiff_t)x * PIXEL_BYTES;
        tile_place place = {
            .input = input + (ptrdiff_t)(i - begin) * PIXEL_BYTES,
            .weights = weights,
            .bias = bias,
            .output = mbn_row_at(&args->output, b, y) + column,
            .residual =
                args->residual.data == NULL ? NULL : mbn_row_at(&args->residual, b, y) + column,
            .contiguous = flat ? end - i : args->width - x,
            .ahead = fetch->at,
            .ahead_step = fetch->step,
        };
        int32_t count = 1;
#if !RUN_PIXELS
        count = tiles_alike(pixels, end - i, place.contiguous, args->width, tiles.most, vectors);
        if (fetch->tiles > 0) count = smaller(count, fetch->tiles);
        place.tiles = count;
#endif
        tiles.run(args, e, pixels, &place);
        fetch->at += (ptrdiff_t)count * count_steps(args) * fetch->step;
        fetch->tiles -= count;
        if (fetch->tiles == 0) {
            fetch->at = fetch->then;
            fetch->step = fetch->then_step;
        }
        i += count * pixels;
    }
}

static void pointwise(const mbn_pointwise_args *args, mbn_range range) {
    mbn_assert_pointwise(args, range, ELEMENT_BYTES);
    assert(mbn_same_blocking(args->blocking, (mbn_blocking){BLOCK, PANEL, DEPTH}));
    const epilogue e = pointwise_epilogue(args, range);
    const int32_t blocks = mbn_block_count(args->output_channels, BLOCK);
    const int32_t width = args->width;
    /* Rows without gaps between them are one long row: 7x7 is 49 pixels, not 7 tiles of 7. */
    const int32_t rows = args->input.row_stride == (ptrdiff_t)width * PIXEL_BYTES
                             ? range.row_end - range.row_begin
                             : 1;
    const int32_t pixels = (range.row_end - range.row_begin) * width;
    if (range.block_begin == range.block_end) return;
    const char *more = args->fetch;
    const size_t more_per_block = args->fetch_bytes / (size_t)(range.block_end - range.block_begin);
    for (int32_t b = range.block_begin; b < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - b, PANEL);
        panel_tiles tiles = tiles_of(args, b, vectors);
#if !RUN_PIXELS
        if (!has_flat_output(args)) tiles.most = gapped_tile(width, tiles.most, vectors);
#endif
        const int32_t tile_count = (pixels - 1) / tiles.most + 1; /* no pixels: 1, too */
        const size_t more_bytes = more_per_block * (size_t)vectors;
        fetching fetch = fetch_beside(args, mbn_weights_at(&args->operands, b + vectors), vectors,
                                      tile_count, more, more_bytes);
        for (int32_t y = range.row_begin; y < range.row_end; y += rows) {
            pointwise_panel(args, &e, tiles, vectors, y * width, (y + rows) * width,
                            mbn_row_at(&args->input, 0, y), b, &fetch);
        }
        b += vectors;
        if (more_bytes > 0) more += more_bytes;
    }
}

#endif
