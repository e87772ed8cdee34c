#include "harness.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int32_t panels[] = {1, 2, 4};

Test(pack, block_count) {
    cr_assert(mbn_block_count(1, 1) == 1);
    cr_assert(mbn_block_count(16, 8) == 2);
    cr_assert(mbn_block_count(17, 8) == 3);
    cr_assert(mbn_block_count(1, 16) == 1);
    cr_assert(mbn_block_count(INT32_MAX, 16) == 1 << 27);
}

/* Panels cover the blocks, none is wider than 3 or `panel`, and none of one block follows
 * another. */
Test(pack, panels_partition_the_blocks) {
    for (size_t i = 0; i < sizeof panels / sizeof *panels; i++) {
        int32_t panel = panels[i];
        for (int32_t blocks = 1; blocks <= 64; blocks++) {
            int32_t b = 0;
            while (b < blocks) {
                int32_t width = mbn_panel_width(blocks - b, panel);
                cr_assert(width >= 1 && width <= (panel == 2 ? 3 : panel), "panel %d, %d left: %d",
                          panel, blocks - b, width);
                cr_assert(width > 1 || panel == 1 || b == 0, "panel %d, %d blocks: one alone at %d",
                          panel, blocks, b);
                b += width;
            }
            cr_assert(b == blocks, "panel %d, %d blocks: covered %d", panel, blocks, b);
        }
    }
    static const int32_t widths[][3] = {{1, 2, 1}, {2, 2, 2}, {3, 2, 3}, {4, 2, 2},
                                        {5, 2, 2}, {1, 4, 1}, {3, 4, 3}, {4, 4, 4},
                                        {5, 4, 3}, {6, 4, 4}, {2, 1, 1}, {9, 1, 1}};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int32_t width = mbn_panel_width(widths[i][0], widths[i][1]);
        cr_assert(width == widths[i][2], "%d left, panel %d: %d", widths[i][0], widths[i][1],
                  width);
    }
}

/* Packed forms written out by hand; weight (n, c) is 10 n + c + 1. */
static void check_written_out(int32_t outputs, int32_t inputs, mbn_blocking blocking,
                              const float *expect, size_t count) {
    float weights[16], packed[16];
    for (int32_t i = 0; i < outputs * inputs; i++) {
        weights[i] = (float)(10 * (i / inputs) + i % inputs + 1);
    }
    const mbn_pack_convolution_args args = {
        .weights = weights,
        .output_stride = inputs,
        .input_stride = 1,
        .output_channels = outputs,
        .input_channels = inputs,
        .kernel_height = 1,
        .kernel_width = 1,
        .blocking = blocking,
    };
    cr_assert(count <= sizeof packed / sizeof *packed);
    cr_assert(mbn_pack_convolution(&args, NULL) == count * sizeof(float));
    cr_assert(mbn_pack_convolution(&args, packed) == count * sizeof(float));
    cr_assert(memcmp(packed, expect, count * sizeof(float)) == 0, "block %d, panel %d, depth %d",
              blocking.block, blocking.panel, blocking.depth);
}

Test(pack, written_out) {
    /* 5 outputs in blocks of 2: one panel of 3 blocks. */
    static const float wide[] = {1, 11, 21, 31, 41, 0, 2, 12, 22, 32, 42, 0};
    check_written_out(5, 2, (mbn_blocking){2, 2, 1}, wide, sizeof wide / sizeof *wide);
    /* 3 inputs in pairs, 3 outputs in two panels of a block of 2. */
    static const float deep[] = {1, 2, 11, 12, 3, 0, 13, 0, 21, 22, 0, 0, 23, 0, 0, 0};
    check_written_out(3, 3, (mbn_blocking){2, 1, 2}, deep, sizeof deep / sizeof *deep);
}

typedef struct kernel_shape {
    int32_t outputs, inputs, height, width;
} kernel_shape;

/* Element (n, c, ky, kx) of OIHW. */
static size_t oihw(const kernel_shape *s, int32_t n, int32_t c, int32_t ky, int32_t kx) {
    return (size_t)(((n * s->inputs + c) * s->height + ky) * s->width + kx);
}

static size_t hwio(const kernel_shape *s, int32_t n, int32_t c, int32_t ky, int32_t kx) {
    return (size_t)(((ky * s->width + kx) * s->inputs + c) * s->outputs + n);
}

/* Of every tap, with those that are rounded up to depth. */
static int32_t tap_inputs(const kernel_shape *s, int32_t depth) {
    int32_t inputs = s->inputs;
    while (inputs % depth != 0) inputs++;
    return inputs;
}

/* Where the header says that a weight is packed, in floats. */
static size_t packed_at(const kernel_shape *s, mbn_blocking blocking, int32_t n, int32_t c,
                        int32_t ky, int32_t kx) {
    const int32_t block = blocking.block, depth = blocking.depth;
    int32_t blocks = mbn_block_count(s->outputs, block), first = 0, width;
    for (;; first += width) {
        width = mbn_panel_width(blocks - first, blocking.panel);
        if (n / block < first + width) break;
    }
    int32_t inputs = tap_inputs(s, depth), all = s->height * s->width * inputs;
    int32_t k = (ky * s->width + kx) * inputs + c;
    return (size_t)(first * block * all + k / depth * width * block * depth +
                    (n - first * block) * depth + k % depth);
}

