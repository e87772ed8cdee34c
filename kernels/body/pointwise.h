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

/* One function per tile size: the switch costs a jump per tile and keeps the hot loops apart. */
#define POINTWISE_CASE(pixels, vectors)                                                            \
    case pixels:                                                                                   \
        if (pixels <= POINTWISE_PIXELS_##vectors) {                                                \
            pointwise_tile(args, e, pixels, vectors, input, place, block);                         \
        }                                                                                          \
        break;

#define POINTWISE_TILES(vectors)                                                                   \
    static void pointwise_tiles_##vectors(const mbn_pointwise_args *args, const epilogue *e,       \
                                          int32_t pixels, const float *input,                      \
                                          const tile_place *place, int32_t block) {                \
        switch (pixels) {                                                                          \
            POINTWISE_CASE(1, vectors)                                                             \
            POINTWISE_CASE(2, vectors)                                                             \
            POINTWISE_CASE(3, vectors)                                                             \
            POINTWISE_CASE(4, vectors)                                                             \
            POINTWISE_CASE(5, vectors)                                                             \
            POINTWISE_CASE(6, vectors)                                                             \
            POINTWISE_CASE(7, vectors)                                                             \
            POINTWISE_CASE(8, vectors)                                                             \
            POINTWISE_CASE(9, vectors)                                                             \
            POINTWISE_CASE(10, vectors)                                                            \
            POINTWISE_CASE(11, vectors)                                                            \
            POINTWISE_CASE(12, vectors)                                                            \
            POINTWISE_CASE(13, vectors)                                                            \
            POINTWISE_CASE(14, vectors)                                                            \
        }                                                                                          \
    }

POINTWISE_TILES(1)
POINTWISE_TILES(2)
POINTWISE_TILES(3)
#if PANEL_MAX >= 4
POINTWISE_TILES(4)
#endif

/* Pixels of the next tile.  A leftover too small to hide the latency of its own multiply-adds is
 * shared with the tile before it. */
MBN_INLINE int32_t next_tile(int32_t left, int32_t most, int32_t vectors) {
    if (left <= most) return left;
    return left - most < 8 / vectors ? (left + 1) / 2 : most;
}

/* pixels [begin, end) of one panel */
static void pointwise_panel(const mbn_pointwise_args *args, const epilogue *e, int32_t vectors,
                            int32_t begin, int32_t end, const float *input, int32_t block) {
    static const int32_t most[] = {
        0,
        POINTWISE_PIXELS_1,
        POINTWISE_PIXELS_2,
        POINTWISE_PIXELS_3,
#if PANEL_MAX >= 4
        POINTWISE_PIXELS_4,
#endif
    };
    tile_place place;
    for (int32_t i = begin; i < end;) {
        const int32_t pixels = next_tile(end - i, most[vectors], vectors);
        place_tile(args, i, pixels, &place);
        switch (vectors) {
        case 1: pointwise_tiles_1(args, e, pixels, input, &place, block); break;
        case 2: pointwise_tiles_2(args, e, pixels, input, &place, block); break;
        case 3: pointwise_tiles_3(args, e, pixels, input, &place, block); break;
#if PANEL_MAX >= 4
        case 4: pointwise_tiles_4(args, e, pixels, input, &place, block); break;
#endif
        }
        i += pixels;
        input += (ptrdiff_t)pixels * VEC_WIDTH;
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
