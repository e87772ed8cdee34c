/* Pointwise convolution where a tile is small: so many pixels are computed at once that what they
 * share costs little, and finished together.  A tile's inputs become int16 a block at a time, in
 * memory, where pairs of them are broadcast from. */
#include "finish_spilled.h"
#include "tile.h"

/* Where a run of pixels reads and writes. */
typedef struct tile_place {
    const char *input;          /* first pixel in channel block 0; the others follow */
    const char *weights, *bias; /* the block's weights and channels */
    char *output;               /* first pixel */
    const char *residual;       /* likewise, or NULL */
    int32_t contiguous;         /* pixels until the output's row ends */
    const char *ahead;          /* weights to fetch in the first step; each step moves on by ... */
    ptrdiff_t ahead_step;
} tile_place;

/* What the tiles of a run share. */
typedef struct run_state {
    const char *start; /* of the sums */
    const char *ahead;
    ptrdiff_t ahead_step; /* for each block of inputs */
#if !VEC_QUADS
    bool widened; /* the whole run */
    int32_t pixels;
    int16_t *wide;
#endif
} run_state;

#if VEC_QUADS
/* The sums of `pixels` from number p of the run on, and of the first `parts` of the block; both are
 * constants. */
MBN_INLINE void pointwise_sums(const mbn_pointwise_args *args, const tile_place *place,
                               run_state *s, int32_t pixels, int32_t parts, int32_t p,
                               int32_t *values) {
    const char *w = place->weights;
    quads acc[POINTWISE_PIXELS_1][PARTS];
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) {
        MBN_UNROLL
        for (int32_t v = 0; v < parts; v++) acc[i][v] = (quads)ints_load(s->start + v * PART_BYTES);
    }
    for (int32_t pass = passes_of(&args->operands);;) {
        const char *x = place->input + (ptrdiff_t)p * PIXEL_BYTES;
        for (int32_t left = args->input_channels; left > 0; left -= BLOCK) {
            const int32_t count = steps_of(left < BLOCK ? left : BLOCK);
            __builtin_prefetch(s->ahead, 0, 2); /* to L2 */
            s->ahead += s->ahead_step;
            for (int32_t k = 0; k < count; k++, w += STEP_BYTES) {
                ints row[PARTS];
                MBN_UNROLL
                for (int32_t v = 0; v < parts; v++) row[v] = ints_load(w + v * PART_BYTES);
                MBN_UNROLL
                for (int32_t j = 0; j < pixels; j++) {
                    const ints four = ints_broadcast(x + j * PIXEL_BYTES + k * DEPTH);
                    MBN_UNROLL
                    for (int32_t v = 0; v < parts; v++) {
                        acc[j][v] = quads_dot(four, row[v], acc[j][v]);
                    }
                }
            }
            x += args->input.block_stride;
        }
        MBN_UNROLL
        for (int32_t i = 0; i < pixels; i++) {
            MBN_UNROLL
            for (int32_t v = 0; v < parts; v++) {
                ints_store(values + i * BLOCK + v * WIDTH, (ints)acc[i][v]);
            }
        }
        if (--pass == 0) return;
        double_sums(s->start, pixels, values);
        MBN_UNROLL
        for (int32_t i = 0; i < pixels; i++) {
            MBN_UNROLL
            for (int32_t v = 0; v < parts; v++) {
                acc[i][v] = (quads)ints_load(values + i * BLOCK + v * WIDTH);
            }
        }
    }
}
#else
/* Inputs as int16, [block][pixel][channel]: of a whole run if it has few, else of a tile's pixels
 * as many as there is room for.  What is loaded right behind its store waits for it. */
enum { WIDE_BLOCKS = 9 };
typedef int16_t wide_inputs[WIDE_BLOCKS * RUN_PIXELS * BLOCK];

MBN_INLINE void widen(const mbn_pointwise_args *args, const char *x, int32_t blocks, int32_t pixels,
                      int16_t *out) {
    for (int32_t b = 0; b < blocks; b++, x += args->input.block_stride) {
        MBN_UNROLL_FOUR
        for (int32_t p = 0; p < pixels; p++, out += BLOCK) pixel_widen(x + p * PIXEL_BYTES, out);
    }
}

MBN_INLINE void pointwise_step(int32_t pixels, int32_t parts, const int16_t *x, const char *w,
                               sums *acc) {
    const packed row = packed_load(w);
    MBN_UNROLL
    for (int32_t j = 0; j < pixels; j++) {
        const operand four = operand_widened(x + j * BLOCK);
        MBN_UNROLL
        for (int32_t v = 0; v < parts; v++) {
            acc[j].part[v] = ints_dot(four.pair[1], row.pair[1][v],
                                      ints_dot(four.pair[0], row.pair[0][v], acc[j].part[v]));
        }
    }
}

/* The sums of `pixels` from number p of the run on, and of the first `parts` of the block; both are
 * constants. */
