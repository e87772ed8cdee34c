/* Pointwise convolution: a tile of pixels x vectors of output channels stays in registers while k
 * runs; one step loads a row of the packed panel and broadcasts one input value per pixel.
 *
 * With K = 16 to 32 a tile's beginning and end weigh as much as its loop, so both are short: the
 * first step adds to the bias instead of to a copy of it, and a tile whose outputs are contiguous
 * is stored from where it is. */
#include "epilogue.h"
#include "lanes.h"
#include "matrix.h"

/* Where tiles side by side read and write, the next of them. */
typedef struct tile_place {
    const char *input;          /* first pixel in channel block 0; the others follow */
    const char *weights, *bias; /* the panel's */
    char *output;               /* first pixel in the panel's first block ... */
    const char *residual;       /* ... likewise, or NULL */
    int32_t contiguous;         /* pixels until the output's row ends */
    int32_t tiles;              /* how many */
    const char *ahead;          /* weights to fetch in the first step; each step moves on by ... */
    ptrdiff_t ahead_step;
} tile_place;

/* The panel's biases, which tiles begin with. */
typedef const char *tile_start;

MBN_INLINE tile_start tile_start_of(const mbn_pointwise_args *args, const epilogue *e,
                                    int32_t pixels, int32_t vectors, const tile_place *place) {
    (void)args, (void)e, (void)pixels, (void)vectors;
    return place->bias;
}

MBN_INLINE void add_residual(const mbn_pointwise_args *args, int32_t pixels, int32_t vectors,
                             vec acc[16][4], const char *residual) {
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const char *add = residual + v * args->residual.block_stride;
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) {
            acc[p][v] = vec_add(acc[p][v], element_load(add + p * PIXEL_BYTES));
        }
    }
}

/* A tile that goes on in the next row: pixel by pixel. */
static void store_apart(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                        int32_t vectors, const tile_place *place, const float *values) {
    char *output = place->output;
    const char *residual = place->residual;
    int32_t left = place->contiguous;
    for (int32_t p = 0; p < pixels; p++) {
        for (int32_t v = 0; v < vectors; v++) {
            vec y = vec_load(values + (p * vectors + v) * VEC_WIDTH);
            if (residual != NULL) {
                y = vec_add(y, element_load(residual + v * args->residual.block_stride));
            }
            element_store(output + v * args->output.block_stride, epilogue_apply(e, y));
        }
        const bool next_row = --left == 0;
        if (next_row) left = args->width;
        const ptrdiff_t back = next_row ? (ptrdiff_t)(args->width - 1) * PIXEL_BYTES : -PIXEL_BYTES;
        output += (next_row ? args->output.row_stride : 0) - back;
        if (residual != NULL) residual += (next_row ? args->residual.row_stride : 0) - back;
    }
}

MBN_INLINE void finish_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                            int32_t vectors, vec acc[16][4], const tile_place *place) {
    if (TILES_FEW || place->contiguous < pixels) {
        float values[TILE_FLOATS];
        spill_tile(pixels, 0, vectors, acc, values);
        const tile_place own = *place; /* the tiles' place is in registers */
        store_apart(args, e, pixels, vectors, &own, values);
        return;
    }
    if (place->residual != NULL) add_residual(args, pixels, vectors, acc, place->residual);
    store_tile(e, true, pixels, 0, vectors, acc, place->output, args->output.block_stride);
}

MBN_INLINE void fetch_ahead(const char *weights) {
    __builtin_prefetch(weights, 0, 2); /* to L2 */
}

/* One step: acc = value * weight + from, where `from` is acc itself or, in the first step, the bias
 * of its vector. */
MBN_INLINE void pointwise_step(int32_t pixels, int32_t vectors, const char *x, const char *w,
                               const char *ahead, const vec *bias, vec acc[16][4]) {
    fetch_ahead(ahead);
    operand row[4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) row[v] = operand_load(w + v * STEP_BYTES);
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        const operand value = operand_broadcast(x + p * PIXEL_BYTES);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            acc[p][v] = operand_dot(value, row[v], bias != NULL ? bias[v] : acc[p][v]);
        }
    }
}

/* The sums of a tile, from its biases on; pixels and vectors are constants. */
MBN_INLINE void pointwise_sums(const mbn_pointwise_args *args, int32_t pixels, int32_t vectors,
                               const tile_start *start, const tile_place *place, vec acc[16][4]) {
    const ptrdiff_t step = vectors * STEP_BYTES;
    const char *w = place->weights;
    const char *x = place->input;
    const char *ahead = place->ahead;
    const ptrdiff_t ahead_step = place->ahead_step;
    int32_t left = args->input_channels;
    vec bias[4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        bias[v] = vec_load(*start + v * VECTOR_BYTES);
    }
#if VEC_LANES
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) acc[p][v] = bias[v];
    }
    lanes_state state;
    if (left >= VEC_WIDTH) lanes_begin(pixels, x, PIXEL_BYTES, w, &state);
    for (; left >= VEC_WIDTH; left -= VEC_WIDTH) {
        /* Behind the last whole block there is nothing to load: the same again. */
        const bool more = left >= 2 * VEC_WIDTH;
        const char *next_weights = w + VEC_WIDTH * step;
        const char *next_input = x + args->input.block_stride;
        MBN_UNROLL
        for (int32_t k = 0; k < VEC_WIDTH; k++) fetch_ahead(ahead + k * ahead_step);
        ahead += VEC_WIDTH * ahead_step;
        lanes_multiply(pixels, vectors, w, more ? next_input : x, PIXEL_BYTES,
                       more ? next_weights : w, &state, acc);
        w = next_weights;
        x = next_input;
    }
    for (int32_t k = 0; k < left; k++, w += step, ahead += ahead_step) {
        pointwise_step(pixels, vectors, x + (ptrdiff_t)k * ELEMENT_BYTES, w, ahead, NULL, acc);
    }
