/* Pointwise convolution over a vec.h: a tile of pixels x vectors of output channels stays in
 * registers while k runs; one step loads a row of the packed panel and broadcasts one input value
 * per pixel.  Panels outermost: a panel (K x 2 vectors) stays in L1 or L2 while the pixels stream
 * past it, and every weight leaves L3 once. */
#include "epilogue.h"

typedef struct tile_place {
    ptrdiff_t output[16], residual[16]; /* of each pixel, in floats */
} tile_place;

/* Pixels are numbered along rows; the input's are contiguous, the output's rows may be apart. */
MBN_INLINE void place_tile(const mbn_pointwise_args *args, int32_t pixel, int32_t pixels,
                           tile_place *place) {
    int32_t y = pixel / args->width, x = pixel % args->width;
    for (int32_t p = 0; p < pixels; p++) {
        place->output[p] = y * args->output_row_stride + (ptrdiff_t)x * VEC_WIDTH;
        place->residual[p] = y * args->residual_row_stride + (ptrdiff_t)x * VEC_WIDTH;
        if (++x == args->width) x = 0, y++;
    }
}

/* Residual, activation and stores of a tile. */
MBN_INLINE void finish_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                            int32_t vectors, vec acc[16][4], const tile_place *place,
                            int32_t block) {
    float *output = args->output + block * args->output_block_stride;
    if (args->residual != NULL) {
        const float *residual = args->residual + block * args->residual_block_stride;
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                const float *r = residual + place->residual[p] + v * args->residual_block_stride;
                acc[p][v] = vec_add(acc[p][v], vec_load(r));
            }
        }
    }
    if (e->is_line) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                vec_store(output + place->output[p] + v * args->output_block_stride,
                          epilogue_line(e, acc[p][v]));
            }
        }
    } else {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                vec_store(output + place->output[p] + v * args->output_block_stride,
                          epilogue_clamp(e, acc[p][v]));
            }
        }
    }
}

/* pixels and vectors are constants.  input: the tile's first pixel in channel block 0. */
MBN_INLINE void pointwise_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                               int32_t vectors, const float *input, const tile_place *place,
                               int32_t block) {
    vec acc[16][4];
    const float *bias = args->bias + (ptrdiff_t)block * VEC_WIDTH;
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = vec_load(bias + v * VEC_WIDTH);
    }

    const float *w = args->weights + (ptrdiff_t)block * VEC_WIDTH * args->input_channels;
    int32_t left = args->input_channels;
    for (const float *x = input; left > 0; x += args->input_block_stride, left -= VEC_WIDTH) {
        const int32_t count = left < VEC_WIDTH ? left : VEC_WIDTH;
        for (int32_t k = 0; k < count; k++) {
            vec row[4];
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) row[v] = vec_load(w + v * VEC_WIDTH);
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) {
                const vec value = vec_broadcast(x + k + p * VEC_WIDTH);
                MBN_UNROLL
                for (int32_t v = 0; v < vectors; v++) {
                    acc[p][v] = vec_fma(value, row[v], acc[p][v]);
                }
            }
            __builtin_prefetch(w + PREFETCH_FLOATS);
            w += vectors * VEC_WIDTH;
        }
    }

    finish_tile(args, e, pixels, vectors, acc, place, block);
}

#if VEC_HALVES
/* The same where the last vector's upper half is padding: its accumulators hold two pixels each. */
MBN_INLINE void pointwise_tile_halves(const mbn_pointwise_args *args, const epilogue *e,
                                      int32_t pixels, int32_t vectors, const float *input,
                                      const tile_place *place, int32_t block) {
    const int32_t whole = vectors - 1, pairs = (pixels + 1) / 2;
    vec acc[16][4], pair[8];
    const float *bias = args->bias + (ptrdiff_t)block * VEC_WIDTH;
    MBN_UNROLL
    for (int32_t v = 0; v < whole; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = vec_load(bias + v * VEC_WIDTH);
    }
    MBN_UNROLL
    for (int32_t q = 0; q < pairs; q++) pair[q] = vec_load_twice(bias + whole * VEC_WIDTH);

    const float *w = args->weights + (ptrdiff_t)block * VEC_WIDTH * args->input_channels;
    int32_t left = args->input_channels;
    for (const float *x = input; left > 0; x += args->input_block_stride, left -= VEC_WIDTH) {
        const int32_t count = left < VEC_WIDTH ? left : VEC_WIDTH;
        for (int32_t k = 0; k < count; k++) {
            vec row[4];
            MBN_UNROLL
            for (int32_t v = 0; v < whole; v++) row[v] = vec_load(w + v * VEC_WIDTH);
            const vec twice = vec_load_twice(w + whole * VEC_WIDTH);
            MBN_UNROLL
            for (int32_t q = 0; q < pairs; q++) {
                const int32_t p = 2 * q, next = p + 1 < pixels ? p + 1 : p;
                const vec a = vec_broadcast(x + k + p * VEC_WIDTH);
                const vec b = vec_broadcast(x + k + next * VEC_WIDTH);
                MBN_UNROLL
                for (int32_t v = 0; v < whole; v++) {
                    acc[p][v] = vec_fma(a, row[v], acc[p][v]);
                    if (next > p) acc[next][v] = vec_fma(b, row[v], acc[next][v]);
                }
                pair[q] = vec_fma(vec_join_halves(a, b), twice, pair[q]);
            }
            __builtin_prefetch(w + PREFETCH_FLOATS);
            w += vectors * VEC_WIDTH;
        }
    }
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        acc[p][whole] = p % 2 == 0 ? vec_low_half(pair[p / 2]) : vec_high_half(pair[p / 2]);
    }
    finish_tile(args, e, pixels, vectors, acc, place, block);
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
            tile(args, e, pixels, vectors, input, place, block);                                   \
        }                                                                                          \
        break;

#define POINTWISE_TILES(name, tile, most, vectors)                                                 \
    static void name(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,            \
                     const float *input, const tile_place *place, int32_t block) {                 \
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
                const float *input, const tile_place *place, int32_t block);
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

/* pixels [begin, end) of one panel */
static void pointwise_panel(const mbn_pointwise_args *args, const epilogue *e, int32_t vectors,
                            int32_t begin, int32_t end, const float *input, int32_t block) {
    const panel_tiles tiles = tiles_of(args, block, vectors);
    tile_place place;
    for (int32_t i = begin; i < end;) {
        const int32_t pixels = next_tile(end - i, i - begin, tiles.most, vectors);
        if (i + pixels > end) i = end - pixels;
        place_tile(args, i, pixels, &place);
        tiles.run(args, e, pixels, input + (ptrdiff_t)(i - begin) * VEC_WIDTH, &place, block);
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
    for (int32_t block = range.block_begin; block < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - block, PANEL);
        for (int32_t y = range.row_begin; y < range.row_end; y += rows) {
            pointwise_panel(args, &e, vectors, y * width, (y + rows) * width,
                            args->input + y * args->input_row_stride, block);
        }
        block += vectors;
    }
}
