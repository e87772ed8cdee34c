/* Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
 * Applications", https://arxiv.org/abs/1704.04861, table 1.  The table gives the last depthwise
 * convolution a stride of 2; its shapes, and every implementation, have 1. */
#include "architecture.h"

#define ROW(out, times, stride)                                                                    \
    {                                                                                              \
        .kind = MBN_ROW_SEPARABLE, .kernel = 3, .output_channels = out,                            \
        .activation = MBN_ACTIVATION_RELU6, .stride_vertical = stride,                             \
        .stride_horizontal = stride, .repeat = times                                               \
    }

static const mbn_row rows[] = {
    /*  out repeat stride */
    ROW(64, 1, 1),  ROW(128, 1, 2), ROW(128, 1, 1),  ROW(256, 1, 2),  ROW(256, 1, 1),
    ROW(512, 1, 2), ROW(512, 5, 1), ROW(1024, 1, 2), ROW(1024, 1, 1),
};

static const mbn_conventions conventions[] = {
    {
        .source = MBN_SOURCE_KERAS,
        .padding = MBN_PADDING_SAME,
        .batch_norm_epsilon = 1e-3,
        .rounding = MBN_ROUND_DOWN,
        .row_rounding = MBN_ROUND_DOWN,
        .naming = &mbn_naming_keras_v1,
    },
};

const mbn_architecture mbn_mobilenet_v1 = {
    .name = "mobilenet_v1",
    .stem_channels = 32,
    .stem_stride_vertical = 2,
    .stem_stride_horizontal = 2,
    .stem_activation = MBN_ACTIVATION_RELU6,
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .conventions = conventions,
    .convention_count = sizeof conventions / sizeof conventions[0],
};