#elif VEC_MATRIX
    matrix_state state;
    matrix_begin(pixels, vectors, x, w, bias, &state, acc);
    for (; left > 0; left -= BLOCK, ahead += ahead_step) {
        const bool more = left > BLOCK; /* as above */
        const char *next_weights = w + step;
        const char *next_input = x + args->input.block_stride;
        fetch_ahead(ahead);
        matrix_multiply(pixels, vectors, w, more ? next_input : x, more ? next_weights : w, &state,
                        acc);
        w = next_weights;
        x = next_input;
    }
    matrix_end(pixels, vectors, acc);
#else
    pointwise_step(pixels, vectors, x, w, ahead, bias, acc);
    w += step;
    ahead += ahead_step;
    for (int32_t k = 1; left > 0; k = 0, x += args->input.block_stride, left -= BLOCK) {
        const int32_t count = steps_of(left < BLOCK ? left : BLOCK);
        for (; k < count; k++, w += step, ahead += ahead_step) {
            pointwise_step(pixels, vectors, x + (ptrdiff_t)k * OPERAND_BYTES, w, ahead, NULL, acc);
        }
    }
#endif
}

MBN_INLINE void pointwise_tile(const mbn_pointwise_args *args, const epilogue *e, int32_t pixels,
                               int32_t vectors, const tile_start *start, const tile_place *place) {
    vec acc[16][4];
    pointwise_sums(args, pixels, vectors, start, place, acc);
    finish_tile(args, e, pixels, vectors, acc, place);
}

#if VEC_HALVES
/* The same where the last vector's upper half is padding: its accumulators hold two pixels each. */
MBN_INLINE void halves_step(int32_t pixels, int32_t whole, const char *x, const char *w,
                            const char *ahead, const vec *bias, vec acc[16][4], vec pair[8]) {
    fetch_ahead(ahead);
    operand row[4];
    MBN_UNROLL
    for (int32_t v = 0; v < whole; v++) row[v] = operand_load(w + v * STEP_BYTES);
    const operand twice = operand_load_twice(w + whole * STEP_BYTES);
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p += 2) {
        const int32_t next = p + 1 < pixels ? p + 1 : p;
        const operand a = operand_broadcast(x + p * PIXEL_BYTES);
        const operand b = operand_broadcast(x + next * PIXEL_BYTES);
        MBN_UNROLL
        for (int32_t v = 0; v < whole; v++) {
            acc[p][v] = operand_dot(a, row[v], bias != NULL ? bias[v] : acc[p][v]);
            if (next > p) {
                acc[next][v] = operand_dot(b, row[v], bias != NULL ? bias[v] : acc[next][v]);
            }
        }
        pair[p / 2] =
            operand_dot(operand_join_halves(a, b), twice, bias != NULL ? bias[whole] : pair[p / 2]);
    }
}

MBN_INLINE void pointwise_tile_halves(const mbn_pointwise_args *args, const epilogue *e,
                                      int32_t pixels, int32_t vectors, const tile_start *start,
                                      const tile_place *place) {
    const int32_t whole = vectors - 1;
    const ptrdiff_t step = vectors * STEP_BYTES;
    const char *w = place->weights;
    const char *x = place->input;
    const char *ahead = place->ahead;
    const ptrdiff_t ahead_step = place->ahead_step;
    int32_t left = args->input_channels;
    vec acc[16][4], pair[8], bias[4];
    MBN_UNROLL
    for (int32_t v = 0; v < whole; v++) {
        bias[v] = vec_load(*start + v * VECTOR_BYTES);
    }
    bias[whole] = vec_load_twice(*start + whole * VECTOR_BYTES);
    halves_step(pixels, whole, x, w, ahead, bias, acc, pair);
    w += step;
    ahead += ahead_step;
    for (int32_t k = 1; left > 0; k = 0, x += args->input.block_stride, left -= BLOCK) {
        const int32_t count = steps_of(left < BLOCK ? left : BLOCK);
        for (; k < count; k++, w += step, ahead += ahead_step) {
            halves_step(pixels, whole, x + (ptrdiff_t)k * OPERAND_BYTES, w, ahead, NULL, acc, pair);
        }
    }
    MBN_UNROLL
    for (int32_t p = 0; p < pixels; p++) {
        acc[p][whole] = p % 2 == 0 ? vec_low_half(pair[p / 2]) : vec_high_half(pair[p / 2]);
    }
    finish_tile(args, e, pixels, vectors, acc, place);
}
#endif

MBN_INLINE epilogue pointwise_epilogue(const mbn_pointwise_args *args, mbn_range range) {
    (void)range;
    return epilogue_of(&args->finish);
}

#include "kernels/walk/pointwise.h"
