/* The networks as tables.  A table holds what the papers' tables hold; what frameworks do
 * differently about the same network (rounding of scaled channels, padding, epsilon, names) is a
 * `mbn_conventions` beside it.  network.c turns both into layers. */
#ifndef MBN_ARCH_ARCHITECTURE_H
#define MBN_ARCH_ARCHITECTURE_H

#include <mobilenet.h>

/* How a number of channels follows from the table's and the width multiplier. */
typedef enum mbn_scaling {
    MBN_SCALED,              /* times width, rounded by the conventions */
    MBN_SCALED_UP,           /* the same, but never below the table's: widths under 1 keep it */
    MBN_FIXED,               /* the table's at every width */
    MBN_TIMES_INPUT,         /* the table's number times the layer's input channels */
    MBN_TIMES_INPUT_ROUNDED, /* times input channels over the input channels at width 1, rounded */
} mbn_scaling;

typedef enum mbn_rounding {
    MBN_ROUND_DOWN,      /* int(channels * width) */
    MBN_ROUND_TO_8,      /* to the nearest multiple of 8, at least 8, never below 90 % */
    MBN_ROUND_DOWN_TO_8, /* the first, then the second */
} mbn_rounding;

typedef enum mbn_row_kind {
    MBN_ROW_SEPARABLE,        /* depthwise, pointwise; both with the row's activation */
    MBN_ROW_INVERTED_RESIDUAL /* expand, depthwise, squeeze-excite, linear projection; the input is
                                 added where stride 1 and equal channels allow it */
} mbn_row_kind;

/* Values of mbn_row.squeeze besides a number of channels. */
enum { MBN_SQUEEZE_NONE = 0, MBN_SQUEEZE_QUARTER = -1, MBN_SQUEEZE_QUARTER_ROUNDED = -2 };

typedef struct mbn_row {
    mbn_row_kind kind;
    int32_t kernel;
    int32_t expansion; /* inverted residual only; mbn_conventions.expansion says of what kind;
                          0: no expand layer */
    int32_t output_channels;
    int32_t squeeze; /* channels between squeeze and excite, or one of MBN_SQUEEZE_... */
    mbn_activation_kind activation;
    int32_t stride_vertical, stride_horizontal; /* of the first repetition; the others have 1 */
    int32_t repeat;
    bool no_residual; /* the input is not added, even where strides and channels allow it */
    bool own_squeeze_activation; /* instead of the table's: */
    mbn_activation_kind squeeze_activation;
} mbn_row;

typedef struct mbn_naming mbn_naming; /* names.c */

/* What one framework does with a network. */
typedef struct mbn_conventions {
    mbn_source source;
    mbn_padding padding;
    double batch_norm_epsilon;
    mbn_rounding rounding;     /* of stem, head, hidden and expanded channels */
    mbn_rounding row_rounding; /* of the rows' output channels */
    mbn_scaling stem, head, hidden, expansion;
    const mbn_naming *naming;
} mbn_conventions;

/* A fully connected layer between the pool and the logits. */
typedef struct mbn_hidden {
    int32_t channels;
    mbn_activation_kind activation;
} mbn_hidden;

typedef struct mbn_architecture {
    const char *name;
    bool fixed_width;      /* the width multiplier is 1 */
    bool convolution_bias; /* convolutions have a bias besides their batch norm */
    bool folded;        /* no batch norm: convolutions have weights and a bias with it folded in */
    bool expand_always; /* there is an expand layer even where it keeps the number of channels */
    int32_t stem_channels; /* 3x3 */
    int32_t stem_stride_vertical, stem_stride_horizontal;
    mbn_activation_kind stem_activation;
    const mbn_row *rows;
    int32_t row_count;
    mbn_activation_kind squeeze_activation;
    mbn_activation gate;
    int32_t head_channels; /* 1x1 convolution after the rows; 0: none */
    mbn_activation_kind head_activation;
    int32_t head_max_pool_window, head_max_pool_stride; /* before the global pool; 0: none */
    bool global_max_pool; /* the global pool takes the maximum of a plane, not its mean */
    const mbn_hidden *hidden;
    int32_t hidden_count;
    bool no_logits;                     /* the last hidden layer, or the pool, is the last layer */
    const mbn_conventions *conventions; /* the default first */
    int32_t convention_count;
} mbn_architecture;

/* The common hard sigmoid: ReLU6(x + 3) / 6. */
#define MBN_HARD_SIGMOID_GATE                                                                      \
    { MBN_ACTIVATION_HARD_SIGMOID, 1.0F / 6.0F, 0.5F }

extern const mbn_architecture mbn_mobilenet_v1;
extern const mbn_architecture mbn_mobilenet_v2;
extern const mbn_architecture mbn_mobilenet_v3_small;
extern const mbn_architecture mbn_mobilenet_v3_large;
extern const mbn_architecture mbn_mobilenet_v3_small_article;

extern const mbn_naming mbn_naming_torchvision_v2;
extern const mbn_naming mbn_naming_torchvision_v3;
extern const mbn_naming mbn_naming_keras_v1;
extern const mbn_naming mbn_naming_keras_v2;
extern const mbn_naming mbn_naming_keras_v3;
extern const mbn_naming mbn_naming_keras_automatic;

/* A table of names as a network's own table calls it ("torchvision_v2"), and the other way round;
 * NULL if there is none. */
const mbn_naming *mbn_naming_find(const char *name);
const char *mbn_naming_name(const mbn_naming *naming);

/* NULL if there is none of that name. */
const mbn_architecture *mbn_architecture_find(const char *name);

/* NULL if the framework does not have the network.  DEFAULT finds the first. */
const mbn_conventions *mbn_architecture_conventions(const mbn_architecture *architecture,
                                                    mbn_source source);

/* As the model file has them: "torchvision", "keras"; "same", "symmetric", "trailing".  NULL for
 * DEFAULT and anything else. */
const char *mbn_source_name(mbn_source source);
const char *mbn_padding_name(mbn_padding padding);
/* As a table says it; NULL for other values. */
const char *mbn_activation_name(mbn_activation_kind kind);

/* Lays out any table: mbn_network_create without the look-up of options->network. */
mbn_status mbn_network_layout(const mbn_architecture *architecture,
                              const mbn_network_options *options, mbn_network **network,
                              mbn_error *error);

/* The layer whose output is the pooled vector, the backbone's last. */
int32_t mbn_head_pool(const mbn_network *network);

/* Fills in name, batch_norm_name and matrix of every layer. */
void mbn_name_layers(const mbn_naming *naming, mbn_layer *layers, int32_t count);

/* Fills in what depends on the size of the input: sizes of the layers' planes, their padding,
 * windows of global pools, multiply-adds.  False if a window does not fit its plane. */
bool mbn_size_layers(mbn_padding padding, int32_t input_height, int32_t input_width,
                     mbn_layer *layers, int32_t count);

/* The same network for another input size (0: its own), as mbn_network_create makes them. */
mbn_status mbn_network_resize(const mbn_network *network, int32_t input_height, int32_t input_width,
                              mbn_network **resized, mbn_error *error);

/* Reads a table from JSON, the model file's metadata `architecture` (docs/model-format.md).  It has
 * torchvision's conventions and every number as it stands.  `name` has to outlive it; free it with
 * free. */
mbn_status mbn_architecture_parse(const char *json, const char *name,
                                  mbn_architecture **architecture, mbn_error *error);

#endif
