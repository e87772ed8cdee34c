/* Howard et al. 2019, "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244, tables 1
 * (large) and 2 (small).  The head is 6 times as wide as the last bottleneck (960, 576); the
 * squeeze-excite that table 2 gives it is in no implementation. */
#include "architecture.h"

#define RE MBN_ACTIVATION_RELU
#define HS MBN_ACTIVATION_HARD_SWISH
#define SE MBN_SQUEEZE_QUARTER_ROUNDED
#define NO MBN_SQUEEZE_NONE

#define ROW(size, expand, out, squeeze_excite, nonlinearity, stride)                               \
    {                                                                                              \
        .kind = MBN_ROW_INVERTED_RESIDUAL, .kernel = size, .expansion = expand,                    \
        .output_channels = out, .squeeze = squeeze_excite, .activation = nonlinearity,             \
        .stride_vertical = stride, .stride_horizontal = stride, .repeat = 1                        \
    }

/* clang-format off */
static const mbn_row large[] = {
    /* kernel expand out  SE  NL stride */
    ROW(3,   16,  16, NO, RE, 1),
    ROW(3,   64,  24, NO, RE, 2),
    ROW(3,   72,  24, NO, RE, 1),
    ROW(5,   72,  40, SE, RE, 2),
    ROW(5,  120,  40, SE, RE, 1),
    ROW(5,  120,  40, SE, RE, 1),
    ROW(3,  240,  80, NO, HS, 2),
    ROW(3,  200,  80, NO, HS, 1),
    ROW(3,  184,  80, NO, HS, 1),
    ROW(3,  184,  80, NO, HS, 1),
    ROW(3,  480, 112, SE, HS, 1),
    ROW(3,  672, 112, SE, HS, 1),
    ROW(5,  672, 160, SE, HS, 2),
    ROW(5,  960, 160, SE, HS, 1),
    ROW(5,  960, 160, SE, HS, 1),
};

static const mbn_row small[] = {
    /* kernel expand out  SE  NL stride */
    ROW(3,   16,  16, SE, RE, 2),
    ROW(3,   72,  24, NO, RE, 2),
    ROW(3,   88,  24, NO, RE, 1),
    ROW(5,   96,  40, SE, HS, 2),
    ROW(5,  240,  40, SE, HS, 1),
    ROW(5,  240,  40, SE, HS, 1),
    ROW(5,  120,  48, SE, HS, 1),
    ROW(5,  144,  48, SE, HS, 1),
    ROW(5,  288,  96, SE, HS, 2),
    ROW(5,  576,  96, SE, HS, 1),
    ROW(5,  576,  96, SE, HS, 1),
};
/* clang-format on */

/* torchvision scales every number of the table; Keras keeps the stem's 16 and never shrinks the
 * hidden layer, and expands by the ratio of the table to what the input has become. */
static const mbn_conventions conventions[] = {
    {
        .source = MBN_SOURCE_TORCHVISION,
        .padding = MBN_PADDING_SYMMETRIC,
        .batch_norm_epsilon = 1e-3,
        .rounding = MBN_ROUND_TO_8,
        .row_rounding = MBN_ROUND_TO_8,
        .stem = MBN_SCALED,
        .head = MBN_TIMES_INPUT,
        .hidden = MBN_SCALED,
        .expansion = MBN_SCALED,
        .naming = &mbn_naming_torchvision_v3,
    },
    {
        .source = MBN_SOURCE_KERAS,
        .padding = MBN_PADDING_SAME,
        .batch_norm_epsilon = 1e-3,
        .rounding = MBN_ROUND_TO_8,
        .row_rounding = MBN_ROUND_TO_8,
        .stem = MBN_FIXED,
        .head = MBN_TIMES_INPUT,
        .hidden = MBN_SCALED_UP,
        .expansion = MBN_TIMES_INPUT_ROUNDED,
        .naming = &mbn_naming_keras_v3,
    },
};

#define V3(title, table, hidden_units)                                                             \
    {                                                                                              \
        .name = title, .stem_channels = 16, .stem_stride_vertical = 2,                             \
        .stem_stride_horizontal = 2, .stem_activation = HS, .rows = table,                         \
        .row_count = sizeof table / sizeof table[0], .squeeze_activation = MBN_ACTIVATION_RELU,    \
        .gate = MBN_HARD_SIGMOID_GATE, .head_channels = 6, .head_activation = HS,                  \
        .hidden = (const mbn_hidden[]){{hidden_units, HS}}, .hidden_count = 1,                     \
        .conventions = conventions,                                                                \
        .convention_count = sizeof conventions / sizeof conventions[0],                            \
    }

const mbn_architecture mbn_mobilenet_v3_small = V3("mobilenet_v3_small", small, 1024);
const mbn_architecture mbn_mobilenet_v3_large = V3("mobilenet_v3_large", large, 1280);
