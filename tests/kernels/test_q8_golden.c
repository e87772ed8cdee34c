/* Every q8 table against the bytes of other runtimes: tests/golden/make_q8.py. */
#include "../golden/q8.h"

#include "q8_problem.h"

#include <criterion/criterion.h>
#include <kernels/q8.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int32_t)(sizeof array / sizeof *array))

static uint8_t noise(int32_t seed, size_t at) {
    uint32_t value = ((uint32_t)at + ((uint32_t)seed << 16)) * 0x9E3779B9u;
    value ^= value >> 16;
    value *= 0x7FEB352Du;
    value ^= value >> 15;
    return (uint8_t)(value >> 24);
}

static uint8_t *unhex(const char *digits, size_t count) {
    uint8_t *bytes = malloc(count);
    cr_assert(bytes != NULL && strlen(digits) == 2 * count);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)strtoul((char[]){digits[2 * i], digits[2 * i + 1], '\0'}, NULL, 16);
    }
    return bytes;
}

/* Channels of an interleaved tensor one behind the other, as floats. */
static float *planar(const uint8_t *bytes, int32_t pixels, int32_t channels) {
    float *values = malloc((size_t)(pixels * channels) * sizeof *values);
    cr_assert(values != NULL);
    for (int32_t i = 0; i < pixels * channels; i++) {
        values[i % channels * pixels + i / channels] = bytes[i];
    }
    return values;
}

static float *planar_noise(int32_t seed, int32_t pixels, int32_t channels) {
    const int32_t count = pixels * channels;
    uint8_t *bytes = malloc((size_t)count);
    cr_assert(bytes != NULL);
    for (int32_t i = 0; i < count; i++) bytes[i] = noise(seed, (size_t)i);
    float *values = planar(bytes, pixels, channels);
    free(bytes);
    return values;
}

/* The channels of a plane of bytes against an interleaved tensor. */
static void check_bytes(const plane *p, const uint8_t *bytes, const char *what, int32_t number,
                        const mbn_kernels *table) {
    for (int32_t i = 0; i < p->height * p->width * p->channels; i++) {
        const int32_t c = i % p->channels, pixel = i / p->channels;
        const int32_t y = pixel / p->width, x = pixel % p->width;
        const uint8_t *block = (const uint8_t *)p->view.data + c / p->block * p->view.block_stride;
        const uint8_t actual = block[y * p->view.row_stride + x * p->block + c % p->block];
        cr_assert(actual == bytes[i], "%s: %s %d: row %d column %d channel %d is %d, not %d",
                  table_text(table), what, number, y, x, c, actual, bytes[i]);
    }
}

static plane make_plane(guarded *memory, const float *values, int32_t channels, int32_t height,
                        int32_t width) {
    plane p = plane_create(memory, GUARD_AFTER, MBN_ELEMENT_Q8, channels, height, width, 16, 0);
    if (values != NULL) plane_fill(&p, values, LANES_ZERO, 1, NULL);
    return p;
}

static mbn_range all_of(int32_t height, int32_t channels) {
    return (mbn_range){0, height, 0, mbn_block_count(channels, 16)};
}

/* ---- Convolutions --------------------------------------------------------------------------- */

/* [outputs][inputs][kernel_height][kernel_width] of [outputs][kernel_height][kernel_width]
 * [inputs]. */
static int16_t *golden_weights(const struct golden_convolution *g) {
    const int32_t inputs = g->family == DEPTHWISE ? 1 : g->channels;
    const int32_t taps = g->kernel_height * g->kernel_width, count = g->outputs * taps * inputs;
    int16_t *weights = malloc((size_t)count * sizeof *weights);
    cr_assert(weights != NULL);
    for (int32_t i = 0; i < count; i++) {
        const int32_t n = i / (taps * inputs), tap = i / inputs % taps, c = i % inputs;
        const int32_t byte = noise(g->seed + 1, (size_t)i);
        const int32_t stored = !g->is_signed ? byte : byte == 0 ? -127 : byte - 128;
        weights[(n * inputs + c) * taps + tap] = (int16_t)(stored - g->weight_zero);
    }
    return weights;
}

