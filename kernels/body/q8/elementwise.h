/* Lookup, channel scale and addition: four pixels at a time, row by row. */
#include "finish.h"
#if VEC_PARTS
#include "finish_spilled.h"
#endif

/* A block whose channels all have one multiplier, as it is packed. */
typedef struct uniform_block {
    char channels[5 * SUMS_BYTES];
} uniform_block;

static uniform_block uniform_block_of(const mbn_q8_finish *finish) {
    mbn_multiplier multipliers[BLOCK];
    for (int32_t c = 0; c < BLOCK; c++) multipliers[c] = finish->multiplier;
    uniform_block block;
    PACK_CHANNELS(
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

/* The range with rows that have no gap between them as one. */
typedef struct long_rows {
    int32_t width, end; /* of a row; one past the last one */
} long_rows;

MBN_INLINE long_rows long_rows_of(const mbn_elementwise_args *args, mbn_range range) {
    const ptrdiff_t row = (ptrdiff_t)args->width * PIXEL_BYTES;
    const bool flat = args->input.row_stride == row && args->output.row_stride == row &&
                      (args->other.data == NULL || args->other.row_stride == row);
    const int32_t rows = range.row_end - range.row_begin;
    if (!flat || rows == 0) return (long_rows){args->width, range.row_end};
    return (long_rows){rows * args->width, range.row_begin + 1};
}

static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_elementwise(args, range, ELEMENT_BYTES);
    const long_rows rows = long_rows_of(args, range);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < rows.end; y++) {
            lookup_run(args->finish.q8->lookup, mbn_row_at(&args->input, b, y), rows.width,
                       mbn_row_at(&args->output, b, y));
        }
    }
}

/* The products of a channel block and how they are rescaled. */
typedef struct scaling {
    const mbn_q8_finish *finish;
    uniform_block block;
    byte_limits limits;
    epilogue e; /* without the lookup, which is of the inputs */
    enum finish_kind kind;
#if FIXED_OFFSET && !VEC_PARTS
    fixed_factors fixed; /* of FIXED, without the zero point */
#endif
} scaling;

static scaling scaling_of(const mbn_finish *finish) {
    enum { PRODUCTS = 2 }; /* of weights that 255 is at most two of */
    scaling s = {
        .finish = finish->q8,
        .block = uniform_block_of(finish->q8),
        .e = epilogue_of(finish),
    };
    s.e.lookup = NULL;
    s.limits = s.e.limits;
    const bool inside = mbn_rounds_inside(finish->q8);
    s.kind = inside ? FINISH_ANY : finish_kind_of(&s.e, s.block.channels, PRODUCTS, false);
    if (s.kind == FINISH_RELU) s.kind = FINISH_FLOAT; /* without its start */
#if FIXED_OFFSET && !VEC_PARTS
    const char *channels = s.block.channels;
    if (s.kind == FINISH_FIXED) {
        s.fixed = fixed_factors_of(sums_load(channel_vector(channels, MULTIPLIER)),
                                   sums_load(channel_vector(channels, SHIFT)),
                                   sums_load(channel_vector(channels, FIXED_LESS)),
                                   sums_load(channel_vector(channels, FIXED_START)), 0);
    }
#endif
    if (inside) {
        mbn_byte_range range = finish->q8->range;
        range.zero = (uint8_t)finish->q8->origin;
        s.limits = byte_limits_of(range);
    }
    return s;
}

MBN_INLINE sums scale_inside(const scaling *s, sums product) {
    return rescale_inside(product, factors_load(channel_vector(s->block.channels, MULTIPLIER)),
                          (float)(s->finish->range.zero - s->finish->origin));
}

#if VEC_PARTS
/* `count` products that round inside, from memory. */
static void store_inside(const scaling *s, const int32_t *values, int32_t count, char *output) {
    for (int32_t p = 0; p < count; p += QUAD) {
        const int32_t left = count - p < QUAD ? count - p : QUAD;
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            quad[i] = scale_inside(s, sums_load(values + (p + (i < left ? i : 0)) * BLOCK));
        }
        bytes_store_some(output + p * PIXEL_BYTES, left,
                         bytes_of(&s->limits, quad[0], quad[1], quad[2], quad[3]));
    }
}

/* gate: what the inputs, less their zero point, are multiplied with.  Products are in memory, as
 * tiles leave sums. */
