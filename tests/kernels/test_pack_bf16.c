/* The packed forms of bfloat16, element by element where the header says that they are. */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 * 50 * 3 * 3 };

static uint16_t rounded(float value) {
    uint16_t element;
    element_type_of(MBN_ELEMENT_BF16)->store(&element, value);
    return element;
}

/* A packer's result, all of it written and nothing else. */
static void check(const uint16_t *expect, size_t count, size_t bytes, const uint16_t *packed) {
    cr_assert(bytes == count * sizeof *expect, "%s: %zu bytes, not %zu", described_case(), bytes,
              count * sizeof *expect);
    for (size_t i = 0; packed != NULL && i < count; i++) {
        cr_assert(packed[i] == expect[i], "%s: element %zu is %04X, not %04X", described_case(), i,
                  packed[i], expect[i]);
    }
}

typedef struct shape {
    int32_t outputs, inputs, height, width;
} shape;

/* [K / depth][v * B][depth] of every panel, in the order in which it stands in memory. */
static size_t expect_convolution(const mbn_pack_convolution_args *a, uint16_t *expect) {
    const float *weights = a->weights;
    const int32_t block = a->blocking.block, depth = a->blocking.depth;
    const int32_t blocks = mbn_block_count(a->output_channels, block);
    size_t count = 0;
    for (int32_t b = 0, width; b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, a->blocking.panel);
        for (int32_t tap = 0; tap < a->kernel_height * a->kernel_width; tap++) {
            const ptrdiff_t at =
                tap / a->kernel_width * a->row_stride + tap % a->kernel_width * a->column_stride;
            for (int32_t c = 0; c < a->input_channels; c += depth) {
                for (int32_t i = 0; i < width * block * depth; i++) {
                    const int32_t n = b * block + i / depth, k = c + i % depth;
                    const bool exists = n < a->output_channels && k < a->input_channels;
                    float weight = 0.0f;
                    if (exists) {
                        weight = weights[n * a->output_stride + k * a->input_stride + at];
                        if (a->scale != NULL) weight *= a->scale[n];
                    }
                    expect[count++] = rounded(weight);
                }
            }
        }
    }
    return count;
}

static void check_convolution(const mbn_pack_convolution_args *args, guard_side side) {
    static guarded memory;
    static uint16_t expect[64 * 64 * 9];
    describe_case(
        "pack %d outputs %d inputs kernel %dx%d, block %d panel %d depth %d, output stride "
        "%td, scale %s",
        args->output_channels, args->input_channels, args->kernel_height, args->kernel_width,
        args->blocking.block, args->blocking.panel, args->blocking.depth, args->output_stride,
        args->scale != NULL ? "given" : "none");
    const size_t count = expect_convolution(args, expect);
    cr_assert(count <= sizeof expect / sizeof *expect);
    check(expect, count, mbn_pack_convolution_bf16(args, NULL), NULL);
    uint16_t *packed = guarded_elements(&memory, count, sizeof *packed, side);
    memset(packed, 0xA5, count * sizeof *packed);
    const size_t bytes = mbn_pack_convolution_bf16(args, packed);
    check(expect, count, bytes, packed);
}

Test(pack_bf16, convolution) {
    static const mbn_blocking blockings[] = {{1, 1, 1}, {4, 4, 1}, {4, 1, 2},  {4, 4, 4},
                                             {8, 1, 2}, {8, 2, 2}, {16, 1, 2}, {16, 2, 2}};
    random_state r = {71};
    for (int32_t outputs = 1; outputs <= 40; outputs++) {
        const shape s = {outputs, random_int(&r, 1, outputs % 2 == 0 ? 9 : 50),
                         random_int(&r, 1, 3), random_int(&r, 1, 3)};
        float *weights = make_values(MOST, MBN_ELEMENT_F32, DATA_RANDOM, &r);
        float *scale = make_values((size_t)outputs, MBN_ELEMENT_F32, DATA_RANDOM, &r);
        for (size_t i = 0; i < sizeof blockings / sizeof *blockings * 4; i++) {
            const bool is_torch = i % 2 == 0;
            const mbn_pack_convolution_args args = {
                .weights = weights,
                .output_stride = is_torch ? s.inputs * s.height * s.width : 1,
                .input_stride = is_torch ? s.height * s.width : s.outputs,
                .row_stride = is_torch ? s.width : s.width * s.inputs * s.outputs,
                .column_stride = is_torch ? 1 : s.inputs * s.outputs,
                .scale = i / 2 % 2 == 0 ? scale : NULL,
                .output_channels = s.outputs,
                .input_channels = s.inputs,
                .kernel_height = s.height,
                .kernel_width = s.width,
                .blocking = blockings[i / 4],
            };
            check_convolution(&args, is_torch ? GUARD_AFTER : GUARD_BEFORE);
        }
        free(weights);
        free(scale);
    }
}