static void run_depthwise(const mbn_kernels *table, const mbn_convolution_args *args,
                          mbn_range all) {
    const mbn_depthwise_args depthwise = {
        .input = args->input,
        .output = args->output,
        .operands = args->operands,
        .finish = args->finish,
        .input_height = args->input_height,
        .input_width = args->input_width,
        .output_height = args->output_height,
        .output_width = args->output_width,
        .channels = args->output_channels,
        .kernel_height = args->kernel_height,
        .kernel_width = args->kernel_width,
        .stride_vertical = args->stride_vertical,
        .stride_horizontal = args->stride_horizontal,
        .pad_top = args->pad_top,
        .pad_left = args->pad_left,
        .blocking = args->blocking,
    };
    table->depthwise[args->kernel_height == 5][args->stride_vertical - 1]
                    [args->stride_horizontal - 1](&depthwise, all);
}

static void run_fully_connected(const mbn_kernels *table, const mbn_convolution_args *args,
                                mbn_range all) {
    const mbn_fully_connected_args connected = {
        .input = args->input.data,
        .output = args->output.data,
        .operands = args->operands,
        .finish = args->finish,
        .input_channels = args->input_channels,
        .output_channels = args->output_channels,
        .blocking = args->blocking,
    };
    table->fully_connected(&connected, all);
}

static void run_pointwise(const mbn_kernels *table, const mbn_convolution_args *args,
                          mbn_range all) {
    const mbn_pointwise_args pointwise = {
        .input = args->input,
        .output = args->output,
        .operands = args->operands,
        .finish = args->finish,
        .height = args->output_height,
        .width = args->output_width,
        .input_channels = args->input_channels,
        .output_channels = args->output_channels,
        .blocking = args->blocking,
    };
    table->pointwise(&pointwise, all);
}

static void check_convolution(const struct golden_convolution *g, const q8_problem *p,
                              const uint8_t *golden, const mbn_kernels *table) {
    static const char *const names[] = {"convolution", "depthwise", "fully connected"};
    const int32_t number = (int32_t)(g - golden_convolutions);
    operands memory = {0};
    plane input = make_plane(&memory.input, p->tensors.input, g->channels, g->height, g->width);
    plane output = make_plane(&memory.output, NULL, g->outputs, g->output_height, g->output_width);
    const mbn_convolution_args args = {
        .input = input.view,
        .output = output.view,
        .operands = q8_operands(p, &memory, GUARD_AFTER, table),
        .finish = {.q8 = &p->finish.finish},
        .input_block = 16,
        .input_height = g->height,
        .input_width = g->width,
        .output_height = g->output_height,
        .output_width = g->output_width,
        .input_channels = g->channels,
        .output_channels = g->outputs,
        .kernel_height = g->kernel_height,
        .kernel_width = g->kernel_width,
        .stride_vertical = g->stride_vertical,
        .stride_horizontal = g->stride_horizontal,
        .pad_top = g->pad_top,
        .pad_left = g->pad_left,
        .blocking = table->blocking,
    };
    const mbn_range all = all_of(g->output_height, g->outputs);
    switch (g->family) {
    case CONVOLUTION: table->convolution(&args, all); break;
    case DEPTHWISE: run_depthwise(table, &args, all); break;
    case FULLY_CONNECTED: run_fully_connected(table, &args, all); break;
    }
    check_bytes(&output, golden, names[g->family], number, table);
    if (g->family == CONVOLUTION && g->kernel_height == 1) {
        plane_clear(&output);
        run_pointwise(table, &args, all);
        check_bytes(&output, golden, "pointwise", number, table);
    }
    operands_free(&memory);
}

Test(q8_golden, convolutions) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, true);
    for (int32_t i = 0; i < COUNT(golden_convolutions); i++) {
        const struct golden_convolution *g = golden_convolutions + i;
        const convolution_case shape = {
            .channels = g->channels,
            .outputs = g->outputs,
            .depthwise = g->family == DEPTHWISE,
            .kernel_height = g->kernel_height,
            .kernel_width = g->kernel_width,
        };
        q8_problem p = {
            .tensors = {.shape = shape,
                        .input = planar_noise(g->seed, g->height * g->width, g->channels)},
            .weights = golden_weights(g),
            .wide = g->wide,
            .bias = (int32_t *)g->bias,
            .multipliers = (mbn_multiplier *)g->multipliers,
            .finish = {.finish = {.rescaling = g->rescaling,
                                  .input_zero = g->input_zero,
                                  .range = g->range}},
        };
        uint8_t *golden =
            unhex(g->bytes, (size_t)(g->output_height * g->output_width * g->outputs));
        for (int32_t t = 0; t < count; t++) check_convolution(g, &p, golden, tables + t);
        free(p.tensors.input);
        free(p.weights);
        free(golden);
    }
}

