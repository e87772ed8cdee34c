/* Pointwise convolution over a vec.h: a tile of pixels x vectors of output channels stays in
 * registers while k runs; one step loads a row of the packed panel and broadcasts one input value
 * per pixel.  Panels outermost: a panel (K x 2 vectors) stays in L1 or L2 while the pixels stream
 * past it, and every weight leaves L3 once.  Meanwhile the next panel is fetched, a piece with each
 * tile: a panel's first tile alone uses up weights faster than they come from memory.
 *
 * With K = 16 to 32 a tile's beginning and end weigh as much as its loop, so both are short: the
 * first step adds to the bias instead of to a copy of it, and a tile whose outputs are contiguous is
 * stored from where it is. */
#include "epilogue.h"
#include "lanes.h"

#include <string.h>

/* Where a tile reads and writes. */
typedef struct tile_place {
    const float *input; /* first pixel in channel block 0; the others follow */
    float *output;      /* first pixel in the tile's first block, residual likewise (or NULL) */
    const float *residual;
    int32_t block;
    int32_t contiguous; /* pixels until the output's row ends */
    const char *ahead;  /* weights to fetch in the first step; each step moves on by ... */
    ptrdiff_t ahead_step;
} tile_place;

MBN_INLINE void add_residual(const mbn_pointwise_args *args, int32_t pixels, int32_t vectors,
                             vec acc[16][4], const float *residual) {
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const float *add = residual + v * args->residual_block_stride;
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            acc[p][v] = vec_add(acc[p][v], vec_load(add + p * VEC_WIDTH));
        }
    }
}

/* A tile that goes on in the next row: pixel by pixel. */
static void store_apart(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                        int32_t vectors, const tile_place *place, const float *values) {
    float *output = place->output;
    const float *residual = place->residual;
    int32_t left = place->contiguous;
    for (int32_t p = 0; p < pixels; p++) {
        for (int32_t v = 0; v < vectors; v++) {
            vec y = vec_load(values + (p * vectors + v) * VEC_WIDTH);
            if (residual != NULL) {
                y = vec_add(y, vec_load(residual + v * args->residual_block_stride));
            }
            vec_store(output + v * args->output_block_stride, epilogue_apply(e, y));
        }
        const bool next_row = --left == 0;
        if (next_row) left = args->width;
        const ptrdiff_t back = next_row ? (ptrdiff_t)(args->width - 1) * VEC_WIDTH : -VEC_WIDTH;
        output += (next_row ? args->output_row_stride : 0) - back;
        if (residual != NULL) residual += (next_row ? args->residual_row_stride : 0) - back;
    }
}

MBN_INLINE void finish_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                            int32_t vectors, vec acc[16][4], const tile_place *place) {
    if (place->contiguous < pixels) {
        float values[16 * 4 * VEC_WIDTH];
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                vec_store(values + (p * vectors + v) * VEC_WIDTH, acc[p][v]);
            }
        }
        store_apart(args, e, pixels, vectors, place, values);
        return;
    }
    if (place->residual != NULL) add_residual(args, pixels, vectors, acc, place->residual);
    store_tile(e, true, pixels, 0, vectors, acc, place->output, args->output_block_stride);
}

MBN_INLINE void fetch_ahead(const char *weights) {
    __builtin_prefetch(weights, 0, 2); /* to L2 */
}

/* One step: acc = value * weight + from, where `from` is acc itself or, in the first step, the bias
 * of its vector. */
MBN_INLINE void pointwise_step(int32_t pixels, int32_t vectors, const float *x, const float *w,
                               const char *ahead, const vec *bias, vec acc[16][4]) {
    fetch_ahead(ahead);
    vec row[4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) row[v] = vec_load(w + v * VEC_WIDTH);
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        const vec value = vec_broadcast(x + p * VEC_WIDTH);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            acc[p][v] = vec_fma(value, row[v], bias != NULL ? bias[v] : acc[p][v]);
        }
    }
}

