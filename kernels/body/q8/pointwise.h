/* Pointwise convolution: a tile of pixels x blocks of output channels stays in registers while k
 * runs; one step loads a row of the packed panel and broadcasts four inputs of each pixel. */
#include "finish.h"
#include "lanes.h"
#include "tile.h"

/* Where tiles side by side read and write, the next of them. */
typedef struct tile_place {
    const char *input;          /* first pixel in channel block 0; the others follow */
    const char *weights, *bias; /* the panel's weights and channels */
    char *output;               /* first pixel in the panel's first block ... */
    const char *residual;       /* ... likewise, or NULL */
    int32_t contiguous;         /* pixels until the output's row ends */
    int32_t tiles;              /* how many */
    const char *ahead;          /* weights to fetch in the first step; each step moves on by ... */
    ptrdiff_t ahead_step;
    int32_t panel; /* its blocks, where the tile has fewer; else 0 */
} tile_place;

/* The sums that tiles of a panel begin with. */
typedef struct tile_start {
    int32_t sums[4][BLOCK];
} tile_start;

/* A tile from memory to where it belongs, row by row: sums, or else bytes that want more.  staged:
 * NULL, or where these are, if the tile goes on in the next row. */
static __attribute__((noinline)) void finish_rows(const mbn_pointwise_args *args, const epilogue *e,
                                                  int32_t pixels, int32_t vectors,
                                                  const tile_place *place, const int32_t *values,
                                                  const char *staged) {
    for (int32_t v = 0; v < vectors; v++) {
        const char *channels = place->bias + v * args->operands.bias_stride;
        char *output = place->output + v * args->output.block_stride;
        const char *residual = place->residual;
        if (residual != NULL) residual += v * args->residual.block_stride;
        int32_t run = place->contiguous;
        for (int32_t left = pixels; left > 0; left -= run, run = args->width) {
            if (run > left) run = left;
            if (values != NULL) {
                finish_run(e, channels, values, run, residual, output);
                values += run * BLOCK;
            } else {
                if (staged != NULL) {
                    memcpy(output, staged, (size_t)run * PIXEL_BYTES);
                    staged += run * PIXEL_BYTES;
                }
                finish_bytes(e, lookup_left(e), residual, run, output);
            }
            /* From behind this row's last pixel to the next row's first. */
            const ptrdiff_t column = (ptrdiff_t)(args->width - run) * PIXEL_BYTES;
            output += args->output.row_stride - column;
            if (residual != NULL) residual += args->residual.row_stride - column;
        }
    }
}

MBN_INLINE void finish_tile(const mbn_pointwise_args *args, const epilogue *e,
                            enum finish_kind kind, int32_t pixels, int32_t vectors, sums acc[16][4],
                            const tile_place *place) {
    if (kind == FINISH_ANY) {
        int32_t values[TILE_SUMS];
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            spill_pixels(pixels, v, acc, values + v * pixels * BLOCK);
        }
        const tile_place own = *place; /* the tiles' place is in registers */
        finish_rows(args, e, pixels, vectors, &own, values, NULL);
        return;
    }
    char staged[TILE_SUMS];
    const bool in_row = place->contiguous >= pixels;
    store_tile(e, kind, place->bias, args->operands.bias_stride, pixels, vectors, acc,
               in_row ? place->output : staged,
               in_row ? args->output.block_stride : (ptrdiff_t)pixels * PIXEL_BYTES);
    if (!in_row || place->residual != NULL || lookup_left(e) != NULL) {
        const tile_place own = *place;
        finish_rows(args, e, pixels, vectors, &own, NULL, in_row ? NULL : staged);
    }
}