/* ---- Elementwise ---------------------------------------------------------------------------- */

enum { SOME = sizeof golden_some, PAIRS = SOME * SOME };

typedef mbn_elementwise_fn *mbn_kernels_slot(const mbn_kernels *table);

static mbn_elementwise_fn *add_of(const mbn_kernels *table) {
    return table->add;
}

static mbn_elementwise_fn *channel_scale_of(const mbn_kernels *table) {
    return table->channel_scale;
}

/* All pairs, the first one of each in `input`, the second in the other plane or vector, each in a
 * channel of its own. */
static void check_pairs(mbn_kernels_slot *slot, const mbn_q8_finish *finish, bool exchanged,
                        const char *digits, const char *what, int32_t number) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    uint8_t *golden = unhex(digits, PAIRS);
    float values[2][PAIRS];
    for (int32_t i = 0; i < PAIRS; i++) {
        values[exchanged][i] = golden_some[i / SOME];
        values[!exchanged][i] = golden_some[i % SOME];
    }
    for (int32_t t = 0; t < count; t++) {
        operands memory = {0};
        plane input = make_plane(&memory.input, values[0], PAIRS, 1, 1);
        plane other = make_plane(&memory.residual, values[1], PAIRS, 1, 1);
        plane output = make_plane(&memory.output, NULL, PAIRS, 1, 1);
        const mbn_elementwise_args args = {
            .input = input.view,
            .other = other.view,
            .output = output.view,
            .scale = other.view.data,
            .finish = {.q8 = finish},
            .height = 1,
            .width = 1,
            .channels = PAIRS,
            .blocking = tables[t].blocking,
        };
        slot(tables + t)(&args, all_of(1, PAIRS));
        check_bytes(&output, golden, what, number, tables + t);
        operands_free(&memory);
    }
    free(golden);
}

Test(q8_golden, sums) {
    for (int32_t i = 0; i < COUNT(golden_sums); i++) {
        mbn_q8_add add = golden_sums[i].add;
        const mbn_q8_finish finish = {.add = &add};
        check_pairs(add_of, &finish, false, golden_sums[i].bytes, "sum", i);
        /* The same numbers, in the other order. */
        add.multiplier[0] = golden_sums[i].add.multiplier[1];
        add.multiplier[1] = golden_sums[i].add.multiplier[0];
        add.zero[0] = golden_sums[i].add.zero[1];
        add.zero[1] = golden_sums[i].add.zero[0];
        add.other_first = !add.other_first;
        check_pairs(add_of, &finish, true, golden_sums[i].bytes, "exchanged sum", i);
    }
}

/* A lookup's place: what it gives goes into the sum. */
static void complement(uint8_t lookup[256]) {
    for (int32_t i = 0; i < 256; i++) lookup[i] = (uint8_t)(255 - i);
}