/* The sums of a tile, from its biases on; pixels and vectors are constants. */
MBN_INLINE void pointwise_sums(const mbn_pointwise_args *args, int32_t pixels, int32_t vectors,
                               const tile_place *place, vec acc[16][4]) {
    const ptrdiff_t step = vectors * VEC_WIDTH;
    const float *w = args->weights + (ptrdiff_t)place->block * VEC_WIDTH * args->input_channels;
    const float *x = place->input;
    const char *ahead = place->ahead;
    const ptrdiff_t ahead_step = place->ahead_step;
    int32_t left = args->input_channels;
    vec bias[4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        bias[v] = vec_load(args->bias + (ptrdiff_t)(place->block + v) * VEC_WIDTH);
    }
#if VEC_LANES
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) acc[p][v] = bias[v];
    }
    lanes_state state;
    if (left >= VEC_WIDTH) lanes_begin(pixels, x, VEC_WIDTH, w, &state);
    for (; left >= VEC_WIDTH; left -= VEC_WIDTH) {
        /* Behind the last whole block there is nothing to load: the same again. */
        const bool more = left >= 2 * VEC_WIDTH;
        const float *next_weights = w + VEC_WIDTH * step;
        const float *next_input = x + args->input_block_stride;
        MBN_UNROLL
        for (int32_t k = 0; k < VEC_WIDTH; k++) fetch_ahead(ahead + k * ahead_step);
        ahead += VEC_WIDTH * ahead_step;
        lanes_multiply(pixels, vectors, w, more ? next_input : x, VEC_WIDTH,
                       more ? next_weights : w, &state, acc);
        w = next_weights;
        x = next_input;
    }
    for (int32_t k = 0; k < left; k++, w += step, ahead += ahead_step) {
        pointwise_step(pixels, vectors, x + k, w, ahead, NULL, acc);
    }
#else
    pointwise_step(pixels, vectors, x, w, ahead, bias, acc);
    w += step;
    ahead += ahead_step;
    for (int32_t k = 1; left > 0; k = 0, x += args->input_block_stride, left -= VEC_WIDTH) {
        const int32_t count = left < VEC_WIDTH ? left : VEC_WIDTH;
        for (; k < count; k++, w += step, ahead += ahead_step) {
            pointwise_step(pixels, vectors, x + k, w, ahead, NULL, acc);
        }
    }
#endif
}

MBN_INLINE void pointwise_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                               int32_t vectors, const tile_place *place) {
    vec acc[16][4];
    pointwise_sums(args, pixels, vectors, place, acc);
    finish_tile(args, e, pixels, vectors, acc, place);
}

#if VEC_HALVES
/* The same where the last vector's upper half is padding: its accumulators hold two pixels each. */
MBN_INLINE void halves_step(int32_t pixels, int32_t whole, const float *x, const float *w,
                            const char *ahead, const vec *bias, vec acc[16][4], vec pair[8]) {
    fetch_ahead(ahead);
    vec row[4];
    MBN_UNROLL
    for (int32_t v = 0; v < whole; v++) row[v] = vec_load(w + v * VEC_WIDTH);
    const vec twice = vec_load_twice(w + whole * VEC_WIDTH);
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p += 2) {
        const int32_t next = p + 1 < pixels ? p + 1 : p;
        const vec a = vec_broadcast(x + p * VEC_WIDTH);
        const vec b = vec_broadcast(x + next * VEC_WIDTH);
        MBN_UNROLL
        for (int32_t v = 0; v < whole; v++) {
            acc[p][v] = vec_fma(a, row[v], bias != NULL ? bias[v] : acc[p][v]);
            if (next > p) acc[next][v] = vec_fma(b, row[v], bias != NULL ? bias[v] : acc[next][v]);
        }
        pair[p / 2] =
            vec_fma(vec_join_halves(a, b), twice, bias != NULL ? bias[whole] : pair[p / 2]);
    }
}