MBN_INLINE void pointwise_sums(const mbn_pointwise_args *args, const tile_place *place,
                               run_state *s, int32_t pixels, int32_t parts, int32_t p,
                               int32_t *values) {
    const int32_t blocks = (args->input_channels + BLOCK - 1) / BLOCK;
    const int32_t most = s->widened ? blocks : WIDE_BLOCKS * RUN_PIXELS / pixels;
    const ptrdiff_t block_stride = (ptrdiff_t)(s->widened ? s->pixels : pixels) * BLOCK;
    const char *w = place->weights;
    int32_t left = args->input_channels;
    sums acc[POINTWISE_PIXELS_1];
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) {
        MBN_UNROLL
        for (int32_t v = 0; v < parts; v++) acc[i].part[v] = ints_load(s->start + v * PART_BYTES);
    }
    for (int32_t b = 0; b < blocks; b += most) {
        const int16_t *x = s->wide + (s->widened ? p * BLOCK : 0);
        if (!s->widened) {
            widen(args, place->input + b * args->input.block_stride + (ptrdiff_t)p * PIXEL_BYTES,
                  blocks - b < most ? blocks - b : most, pixels, s->wide);
        }
        const int32_t end = b + most < blocks ? b + most : blocks;
        for (int32_t i = b; i < end; i++, x += block_stride, left -= BLOCK) {
            __builtin_prefetch(s->ahead, 0, 2); /* to L2 */
            s->ahead += s->ahead_step;
            if (left >= BLOCK) {
                MBN_UNROLL
                for (int32_t k = 0; k < BLOCK / DEPTH; k++, w += STEP_BYTES) {
                    pointwise_step(pixels, parts, x + k * DEPTH, fenced(w), acc);
                }
            } else {
                for (int32_t k = 0; k < steps_of(left); k++, w += STEP_BYTES) {
                    pointwise_step(pixels, parts, x + k * DEPTH, w, acc);
                }
            }
        }
    }
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) {
        MBN_UNROLL
        for (int32_t v = 0; v < parts; v++) {
            ints_store(values + i * BLOCK + v * WIDTH, acc[i].part[v]);
        }
    }
}
#endif

/* Pixels of a run's next tile, where `left` of `pixels` are to do. */
MBN_INLINE int32_t run_tile(int32_t pixels, int32_t left) {
    if (pixels < POINTWISE_PIXELS_FEW) return 1;
#if VEC_QUADS
    enum { FEW = POINTWISE_PIXELS_FEW };
    if (left <= FEW || (left > POINTWISE_PIXELS_1 && left <= 2 * FEW)) return FEW;
    return pixels < POINTWISE_PIXELS_1 ? FEW : POINTWISE_PIXELS_1;
#else
    return 2 * left >= POINTWISE_PIXELS_1 ? POINTWISE_PIXELS_1 : 1;
#endif
}

/* half: whether all channels that there are are in the block's first half. */
static __attribute__((noinline)) void pointwise_pixels(const mbn_pointwise_args *args,
                                                       const epilogue *e, int32_t pixels,
                                                       const tile_place *place, bool half) {
    _Alignas(64) int32_t spilled[RUN_PIXELS * BLOCK + SUMS_BEYOND];
    const int32_t tiles = (pixels + POINTWISE_PIXELS_1 - 1) / POINTWISE_PIXELS_1;
    const enum finish_kind kind =
        finish_kind_of(e, place->bias, args->input_channels, args->operands.wide);
    run_state s = {
        .start = start_at(kind, place->bias),
        .ahead = place->ahead,
        .ahead_step = (BLOCK / DEPTH * place->ahead_step + tiles - 1) / tiles,
    };
#if !VEC_QUADS
    _Alignas(64) wide_inputs wide;
    const int32_t blocks = (args->input_channels + BLOCK - 1) / BLOCK;
    s.widened = blocks <= WIDE_BLOCKS;
    s.pixels = pixels;
    s.wide = wide;
    if (s.widened) widen(args, place->input, blocks, pixels, s.wide);
#endif
    for (int32_t i = 0; i < pixels && half; i++) {
        sums_store(spilled + i * BLOCK, sums_load(s.start));
    }
    for (int32_t p = 0; p < pixels;) {
        const int32_t tile = run_tile(pixels, pixels - p);
        if (tile > pixels - p) p = pixels - tile; /* over some that have their value */
        int32_t *values = spilled + p * BLOCK;
        if (tile == 1) {
            pointwise_sums(args, place, &s, 1, PARTS, p, values);
        } else if (tile == POINTWISE_PIXELS_1 && half) {
            pointwise_sums(args, place, &s, POINTWISE_PIXELS_1, PARTS / 2, p, values);
        } else if (tile == POINTWISE_PIXELS_1) {
            pointwise_sums(args, place, &s, POINTWISE_PIXELS_1, PARTS, p, values);
        } else if (POINTWISE_PIXELS_FEW < POINTWISE_PIXELS_1) {
            pointwise_sums(args, place, &s, POINTWISE_PIXELS_FEW, PARTS, p, values);
        }
        p += tile;
    }
    const int32_t *values = spilled;
    char *output = place->output;
    const char *residual = place->residual;
    int32_t row = place->contiguous;
    for (int32_t left = pixels; left > 0; left -= row, row = args->width) {
        if (row > left) row = left;
        finish_spilled(e, kind, place->bias, values, row, residual, output);
        values += row * BLOCK;
        /* From behind this row's last pixel to the next row's first. */
        const ptrdiff_t column = (ptrdiff_t)(args->width - row) * PIXEL_BYTES;
        output += args->output.row_stride - column;
        if (residual != NULL) residual += args->residual.row_stride - column;
    }
}

static void pointwise_run(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                          const tile_place *place) {
    pointwise_pixels(args, e, pixels, place, false);
}
static void pointwise_half_run(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                               const tile_place *place) {
    pointwise_pixels(args, e, pixels, place, true);
}

MBN_INLINE epilogue pointwise_epilogue(const mbn_pointwise_args *args, mbn_range range) {
    (void)range;
    return epilogue_of(&args->finish);
}

#include "kernels/walk/pointwise.h"