/* Sums as what convolutions end with: of one channel, whose weight and factor are 1. */
Test(q8_golden, residuals) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    float values[2][PAIRS];
    for (int32_t i = 0; i < PAIRS; i++) {
        values[0][i] = (float)(255 - golden_some[i / SOME]);
        values[1][i] = golden_some[i % SOME];
    }
    uint8_t lookup[256];
    complement(lookup);
    int16_t weight = 1;
    int32_t bias = 0;
    mbn_multiplier one = {.real = 1.0f};
    for (int32_t i = 0; i < COUNT(golden_sums) * count; i++) {
        const mbn_kernels *table = tables + i % count;
        const int32_t number = i / count;
        uint8_t *golden = unhex(golden_sums[number].bytes, PAIRS);
        const q8_problem p = {
            .tensors.shape = {.channels = 1, .outputs = 1, .kernel_height = 1, .kernel_width = 1},
            .weights = &weight,
            .bias = &bias,
            .multipliers = &one,
            .finish = {.finish = {.range = {0, 0, 255},
                                  .lookup = lookup,
                                  .add = &golden_sums[number].add}},
        };
        operands memory = {0};
        plane input = make_plane(&memory.input, values[0], 1, SOME, SOME);
        plane output = make_plane(&memory.output, NULL, 1, SOME, SOME);
        const mbn_pointwise_args args = {
            .input = input.view,
            .residual = make_plane(&memory.residual, values[1], 1, SOME, SOME).view,
            .output = output.view,
            .operands = q8_operands(&p, &memory, GUARD_AFTER, table),
            .finish = {.q8 = &p.finish.finish},
            .height = SOME,
            .width = SOME,
            .input_channels = 1,
            .output_channels = 1,
            .blocking = table->blocking,
        };
        table->pointwise(&args, all_of(SOME, 1));
        check_bytes(&output, golden, "residual", number, table);
        operands_free(&memory);
        free(golden);
    }
}

/* Every byte, in a channel of its own. */
Test(q8_golden, lookups) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    float values[256];
    uint8_t lookup[256];
    for (int32_t i = 0; i < 256; i++) values[i] = (float)i;
    complement(lookup);
    lookup[77] = 1;
    const mbn_q8_finish finish = {.lookup = lookup};
    for (int32_t t = 0; t < count; t++) {
        operands memory = {0};
        plane input = make_plane(&memory.input, values, 256, 1, 1);
        plane output = make_plane(&memory.output, NULL, 256, 1, 1);
        const mbn_elementwise_args args = {
            .input = input.view,
            .output = output.view,
            .finish = {.q8 = &finish},
            .height = 1,
            .width = 1,
            .channels = 256,
            .blocking = tables[t].blocking,
        };
        tables[t].batch_norm(&args, all_of(1, 256));
        check_bytes(&output, lookup, "lookup", 0, tables + t);
        operands_free(&memory);
    }
}

Test(q8_golden, products) {
    for (int32_t i = 0; i < COUNT(golden_products); i++) {
        const struct golden_product *g = golden_products + i;
        const mbn_q8_finish finish = {
            .rescaling = g->rescaling,
            .multiplier = g->multiplier,
            .input_zero = g->input_zero,
            .gate_zero = g->gate_zero,
            .zero_inside = g->zero_inside,
            .origin = g->origin,
            .range = g->range,
        };
        check_pairs(channel_scale_of, &finish, false, g->bytes, "product", i);
    }
}

/* ---- Pools ---------------------------------------------------------------------------------- */

Test(q8_golden, means) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    for (int32_t i = 0; i < COUNT(golden_means) * count; i++) {
        const mbn_kernels *table = tables + i % count;
        const struct golden_mean *g = golden_means + i / count;
        const int32_t pixels = g->height * g->width;
        uint8_t *bytes = unhex(g->input, (size_t)(pixels * g->channels));
        float *values = planar(bytes, pixels, g->channels);
        free(bytes);
        uint8_t *golden = unhex(g->bytes, (size_t)g->channels);
        operands memory = {0};
        plane input = make_plane(&memory.input, values, g->channels, g->height, g->width);
        plane output = make_plane(&memory.output, NULL, g->channels, 1, 1);
        float floats[256];
        for (int32_t k = 0; k < 256; k++) {
            const int32_t huge = k % 16 == 3 ? 1 << 30 : k % 16 == 7 ? -(1 << 30) : 0;
            floats[k] = (float)(k * k * 37 % 509 - 190 + huge) * g->mean.input_scale;
        }
        mbn_q8_finish finish = {.input_zero = g->input_zero, .range = g->range, .mean = g->mean};
        if (g->mean.kind == MBN_MEAN_VALUES) finish.mean.values = floats;
        const mbn_pool_args args = {
            .input = input.view,
            .output = output.view,
            .finish = {.q8 = &finish},
            .input_height = g->height,
            .input_width = g->width,
            .channels = g->channels,
            .blocking = table->blocking,
        };
        table->global_average_pool(&args, all_of(1, g->channels));
        check_bytes(&output, golden, "mean", i / count, table);
        operands_free(&memory);
        free(values);
        free(golden);
    }
}

