/* Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
 * https://arxiv.org/abs/1801.04381, table 2. */
#include "architecture.h"

#define ROW(expand, out, times, stride)                                                            \
    {                                                                                              \
        .kind = MBN_ROW_INVERTED_RESIDUAL, .kernel = 3, .expansion = expand,                       \
        .output_channels = out, .activation = MBN_ACTIVATION_RELU6, .stride_vertical = stride,     \
        .stride_horizontal = stride, .repeat = times                                               \
    }

static const mbn_row rows[] = {
    /* expand out repeat stride */
    ROW(1, 16, 1, 1), ROW(6, 24, 2, 2),  ROW(6, 32, 3, 2),  ROW(6, 64, 4, 2),
    ROW(6, 96, 3, 1), ROW(6, 160, 3, 2), ROW(6, 320, 1, 1),
};

static const mbn_conventions conventions[] = {
    {
        .source = MBN_SOURCE_TORCHVISION,
        .padding = MBN_PADDING_SYMMETRIC,
        .batch_norm_epsilon = 1e-5,
        .rounding = MBN_ROUND_TO_8,
        .row_rounding = MBN_ROUND_TO_8,
        .head = MBN_SCALED_UP,
        .expansion = MBN_TIMES_INPUT,
        .naming = &mbn_naming_torchvision_v2,
    },
    {
        .source = MBN_SOURCE_KERAS,
        .padding = MBN_PADDING_SAME,
        .batch_norm_epsilon = 1e-3,
        .rounding = MBN_ROUND_TO_8,
        .row_rounding = MBN_ROUND_DOWN_TO_8,
        .head = MBN_SCALED_UP,
        .expansion = MBN_TIMES_INPUT,
        .naming = &mbn_naming_keras_v2,
    },
};

const mbn_architecture mbn_mobilenet_v2 = {
    .name = "mobilenet_v2",
    .stem_channels = 32,
    .stem_stride_vertical = 2,
    .stem_stride_horizontal = 2,
    .stem_activation = MBN_ACTIVATION_RELU6,
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .head_channels = 1280,
    .head_activation = MBN_ACTIVATION_RELU6,
    .conventions = conventions,
    .convention_count = sizeof conventions / sizeof conventions[0],
};
