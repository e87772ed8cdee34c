/* Lookup, channel scale and addition: four pixels at a time, row by row. */
#include "finish.h"

/* A block whose channels all have one multiplier, as it is packed. */
typedef struct uniform_block {
    char channels[5 * SUMS_BYTES];
} uniform_block;

static uniform_block uniform_block_of(const mbn_q8_finish *finish) {
    mbn_multiplier multipliers[BLOCK];
    for (int32_t c = 0; c < BLOCK; c++) multipliers[c] = finish->multiplier;
    uniform_block block;
    mbn_pack_channels_q8(
        &(mbn_pack_channels_args){
            .bias = (const int32_t[BLOCK]){0},
            .multipliers = multipliers,
            .rescaling = finish->rescaling,
            .channels = BLOCK,
            .blocking = {BLOCK, PANEL, DEPTH},
        },
        block.channels);
    return block;
}

static void lookup_row(const uint8_t *lookup, const char *input, int32_t width, char *output) {
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        bytes_store_some(output + at, count,
                         bytes_lookup(lookup, bytes_load_some(input + at, count)));
    }
}

static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range, ELEMENT_BYTES);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            lookup_row(args->finish.q8->lookup, mbn_row_at(&args->input, b, y), args->width,
                       mbn_row_at(&args->output, b, y));
        }
    }
}

/* gate: what the inputs, of which zero is the zero point, are multiplied with. */
static void scale_row(const epilogue *e, const char *channels, sums gate, const char *input,
                      int32_t width, char *output) {
    const sums rest = sums_mul(gate, sums_splat(-(int32_t)e->input_zero));
    const factors m = factors_load(channel_vector(channels, MULTIPLIER));
    const bool quick = finish_kind_of(e, channels, 1, false) == FINISH_FLOAT;
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        const bytes64 in = bytes_load_some(input + at, count);
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            const sums product = sums_add_product(bytes_widen(in, i), gate, rest);
            quad[i] = quick ? rescale_small(product, m) : rescale(e->rescaling, product, channels);
        }
        bytes_store_some(output + at, count,
                         bytes_of(&e->limits, quad[0], quad[1], quad[2], quad[3]));
    }
}

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, ELEMENT_BYTES);
    const epilogue e = epilogue_of(&args->finish);
    const uniform_block u = uniform_block_of(args->finish.q8);
    const sums gate_zero = sums_splat(args->finish.q8->gate_zero);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const bytes64 gates =
            bytes_load_some((const char *)args->scale + (ptrdiff_t)b * VECTOR_BYTES, 1);
        const sums gate = sums_sub(bytes_widen(gates, 0), gate_zero);
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            scale_row(&e, u.channels, gate, mbn_row_at(&args->input, b, y), args->width,
                      mbn_row_at(&args->output, b, y));
        }
    }
}

static void add_row(const mbn_q8_add *add, const char *input, const char *other, int32_t width,
                    char *output) {
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        bytes_store_some(
            output + at, count,
            add_bytes(add, bytes_load_some(input + at, count), bytes_load_some(other + at, count)));
    }
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, ELEMENT_BYTES);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            add_row(args->finish.q8->add, mbn_row_at(&args->input, b, y),
                    mbn_row_at(&args->other, b, y), args->width, mbn_row_at(&args->output, b, y));
        }
    }
}