Test(q8_golden, maxima) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    for (int32_t i = 0; i < COUNT(golden_maxima) * count; i++) {
        const mbn_kernels *table = tables + i % count;
        const struct golden_maximum *g = golden_maxima + i / count;
        float *values = planar_noise(g->seed, g->height * g->width, g->channels);
        uint8_t *golden =
            unhex(g->bytes, (size_t)(g->output_height * g->output_width * g->channels));
        operands memory = {0};
        plane input = make_plane(&memory.input, values, g->channels, g->height, g->width);
        plane output =
            make_plane(&memory.output, NULL, g->channels, g->output_height, g->output_width);
        const mbn_pool_args args = {
            .input = input.view,
            .output = output.view,
            .input_height = g->height,
            .input_width = g->width,
            .output_height = g->output_height,
            .output_width = g->output_width,
            .channels = g->channels,
            .window_height = g->window,
            .window_width = g->window,
            .stride_vertical = g->stride,
            .stride_horizontal = g->stride,
            .pad_top = g->pad_top,
            .pad_left = g->pad_left,
            .blocking = table->blocking,
        };
        table->max_pool(&args, all_of(g->output_height, g->channels));
        check_bytes(&output, golden, "maximum", i / count, table);
        operands_free(&memory);
        free(values);
        free(golden);
    }
}

/* ---- Ends ----------------------------------------------------------------------------------- */

/* Along a row of one channel. */
Test(q8_golden, ends) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    for (int32_t i = 0; i < COUNT(golden_ends) * count; i++) {
        const mbn_kernels *table = tables + i % count;
        const struct golden_end *g = golden_ends + i / count;
        const size_t floats_bytes = (size_t)g->count * sizeof(float);
        uint8_t *floats = unhex(g->floats, floats_bytes), *back = unhex(g->back, floats_bytes);
        uint8_t *golden = unhex(g->bytes, (size_t)g->count);
        operands memory = {0};
        plane blocked = make_plane(&memory.output, NULL, 1, 1, g->count);
        mbn_layout_args args = {
            .blocked = blocked.view,
            .strided = guarded_floats(&memory.input, (size_t)g->count, GUARD_AFTER),
            .channel_stride = 1,
            .strided_row_stride = g->count,
            .pixel_stride = 1,
            .height = 1,
            .width = g->count,
            .channels = 1,
            .blocking = table->blocking,
            .quantization = g->quantization,
        };
        memcpy(args.strided, floats, floats_bytes);
        table->to_blocked(&args, all_of(1, 1));
        check_bytes(&blocked, golden, "quantised row", i / count, table);
        table->from_blocked(&args, all_of(1, 1));
        for (int32_t k = 0; k < g->count; k++) {
            float expect;
            memcpy(&expect, back + (size_t)k * sizeof expect, sizeof expect);
            cr_assert(args.strided[k] == expect,
                      "%s: dequantised row %d: float %d is %.9g, not %.9g", table_text(table),
                      i / count, k, (double)args.strided[k], (double)expect);
        }
        operands_free(&memory);
        free(floats);
        free(back);
        free(golden);
    }
}

/* As TensorFlow Lite writes them: what rounds up to 2^31 is 2^30 and twice as much. */
Test(q8_golden, multipliers) {
    static const struct {
        double factor;
        int32_t fixed, shift;
    } cases[] = {
        {0.5, 1 << 30, 0},         {0.75, 3 << 29, 0},          {1.0, 1 << 30, 1},
        {1 - 0x1p-40, 1 << 30, 1}, {1 - 0x1p-31, INT32_MAX, 0}, {0x1p-32, 1 << 30, -31},
        {0x1p-33, 0, 0},           {0x1p40, INT32_MAX, 30},
    };
    for (int32_t i = 0; i < COUNT(cases); i++) {
        const mbn_multiplier got = mbn_multiplier_of(cases[i].factor);
        cr_expect(got.fixed == cases[i].fixed && got.shift == cases[i].shift,
                  "%g: %d, %d, not %d, %d", cases[i].factor, got.fixed, got.shift, cases[i].fixed,
                  cases[i].shift);
    }
}