MBN_INLINE void pointwise_tile_halves(const mbn_pointwise_args *args, const epilogue *e,
                                      int32_t pixels, int32_t vectors, const tile_place *place) {
    const int32_t whole = vectors - 1;
    const ptrdiff_t step = vectors * VEC_WIDTH;
    const float *w = args->weights + (ptrdiff_t)place->block * VEC_WIDTH * args->input_channels;
    const float *x = place->input;
    const char *ahead = place->ahead;
    const ptrdiff_t ahead_step = place->ahead_step;
    int32_t left = args->input_channels;
    vec acc[16][4], pair[8], bias[4];
    MBN_UNROLL
    for (int32_t v = 0; v < whole; v++) {
        bias[v] = vec_load(args->bias + (ptrdiff_t)(place->block + v) * VEC_WIDTH);
    }
    bias[whole] = vec_load_twice(args->bias + (ptrdiff_t)(place->block + whole) * VEC_WIDTH);
    halves_step(pixels, whole, x, w, ahead, bias, acc, pair);
    w += step;
    ahead += ahead_step;
    for (int32_t k = 1; left > 0; k = 0, x += args->input_block_stride, left -= VEC_WIDTH) {
        const int32_t count = left < VEC_WIDTH ? left : VEC_WIDTH;
        for (; k < count; k++, w += step, ahead += ahead_step) {
            halves_step(pixels, whole, x + k, w, ahead, NULL, acc, pair);
        }
    }
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        acc[p][whole] = p % 2 == 0 ? vec_low_half(pair[p / 2]) : vec_high_half(pair[p / 2]);
    }
    finish_tile(args, e, pixels, vectors, acc, place);
}
#endif

/* Sizes of tiles: the full one, and a few smaller for what is left of a run of pixels. */
MBN_INLINE bool is_tile(int32_t pixels, int32_t most) {
    return pixels == most || pixels == most - 4 || pixels == most / 2 || pixels == 4 ||
           pixels == 2 || pixels == 1;
}