/* The sums of a tile; pixels, vectors and halved are constants. */
MBN_INLINE void pointwise_sums(const mbn_pointwise_args *args, int32_t pixels, int32_t vectors,
                               bool halved, const tile_start *start, const tile_place *place,
                               sums acc[16][4]) {
    const char *w = place->weights + vectors * HEAD_BYTES;
    const int32_t panel = PANEL_SPLIT && place->panel > 0 ? place->panel : vectors;
    const ptrdiff_t step = (ptrdiff_t)panel * STEP_BYTES;
    const char *ahead = place->ahead;
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_load(start->sums[v]);
    }
    for (int32_t pass = passes_of(&args->operands);;) {
#if VEC_LANES
        (void)halved, (void)step; /* panels are whole there */
        w = lanes_run(pixels, vectors, args->input_channels, place->input, args->input.block_stride,
                      w, ahead, place->ahead_step, acc);
        ahead += steps_of(args->input_channels) * place->ahead_step;
#else
        const char *x = place->input;
        for (int32_t left = args->input_channels; left > 0; left -= BLOCK) {
            const int32_t count = steps_of(left < BLOCK ? left : BLOCK);
            for (int32_t k = 0; k < count; k++, w += step, ahead += place->ahead_step) {
                __builtin_prefetch(ahead, 0, 2); /* to L2 */
                tile_step(pixels, vectors, halved, x + (ptrdiff_t)k * OPERAND_BYTES, PIXEL_BYTES, w,
                          acc);
            }
            x += args->input.block_stride;
        }
#endif
        if (--pass == 0) break;
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const sums once = sums_load(start->sums[v]);
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_twice(acc[p][v], once);
        }
    }
}

/* Tiles that are not for what is left of a run of pixels, nor panels of an uncommon width. */
MBN_INLINE bool is_frequent(int32_t pixels, int32_t vectors) {
    const int32_t most = vectors == 1   ? POINTWISE_PIXELS_1
                         : vectors == 2 ? POINTWISE_PIXELS_2
                                        : POINTWISE_PIXELS_3;
    return pixels == most || (pixels == most / 2 && vectors > 1);
}

/* With the kind that serves for all of the range's blocks. */
MBN_INLINE epilogue pointwise_epilogue(const mbn_pointwise_args *args, mbn_range range) {
    epilogue e = epilogue_of(&args->finish);
    if (args->residual.data != NULL) e.is_plain_relu = false;
    e.kind = kind_of_blocks(&e, &args->operands, range.block_begin, range.block_end,
                            args->input_channels);
    return e;
}

/* The kind of tiles of that size. */
MBN_INLINE enum finish_kind tile_kind(const epilogue *e, int32_t pixels, int32_t vectors) {
    return is_frequent(pixels, vectors) ? e->kind : FINISH_ANY;
}

MBN_INLINE tile_start tile_start_of(const mbn_pointwise_args *args, const epilogue *e,
                                    int32_t pixels, int32_t vectors, const tile_place *place) {
    tile_start start;
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        sums_store(start.sums[v], start_of(tile_kind(e, pixels, vectors),
                                           place->bias + v * args->operands.bias_stride,
                                           place->weights + v * HEAD_BYTES));
    }
    return start;
}

MBN_INLINE void tile_of(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                        int32_t vectors, bool halved, const tile_start *start,
                        const tile_place *place) {
    sums acc[16][4];
    pointwise_sums(args, pixels, vectors, halved, start, place, acc);
#if VEC_HALVES
    MBN_UNROLL
    for (int32_t p = 0; p < pixels && halved; p++) {
        acc[p][vectors - 1] = sums_half(acc[p][vectors - 1]);
    }
#endif
    finish_tile(args, e, tile_kind(e, pixels, vectors), pixels, vectors, acc, place);
}

MBN_INLINE void pointwise_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                               int32_t vectors, const tile_start *start, const tile_place *place) {
    tile_of(args, e, pixels, vectors, false, start, place);
}

#if VEC_HALVES
MBN_INLINE void pointwise_tile_halves(const mbn_pointwise_args *args, const epilogue *e,
                                      int32_t pixels, int32_t vectors, const tile_start *start,
                                      const tile_place *place) {
    tile_of(args, e, pixels, vectors, true, start, place);
}
#endif

#include "kernels/walk/pointwise.h"