/* pairs: [channels / B][KH][KW / 2][B][2]; else [channels / B][KH][KW][B]. */
static size_t expect_depthwise(const mbn_pack_depthwise_args *a, bool pairs, uint16_t *expect) {
    const float *weights = a->weights;
    const int32_t block = a->blocking.block, together = pairs ? 2 : 1;
    const int32_t blocks = mbn_block_count(a->channels, block);
    size_t count = 0;
    for (int32_t row = 0; row < blocks * a->kernel_height; row++) {
        const int32_t ky = row % a->kernel_height;
        for (int32_t first = 0; first < a->kernel_width; first += together) {
            for (int32_t i = 0; i < block * together; i++) {
                const int32_t c = row / a->kernel_height * block + i / together;
                const int32_t kx = first + i % together;
                float weight = 0.0f;
                if (c < a->channels && kx < a->kernel_width) {
                    weight =
                        weights[c * a->channel_stride + ky * a->row_stride + kx * a->column_stride];
                    if (a->scale != NULL) weight *= a->scale[c];
                }
                expect[count++] = rounded(weight);
            }
        }
    }
    return count;
}

static void check_depthwise(const mbn_pack_depthwise_args *args, bool pairs, guard_side side) {
    static guarded memory;
    static uint16_t expect[48 * 5 * 6];
    mbn_pack_depthwise_fn *const pack =
        pairs ? mbn_pack_depthwise_bf16_pairs : mbn_pack_depthwise_bf16;
    describe_case("pack %d channels kernel %dx%d%s, block %d, channel stride %td, scale %s",
                  args->channels, args->kernel_height, args->kernel_width, pairs ? " by pairs" : "",
                  args->blocking.block, args->channel_stride,
                  args->scale != NULL ? "given" : "none");
    const size_t count = expect_depthwise(args, pairs, expect);
    cr_assert(count <= sizeof expect / sizeof *expect);
    check(expect, count, pack(args, NULL), NULL);
    uint16_t *packed = guarded_elements(&memory, count, sizeof *packed, side);
    memset(packed, 0xA5, count * sizeof *packed);
    const size_t bytes = pack(args, packed);
    check(expect, count, bytes, packed);
}

Test(pack_bf16, depthwise) {
    static const int32_t blocks[] = {1, 4, 8, 16}, kernels[][2] = {{3, 3}, {5, 5}, {3, 4}, {1, 2}};
    random_state r = {72};
    for (int32_t channels = 1; channels <= 40; channels++) {
        float *weights = make_values(MOST, MBN_ELEMENT_F32, DATA_RANDOM, &r);
        float *scale = make_values((size_t)channels, MBN_ELEMENT_F32, DATA_RANDOM, &r);
        for (size_t i = 0; i < 4 * 4 * 8; i++) {
            const int32_t height = kernels[i / 8 % 4][0], width = kernels[i / 8 % 4][1];
            const bool is_torch = i % 2 == 0;
            const mbn_pack_depthwise_args args = {
                .weights = weights,
                .channel_stride = is_torch ? height * width : 1,
                .row_stride = is_torch ? width : width * channels,
                .column_stride = is_torch ? 1 : channels,
                .scale = i / 2 % 2 == 0 ? scale : NULL,
                .channels = channels,
                .kernel_height = height,
                .kernel_width = width,
                .blocking = {.block = blocks[i / 32], .panel = 1, .depth = 2},
            };
            check_depthwise(&args, i / 4 % 2 == 0, is_torch ? GUARD_AFTER : GUARD_BEFORE);
        }
        free(weights);
        free(scale);
    }
}