static void check_packed(const mbn_pack_convolution_args *args, const float *expect, size_t bytes,
                         guard_side side, const char *source) {
    static guarded memory;
    cr_assert(mbn_pack_convolution(args, NULL) == bytes, "%s: %s: %zu bytes, not %zu",
              described_case(), source, mbn_pack_convolution(args, NULL), bytes);
    float *packed = guarded_floats(&memory, bytes / sizeof(float), side);
    for (size_t i = 0; i < bytes / sizeof(float); i++) packed[i] = NAN;
    cr_assert(mbn_pack_convolution(args, packed) == bytes, "%s: %s", described_case(), source);
    cr_assert(memcmp(packed, expect, bytes) == 0, "%s: %s", described_case(), source);
}

static void check_convolution(const kernel_shape *s, mbn_blocking blocking, random_state *r) {
    const int32_t blocks = mbn_block_count(s->outputs, blocking.block);
    const size_t count = (size_t)(s->outputs * s->inputs * s->height * s->width);
    const size_t stride =
        (size_t)(blocking.block * s->height * s->width * tap_inputs(s, blocking.depth));
    const size_t bytes = (size_t)blocks * stride * sizeof(float);
    float *o = make_values(count, MBN_ELEMENT_F32, DATA_RANDOM, r), *h = malloc(count * sizeof *h);
    float *scale = make_values((size_t)s->outputs, MBN_ELEMENT_F32, DATA_RANDOM, r);
    float *expect = calloc(bytes, 1);
    cr_assert(h != NULL && expect != NULL);
    for (int32_t n = 0; n < s->outputs; n++) {
        for (int32_t c = 0; c < s->inputs; c++) {
            for (int32_t ky = 0; ky < s->height; ky++) {
                for (int32_t kx = 0; kx < s->width; kx++) {
                    float weight = o[oihw(s, n, c, ky, kx)];
                    h[hwio(s, n, c, ky, kx)] = weight;
                    expect[packed_at(s, blocking, n, c, ky, kx)] = weight * scale[n];
                }
            }
        }
    }
    describe_case("pack %d outputs %d inputs kernel %dx%d, block %d panel %d depth %d", s->outputs,
                  s->inputs, s->height, s->width, blocking.block, blocking.panel, blocking.depth);
    mbn_pack_convolution_args args = {
        .weights = o,
        .output_stride = s->inputs * s->height * s->width,
        .input_stride = s->height * s->width,
        .row_stride = s->width,
        .column_stride = 1,
        .scale = scale,
        .output_channels = s->outputs,
        .input_channels = s->inputs,
        .kernel_height = s->height,
        .kernel_width = s->width,
        .blocking = blocking,
    };
    check_packed(&args, expect, bytes, GUARD_AFTER, "OIHW");

    args.weights = h;
    args.output_stride = 1;
    args.input_stride = s->outputs;
    args.row_stride = s->width * s->inputs * s->outputs;
    args.column_stride = s->inputs * s->outputs;
    check_packed(&args, expect, bytes, GUARD_BEFORE, "HWIO");
    free(o);
    free(h);
    free(scale);
    free(expect);
}

/* Inputs of less than a depth, and of several times what is packed at a time. */
Test(pack, convolution) {
    static const int32_t blocks[] = {1, 4, 8, 16}, depths[] = {1, 2, 4, 8};
    random_state r = {61};
    for (int32_t outputs = 1; outputs <= 40; outputs++) {
        const int32_t inputs = random_int(&r, 1, outputs % 2 == 0 ? 9 : 50);
        const kernel_shape s = {outputs, inputs, random_int(&r, 1, 3), random_int(&r, 1, 3)};
        for (size_t i = 0; i < 4 * 3 * 4; i++) {
            const mbn_blocking blocking = {blocks[i / 12], panels[i / 4 % 3], depths[i % 4]};
            check_convolution(&s, blocking, &r);
        }
    }
}

