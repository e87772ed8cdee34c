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

/* Panels cover the blocks, none is wider than 3 or `panel`, and none of one block follows another. */
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

/* Written out by hand: 5 outputs of 2 inputs in blocks of 2, so a panel of 3 blocks; weight (n, c) is
 * 10 n + c + 1. */
Test(pack, written_out) {
    static const float weights[] = {1, 2, 11, 12, 21, 22, 31, 32, 41, 42};
    static const float expect[] = {1, 11, 21, 31, 41, 0, 2, 12, 22, 32, 42, 0};
    float packed[12];
    cr_assert(mbn_packed_convolution_size(5, 2, 1, 1, 2) == 12);
    mbn_pack_convolution(
        &(mbn_pack_convolution_args){
            .weights = weights,
            .output_stride = 2,
            .input_stride = 1,
            .output_channels = 5,
            .input_channels = 2,
            .kernel_height = 1,
            .kernel_width = 1,
            .block = 2,
            .panel = 2,
        },
        packed);
    cr_assert(memcmp(packed, expect, sizeof expect) == 0);
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

/* Where the header says that a weight is packed. */
static size_t packed_at(const kernel_shape *s, int32_t block, int32_t panel, int32_t n, int32_t c,
                        int32_t ky, int32_t kx) {
    int32_t blocks = mbn_block_count(s->outputs, block), first = 0, width;
    for (;; first += width) {
        width = mbn_panel_width(blocks - first, panel);
        if (n / block < first + width) break;
    }
    int32_t depth = s->height * s->width * s->inputs;
    int32_t k = (ky * s->width + kx) * s->inputs + c;
    return (size_t)(first * block * depth + k * width * block + n - first * block);
}

static void check_convolution(const kernel_shape *s, int32_t block, int32_t panel,
                              random_state *r) {
    static guarded memory[2];
    size_t count = (size_t)(s->outputs * s->inputs * s->height * s->width);
    size_t size = mbn_packed_convolution_size(s->outputs, s->inputs, s->height, s->width, block);
    float *o = make_values(count, DATA_RANDOM, r), *h = malloc(count * sizeof *h);
    float *scale = make_values((size_t)s->outputs, DATA_RANDOM, r);
    float *expect = calloc(size, sizeof *expect);
    cr_assert(h != NULL && expect != NULL);
    for (int32_t n = 0; n < s->outputs; n++) {
        for (int32_t c = 0; c < s->inputs; c++) {
            for (int32_t ky = 0; ky < s->height; ky++) {
                for (int32_t kx = 0; kx < s->width; kx++) {
                    float weight = o[oihw(s, n, c, ky, kx)];
                    h[hwio(s, n, c, ky, kx)] = weight;
                    expect[packed_at(s, block, panel, n, c, ky, kx)] = weight * scale[n];
                }
            }
        }
    }
    describe_case("pack %d outputs %d inputs kernel %dx%d, block %d panel %d", s->outputs,
                  s->inputs, s->height, s->width, block, panel);
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
        .block = block,
        .panel = panel,
    };
    float *packed = guarded_floats(&memory[0], size, GUARD_AFTER);
    mbn_pack_convolution(&args, packed);
    cr_assert(memcmp(packed, expect, size * sizeof *packed) == 0, "%s: OIHW", described_case());

    args.weights = h;
    args.output_stride = 1;
    args.input_stride = s->outputs;
    args.row_stride = s->width * s->inputs * s->outputs;
    args.column_stride = s->inputs * s->outputs;
    packed = guarded_floats(&memory[1], size, GUARD_BEFORE);
    mbn_pack_convolution(&args, packed);
    cr_assert(memcmp(packed, expect, size * sizeof *packed) == 0, "%s: HWIO", described_case());
    free(o);
    free(h);
    free(scale);
    free(expect);
}

Test(pack, convolution) {
    static const int32_t blocks[] = {1, 4, 8, 16};
    random_state r = {61};
    for (int32_t outputs = 1; outputs <= 40; outputs++) {
        const kernel_shape s = {outputs, random_int(&r, 1, 9), random_int(&r, 1, 3),
                                random_int(&r, 1, 3)};
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            for (size_t p = 0; p < sizeof panels / sizeof *panels; p++) {
                check_convolution(&s, blocks[b], panels[p], &r);
            }
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
            size_t size = mbn_packed_depthwise_size(channels, KH, KW, block);
            cr_assert(size == (size_t)(padded * KH * KW));
            for (int32_t source = 0; source < 2; source++) {
                bool is_torch = source == 0;
                float *packed =
                    guarded_floats(&memory, size, is_torch ? GUARD_AFTER : GUARD_BEFORE);
                mbn_pack_depthwise(
                    &(mbn_pack_depthwise_args){
                        .weights = is_torch ? torch : keras,
                        .channel_stride = is_torch ? KH * KW : 1,
                        .row_stride = is_torch ? KW : KW * channels,
                        .column_stride = is_torch ? 1 : channels,
                        .scale = scale,
                        .channels = channels,
                        .kernel_height = KH,
                        .kernel_width = KW,
                        .block = block,
                    },
                    packed);
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
        float *values = make_values((size_t)channels, DATA_RANDOM, &r);
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