static void scale_row(const scaling *s, sums gate, const char *input, int32_t width, char *output) {
    const char *start = start_at(s->kind, s->block.channels);
    const sums rest =
        sums_add(sums_mul(gate, sums_splat(-s->finish->input_zero)), sums_load(start));
    char inputs[RUN_PIXELS * PIXEL_BYTES];
    _Alignas(64) int32_t values[RUN_PIXELS * BLOCK + SUMS_BEYOND];
    for (int32_t x = 0, count; x < width; x += count) {
        count = width - x < RUN_PIXELS ? width - x : RUN_PIXELS;
        const char *in = input + (ptrdiff_t)x * PIXEL_BYTES;
        char *out = output + (ptrdiff_t)x * PIXEL_BYTES;
        if (s->finish->lookup != NULL) {
            lookup_run(s->finish->lookup, in, count, inputs);
            in = inputs;
        }
        for (int32_t p = 0; p < count; p++) {
            const sums product =
                sums_add_product(pixel_sum(in + p * PIXEL_BYTES, sums_zero()), gate, rest);
            sums_store(values + p * BLOCK, product);
        }
        if (mbn_rounds_inside(s->finish)) {
            store_inside(s, values, count, out);
        } else {
            finish_spilled(&s->e, s->kind, s->block.channels, values, count, NULL, out);
        }
    }
}
#else
MBN_INLINE sums scale_product(const scaling *s, sums product) {
    if (!BYTES_IN_FOURTHS && s->kind == FINISH_FLOAT) {
        return rescale_small(product, factors_load(channel_vector(s->block.channels, MULTIPLIER)));
    }
#if FIXED_OFFSET
    if (s->kind == FINISH_FIXED) {
        sums y = fixed_round(&s->fixed, product);
        if (!s->e.is_relu) y = fixed_round_negative(&s->fixed, product, y);
        return fixed_shift(&s->fixed, y);
    }
#endif
    if (mbn_rounds_inside(s->finish)) return scale_inside(s, product);
    return rescale(s->finish->rescaling, product, s->block.channels);
}

#if BYTES_IN_FOURTHS
/* As below, of FLOAT. */
static void scale_row_float(const scaling *s, sums gate, const char *input, int32_t width,
                            char *output) {
    const factors m = factors_load(channel_vector(s->block.channels, MULTIPLIER));
    raised_gate gates[QUAD];
    MBN_UNROLL
    for (int32_t i = 0; i < QUAD; i++) {
        gates[i] = raised_gate_of(sums_fourth(gate, i), s->finish->input_zero);
    }
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        bytes64 in = bytes_load_some(input + at, count);
        if (s->finish->lookup != NULL) in = bytes_lookup(s->finish->lookup, in);
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            quad[i] = rescale_gated(bytes_fourth_raised(in, i), &gates[i], m);
        }
        bytes_store_some(output + at, count,
                         bytes_of_fourths(&s->limits, quad[0], quad[1], quad[2], quad[3]));
    }
}
#endif

/* gate: what the inputs, less their zero point, are multiplied with.  All channels have one
 * multiplier, so products may stand in the order that takes the least to make and to pack. */
static void scale_row(const scaling *s, sums gate, const char *input, int32_t width, char *output) {
#if BYTES_IN_FOURTHS
    if (s->kind == FINISH_FLOAT) {
        scale_row_float(s, gate, input, width, output);
        return;
    }
#endif
    sums gates[QUAD], rest[QUAD];
    MBN_UNROLL
    for (int32_t i = 0; i < QUAD; i++) {
        gates[i] = sums_fourth(gate, i);
        rest[i] = sums_mul(gates[i], sums_splat(-s->finish->input_zero));
        if (FIXED_OFFSET && s->kind == FINISH_FIXED) {
            rest[i] = sums_add(rest[i], sums_load(channel_vector(s->block.channels, FIXED_START)));
        }
    }
    for (int32_t x = 0; x < width; x += QUAD) {
        const int32_t count = width - x < QUAD ? width - x : QUAD;
        const ptrdiff_t at = (ptrdiff_t)x * PIXEL_BYTES;
        bytes64 in = bytes_load_some(input + at, count);
        if (s->finish->lookup != NULL) in = bytes_lookup(s->finish->lookup, in);
        sums quad[QUAD];
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD; i++) {
            quad[i] = scale_product(s, sums_add_product(bytes_fourth(in, i), gates[i], rest[i]));
        }
        bytes_store_some(output + at, count,
                         bytes_of_fourths(&s->limits, quad[0], quad[1], quad[2], quad[3]));
    }
}
#endif

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, ELEMENT_BYTES);
    const scaling s = scaling_of(&args->finish);
    const sums gate_zero = sums_splat(args->finish.q8->gate_zero);
    const long_rows rows = long_rows_of(args, range);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const bytes64 gates =
            bytes_load_some((const char *)args->scale + (ptrdiff_t)b * VECTOR_BYTES, 1);
        const sums gate = sums_sub(bytes_widen(gates, 0), gate_zero);
        for (int32_t y = range.row_begin; y < rows.end; y++) {
            scale_row(&s, gate, mbn_row_at(&args->input, b, y), rows.width,
                      mbn_row_at(&args->output, b, y));
        }
    }
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, ELEMENT_BYTES);
    const adding s = adding_of(args->finish.q8->add);
    const long_rows rows = long_rows_of(args, range);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < rows.end; y++) {
            add_run(&s, mbn_row_at(&args->input, b, y), mbn_row_at(&args->other, b, y), rows.width,
                    mbn_row_at(&args->output, b, y));
        }
    }
}
