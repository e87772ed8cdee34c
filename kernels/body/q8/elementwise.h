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

static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range, ELEMENT_BYTES);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            lookup_run(args->finish.q8->lookup, mbn_row_at(&args->input, b, y), args->width,
                       mbn_row_at(&args->output, b, y));
        }
    }
}

/* The products of a channel block and how they are rescaled. */
typedef struct scaling {
    const mbn_q8_finish *finish;
    uniform_block block;
    byte_limits limits;
    bool quick; /* FINISH_FLOAT */
} scaling;

static scaling scaling_of(const mbn_finish *finish) {
    const epilogue e = epilogue_of(finish);
    scaling s = {.finish = finish->q8, .block = uniform_block_of(finish->q8), .limits = e.limits};
    const bool inside = mbn_rounds_inside(finish->q8);
    s.quick = !inside && finish_kind_of(&e, s.block.channels, 1, false) == FINISH_FLOAT;
    if (inside) {
        mbn_byte_range range = finish->q8->range;
        range.zero = (uint8_t)finish->q8->origin;
        s.limits = byte_limits_of(range);
    }
    return s;
}

MBN_INLINE sums scale_product(const scaling *s, sums product) {
    const char *multipliers = channel_vector(s->block.channels, MULTIPLIER);
    if (s->quick) return rescale_small(product, factors_load(multipliers));
    const mbn_q8_finish *finish = s->finish;
    if (mbn_rounds_inside(finish)) {
        return rescale_inside(product, factors_load(multipliers),
                              (float)(finish->range.zero - finish->origin));
    }
    return rescale(finish->rescaling, product, s->block.channels);
}

/* gate: what the inputs, less their zero point, are multiplied with. */
static void scale_row(const scaling *s, sums gate, const char *input, int32_t width, char *output) {
    const sums rest = sums_mul(gate, sums_splat(-s->finish->input_zero));
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        bytes64 in = bytes_load_some(input + at, count);
        if (s->finish->lookup != NULL) in = bytes_lookup(s->finish->lookup, in);
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            quad[i] = scale_product(s, sums_add_product(bytes_widen(in, i), gate, rest));
        }
        bytes_store_some(output + at, count,
                         bytes_of(&s->limits, quad[0], quad[1], quad[2], quad[3]));
    }
}

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, ELEMENT_BYTES);
    const scaling s = scaling_of(&args->finish);
    const sums gate_zero = sums_splat(args->finish.q8->gate_zero);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const bytes64 gates =
            bytes_load_some((const char *)args->scale + (ptrdiff_t)b * VECTOR_BYTES, 1);
        const sums gate = sums_sub(bytes_widen(gates, 0), gate_zero);
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            scale_row(&s, gate, mbn_row_at(&args->input, b, y), args->width,
                      mbn_row_at(&args->output, b, y));
        }
    }
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, ELEMENT_BYTES);
    const adding s = adding_of(args->finish.q8->add);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            add_run(&s, mbn_row_at(&args->input, b, y), mbn_row_at(&args->other, b, y), args->width,
                    mbn_row_at(&args->output, b, y));
        }
    }
}