Test(pack, depthwise) {
    static const int32_t blocks[] = {1, 4, 8, 16};
    enum { KH = 3, KW = 5, MOST = 40 };
    random_state r = {62};
    guarded memory = {0};
    for (int32_t channels = 1; channels <= MOST; channels++) {
        float torch[MOST * KH * KW], keras[MOST * KH * KW], scale[MOST];
        for (int32_t c = 0; c < channels; c++) {
            scale[c] = random_float(&r, -1.0f, 1.0f);
            for (int32_t k = 0; k < KH * KW; k++) {
                torch[c * KH * KW + k] = keras[k * channels + c] = random_float(&r, -1.0f, 1.0f);
            }
        }
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            int32_t block = blocks[b], padded = (channels + block - 1) / block * block;
            const size_t bytes = (size_t)(padded * KH * KW) * sizeof(float);
            for (int32_t source = 0; source < 2; source++) {
                bool is_torch = source == 0;
                const mbn_pack_depthwise_args args = {
                    .weights = is_torch ? torch : keras,
                    .channel_stride = is_torch ? KH * KW : 1,
                    .row_stride = is_torch ? KW : KW * channels,
                    .column_stride = is_torch ? 1 : channels,
                    .scale = scale,
                    .channels = channels,
                    .kernel_height = KH,
                    .kernel_width = KW,
                    .blocking = {.block = block, .panel = 1, .depth = 1},
                };
                cr_assert(mbn_pack_depthwise(&args, NULL) == bytes);
                float *packed = guarded_floats(&memory, bytes / sizeof(float),
                                               is_torch ? GUARD_AFTER : GUARD_BEFORE);
                for (size_t i = 0; i < bytes / sizeof(float); i++) packed[i] = NAN;
                cr_assert(mbn_pack_depthwise(&args, packed) == bytes);
                for (int32_t c = 0; c < padded; c++) {
                    for (int32_t k = 0; k < KH * KW; k++) {
                        float actual = packed[c / block * KH * KW * block + k * block + c % block];
                        float expect = c < channels ? torch[c * KH * KW + k] * scale[c] : 0.0f;
                        cr_assert(actual == expect, "%s, %d channels, block %d: (%d, %d)",
                                  is_torch ? "PyTorch" : "Keras", channels, block, c, k);
                    }
                }
            }
        }
    }
    guarded_free(&memory);
}

Test(pack, vector) {
    guarded memory = {0};
    random_state r = {63};
    for (int32_t channels = 1; channels <= 40; channels++) {
        float *values = make_values((size_t)channels, MBN_ELEMENT_F32, DATA_RANDOM, &r);
        for (int32_t block = 1; block <= 16; block *= 2) {
            int32_t padded = (channels + block - 1) / block * block;
            float *packed = guarded_floats(&memory, (size_t)padded, GUARD_AFTER);
            for (int32_t given = 0; given < 2; given++) {
                for (int32_t c = 0; c < padded; c++) packed[c] = NAN;
                mbn_pack_vector(given ? values : NULL, channels, block, packed);
                for (int32_t c = 0; c < padded; c++) {
                    float expect = given && c < channels ? values[c] : 0.0f;
                    cr_assert(packed[c] == expect, "%d channels, block %d, %d: %g", channels, block,
                              c, (double)packed[c]);
                }
            }
        }
        free(values);
    }
    guarded_free(&memory);
}

/* Nearest float, or its neighbour where the double before rounding differs in its last bits. */
static bool nearly(float actual, double expect) {
    return fabs((double)actual - expect) <= 0x1p-24 * 1.001 * fabs(expect) + 0x1p-149;
}

Test(pack, batch_norm) {
    enum { CHANNELS = 300 };
    static const double epsilons[] = {1e-3, 1e-5, 0.0};
    random_state r = {64};
    float gamma[CHANNELS], beta[CHANNELS], mean[CHANNELS], variance[CHANNELS], bias[CHANNELS];
    for (int32_t c = 0; c < CHANNELS; c++) {
        gamma[c] = random_float(&r, -2.0f, 2.0f);
        beta[c] = random_float(&r, -2.0f, 2.0f);
        mean[c] = random_float(&r, -2.0f, 2.0f);
        variance[c] = ldexpf(random_float(&r, 0.5f, 1.0f), random_int(&r, -40, 10));
        bias[c] = random_float(&r, -2.0f, 2.0f);
    }
    for (size_t i = 0; i < sizeof epsilons / sizeof *epsilons; i++) {
        for (int32_t given = 0; given < 8; given++) {
            const float *g = given & 1 ? gamma : NULL, *b = given & 2 ? beta : NULL;
            const float *own = given & 4 ? bias : NULL;
            float scale[CHANNELS], shift[CHANNELS];
            mbn_fold_batch_norm(CHANNELS, g, b, mean, variance, own, epsilons[i], scale, shift);
            for (int32_t c = 0; c < CHANNELS; c++) {
                /* (x + bias - mean) / sqrt(variance + epsilon) * gamma + beta, as a line in x */
                double deviation = sqrt((double)variance[c] + epsilons[i]);
                double slope = (g != NULL ? (double)g[c] : 1.0) / deviation;
                double at_zero = ((own != NULL ? (double)own[c] : 0.0) - (double)mean[c]) /
                                     deviation * (g != NULL ? (double)g[c] : 1.0) +
                                 (b != NULL ? (double)b[c] : 0.0);
                cr_assert(nearly(scale[c], slope), "scale %d: %.9g, not %.9g", c, (double)scale[c],
                          slope);
                cr_assert(nearly(shift[c], at_zero), "shift %d: %.9g, not %.9g", c,
                          (double)shift[c], at_zero);
            }
        }
    }
}
