/* The MobileNetV3-small of a widely copied Keras tutorial (fanrencli.cn, "MobileNet", 2021), which
 * is not the paper's: its convolutions have a bias before the batch norm, every block expands (the
 * first from 16 to 16), RE is ReLU6, and squeeze-excite has C/4 units, ReLU6 and a gate of
 * hard-swish, so that a gate may be negative or far above 1. */
#include "architecture.h"

#define RE MBN_ACTIVATION_RELU6
#define HS MBN_ACTIVATION_HARD_SWISH
#define SE MBN_SQUEEZE_QUARTER
#define NO MBN_SQUEEZE_NONE

#define ROW(out, size, expand, stride, squeeze_excite, nonlinearity)                               \
    {                                                                                              \
        .kind = MBN_ROW_INVERTED_RESIDUAL, .kernel = size, .expansion = expand,                    \
        .output_channels = out, .squeeze = squeeze_excite, .activation = nonlinearity,             \
        .stride_vertical = stride, .stride_horizontal = stride, .repeat = 1                        \
    }

/* clang-format off */
static const mbn_row rows[] = {
    /* out kernel expand stride SE NL */
    ROW(16, 3,  16, 2, SE, RE),
    ROW(24, 3,  72, 2, NO, RE),
    ROW(24, 3,  88, 1, NO, RE),
    ROW(40, 5,  96, 2, SE, HS),
    ROW(40, 5, 240, 1, SE, HS),
    ROW(40, 5, 240, 1, SE, HS),
    ROW(48, 5, 120, 1, SE, HS),
    ROW(48, 5, 144, 1, SE, HS),
    ROW(96, 5, 288, 2, SE, HS),
    ROW(96, 5, 576, 1, SE, HS),
    ROW(96, 5, 576, 1, SE, HS),
};
/* clang-format on */

static const mbn_hidden hidden[] = {{1024, HS}};

static const mbn_conventions conventions[] = {
    {
        .source = MBN_SOURCE_KERAS,
        .padding = MBN_PADDING_SAME,
        .batch_norm_epsilon = 1e-3,
        .stem = MBN_FIXED,
        .head = MBN_FIXED,
        .hidden = MBN_FIXED,
        .expansion = MBN_FIXED,
        .naming = &mbn_naming_keras_automatic,
    },
};

const mbn_architecture mbn_mobilenet_v3_small_article = {
    .name = "mobilenet_v3_small_article",
    .fixed_width = true,
    .convolution_bias = true,
    .expand_always = true,
    .stem_channels = 16,
    .stem_stride_vertical = 2,
    .stem_stride_horizontal = 2,
    .stem_activation = HS,
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .squeeze_activation = MBN_ACTIVATION_RELU6,
    .gate = {HS, 1.0F / 6.0F, 0.5F},
    .head_channels = 576,
    .head_activation = HS,
    .hidden = hidden,
    .hidden_count = sizeof hidden / sizeof hidden[0],
    .conventions = conventions,
    .convention_count = sizeof conventions / sizeof conventions[0],
};
