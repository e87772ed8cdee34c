/* The packed forms of q8, written out where the header says that they are. */
#include <mobilenet/kernels.h>

#include <criterion/criterion.h>
#include <string.h>

static const mbn_multiplier multipliers[] = {
    {0.5f, 1 << 30, 0, 0.25}, {1e-9f, 0, -3, 1e9}, {3.0f, INT32_MAX, 2, 1e-300}};
static const int32_t bias[] = {7, INT32_MIN, INT32_MAX};

enum { BLOCK = 2, BLOCKS = 2, CHANNELS = 3 }; /* one lane is past the channels */

static const char *pack(mbn_rescaling rescaling, size_t bytes) {
    static char packed[BLOCKS * BLOCK * 12];
    const mbn_pack_channels_args args = {
        .bias = bias,
        .multipliers = multipliers,
        .rescaling = rescaling,
        .channels = CHANNELS,
        .blocking = {BLOCK, 1, 1},
    };
    memset(packed, 0xEE, sizeof packed);
    cr_assert(mbn_pack_channels_q8(&args, NULL) == bytes);
    cr_assert(mbn_pack_channels_q8(&args, packed) == bytes);
    for (size_t i = bytes; i < sizeof packed; i++) cr_assert((unsigned char)packed[i] == 0xEE);
    return packed;
}

Test(pack_q8, channels_float) {
    const struct block {
        int32_t bias[BLOCK];
        float real[BLOCK];
    } expect[BLOCKS] = {{{7, INT32_MIN}, {0.5f, 1e-9f}}, {{INT32_MAX, 0}, {3.0f, 0.0f}}};
    cr_assert(memcmp(pack(MBN_RESCALE_FLOAT, sizeof expect), expect, sizeof expect) == 0);
}

Test(pack_q8, channels_fixed) {
    const struct block {
        int32_t bias[BLOCK], fixed[BLOCK], shift[BLOCK];
    } expect[BLOCKS] = {{{7, INT32_MIN}, {1 << 30, 0}, {0, -3}},
                        {{INT32_MAX, 0}, {INT32_MAX, 0}, {2, 0}}};
    cr_assert(memcmp(pack(MBN_RESCALE_FIXED, sizeof expect), expect, sizeof expect) == 0);
}

Test(pack_q8, channels_double) {
    const struct block {
        int32_t bias[BLOCK];
        double wide[BLOCK];
    } expect[BLOCKS] = {{{7, INT32_MIN}, {0.25, 1e9}}, {{INT32_MAX, 0}, {1e-300, 0.0}}};
    cr_assert(memcmp(pack(MBN_RESCALE_DOUBLE, sizeof expect), expect, sizeof expect) == 0);
}

/* What `scale` points to is not read. */
static const float *const nowhere = (const float *)64;

Test(pack_q8, convolution) {
    /* 3 outputs of 3 inputs, in pairs: a panel of 2 blocks. */
    static const int16_t weights[] = {1, -2, 3, 255, -255, 6, -7, 8, -128};
    static const int16_t expect[] = {1, -2, 255, -255, -7, 8, 0, 0, 3, 0, 6, 0, -128, 0, 0, 0};
    const mbn_pack_convolution_args args = {
        .weights = weights,
        .output_stride = 3,
        .input_stride = 1,
        .scale = nowhere,
        .output_channels = 3,
        .input_channels = 3,
        .kernel_height = 1,
        .kernel_width = 1,
        .blocking = {BLOCK, 2, 2},
        .wide = true,
    };
    int16_t packed[sizeof expect / sizeof *expect];
    cr_assert(mbn_pack_convolution_q8(&args, packed) == sizeof expect);
    cr_assert(memcmp(packed, expect, sizeof expect) == 0);
}

Test(pack_q8, depthwise) {
    /* 3 channels of 1x2 taps. */
    static const int16_t weights[] = {1, -2, 255, -255, -128, 127};
    static const int16_t expect[] = {1, 255, -2, -255, -128, 0, 127, 0};
    const mbn_pack_depthwise_args args = {
        .weights = weights,
        .channel_stride = 2,
        .row_stride = 2,
        .column_stride = 1,
        .scale = nowhere,
        .channels = 3,
        .kernel_height = 1,
        .kernel_width = 2,
        .blocking = {BLOCK, 1, 1},
        .wide = true,
    };
    int16_t packed[sizeof expect / sizeof *expect];
    cr_assert(mbn_pack_depthwise_q8(&args, packed) == sizeof expect);
    cr_assert(memcmp(packed, expect, sizeof expect) == 0);
}