/* The switch costs a jump per tile and keeps the hot loops apart. */
#define POINTWISE_CASE(tile, most, pixels, vectors)                                                \
    case pixels:                                                                                   \
        if (pixels <= most && is_tile(pixels, most)) {                                             \
            tile(args, e, pixels, vectors, place);                                                 \
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

POINTWISE_TILES(tiles_1, pointwise_tile, POINTWISE_PIXELS_1, 1)
POINTWISE_TILES(tiles_2, pointwise_tile, POINTWISE_PIXELS_2, 2)
POINTWISE_TILES(tiles_3, pointwise_tile, POINTWISE_PIXELS_3, 3)
#if PANEL_MAX >= 4
POINTWISE_TILES(tiles_4, pointwise_tile, POINTWISE_PIXELS_4, 4)
#endif
#if VEC_HALVES
POINTWISE_TILES(halves_1, pointwise_tile_halves, HALVES_PIXELS_1, 1)
POINTWISE_TILES(halves_2, pointwise_tile_halves, HALVES_PIXELS_2, 2)
POINTWISE_TILES(halves_3, pointwise_tile_halves, HALVES_PIXELS_3, 3)
#endif

/* How panels of each width, indexed by it, are cut into tiles. */
typedef struct panel_tiles {
    void (*run)(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                const tile_place *place);
    int32_t most; /* pixels of a tile */
} panel_tiles;

static const panel_tiles whole_tiles[] = {
    {NULL, 0},
    {tiles_1, POINTWISE_PIXELS_1},
    {tiles_2, POINTWISE_PIXELS_2},
    {tiles_3, POINTWISE_PIXELS_3},
#if PANEL_MAX >= 4
    {tiles_4, POINTWISE_PIXELS_4},
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

static panel_tiles tiles_of(const mbn_pointwise_args *args, int32_t block, int32_t vectors) {
#if VEC_HALVES
    const int32_t last = args->output_channels - (block + vectors - 1) * VEC_WIDTH;
    if (last <= VEC_WIDTH / 2) return halves_tiles[vectors];
#else
    (void)args, (void)block;
#endif
    return whole_tiles[vectors];
}

/* Pixels of the next tile, of `left` after `done`: the smallest that holds what is left, if it can
 * begin among the pixels before (which get the value that they have), else the largest that fits.
 * What would be left too small to hide the latency of its own multiply-adds (eight vectors) shares
 * with the tile before: 7 pixels are 4 + 3, not 6 + 1. */
MBN_INLINE int32_t next_tile(int32_t left, int32_t done, int32_t most, int32_t vectors) {
    if (left >= most + 8 / vectors || left == most) return most;
    const int32_t wanted = left > most ? (left + 1) / 2 : left;
    int32_t pixels = wanted;
    while (!is_tile(pixels, most)) pixels++;
    if (pixels <= left + done) return pixels;
    for (pixels = wanted; !is_tile(pixels, most);) pixels--;
    return pixels;
}

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
    const int32_t row_bytes = vectors * VEC_WIDTH * (int32_t)sizeof(float);
    const int32_t dense = (row_bytes + LINE_BYTES - 1) / LINE_BYTES;
    const int32_t of_panel = bytes > 0 && dense < tiles ? dense : tiles;
    const ptrdiff_t steps = (ptrdiff_t)(tiles - of_panel) * args->input_channels;
    const ptrdiff_t step = steps == 0 ? 0 : ((ptrdiff_t)bytes + steps - 1) / steps;
    return (fetching){
        .at = panel,
        .then = steps == 0 ? panel : more,
        .step = (row_bytes + of_panel - 1) / of_panel,
        .then_step = step < LINE_BYTES ? step : LINE_BYTES,
        .tiles = of_panel,
    };
}

/* pixels [begin, end) of one panel */
static void pointwise_panel(const mbn_pointwise_args *args, const epilogue *e, panel_tiles tiles,
                            int32_t vectors, int32_t begin, int32_t end, const float *input,
                            int32_t block, fetching *fetch) {
    const ptrdiff_t row = (ptrdiff_t)args->width * VEC_WIDTH;
    const bool flat = args->output_row_stride == row &&
                      (args->residual == NULL || args->residual_row_stride == row);
    const ptrdiff_t first = block * args->output_block_stride;
    const ptrdiff_t first_residual = block * args->residual_block_stride;
    for (int32_t i = begin; i < end;) {
        const int32_t pixels = next_tile(end - i, i - begin, tiles.most, vectors);
        if (i + pixels > end) i = end - pixels;
        const int32_t y = i / args->width, x = i % args->width;
        const ptrdiff_t column = (ptrdiff_t)x * VEC_WIDTH;
        const tile_place place = {
            input + (ptrdiff_t)(i - begin) * VEC_WIDTH,
            args->output + (first + y * args->output_row_stride + column),
            args->residual == NULL
                ? NULL
                : args->residual + (first_residual + y * args->residual_row_stride + column),
            block,
            flat ? pixels : args->width - x,
            fetch->at,
            fetch->step,
        };
        tiles.run(args, e, pixels, &place);
        fetch->at += args->input_channels * fetch->step;
        if (--fetch->tiles == 0) {
            fetch->at = fetch->then;
            fetch->step = fetch->then_step;
        }
        i += pixels;
    }
}

void MBN_ISA_NAME(pointwise)(const mbn_pointwise_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH && args->panel == PANEL);
    const epilogue e = epilogue_of(&args->activation);
    const int32_t blocks = mbn_block_count(args->output_channels, VEC_WIDTH);
    const int32_t width = args->width;
    /* Rows without gaps between them are one long row: 7x7 is 49 pixels, not 7 tiles of 7. */
    const int32_t rows = args->input_row_stride == (ptrdiff_t)width * VEC_WIDTH
                             ? range.row_end - range.row_begin
                             : 1;
    const int32_t pixels = (range.row_end - range.row_begin) * width;
    if (range.block_begin == range.block_end) return;
    const char *more = args->fetch;
    const size_t more_per_block = args->fetch_bytes / (size_t)(range.block_end - range.block_begin);
    for (int32_t block = range.block_begin; block < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - block, PANEL);
        const panel_tiles tiles = tiles_of(args, block, vectors);
        const int32_t tile_count = (pixels - 1) / tiles.most + 1; /* no pixels: 1, too */
        const size_t more_bytes = more_per_block * (size_t)vectors;
        const float *next =
            args->weights + (ptrdiff_t)(block + vectors) * VEC_WIDTH * args->input_channels;
        fetching fetch =
            fetch_beside(args, (const char *)next, vectors, tile_count, more, more_bytes);
        for (int32_t y = range.row_begin; y < range.row_end; y += rows) {
            pointwise_panel(args, &e, tiles, vectors, y * width, (y + rows) * width,
                            args->input + y * args->input_row_stride, block, &fetch);
        }
        block += vectors;
        if (more_bytes > 0) more += more_bytes;
    }
}
