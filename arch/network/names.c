#include "names.h"

#include "architecture.h"

#include <stdio.h>
#include <string.h>

enum { ROLE_COUNT = MBN_ROLE_HEAD_GLOBAL_MAX_POOL + 1 };

/* Templates of names, by role.  In a template
 *     #  is the block: first_block for block 0 where that is given, else block_prefix and the
 *        block's number, counted from first_number; layers after the blocks have the next number
 *     %  is the number of modules before this one in its block (torch's nn.Sequential)
 *     +  is one more than that
 *     =  is three times the number of hidden layers before this one (each is a Linear, an
 *        activation and a dropout of an nn.Sequential)
 * With `automatic`, a template is a Keras class's name, and its n-th layer (from 0) gets "_n"
 * appended, but nothing for n = 0: what Keras calls layers that were given no name. */
struct mbn_naming {
    bool automatic;
    const char *first_block, *block_prefix;
    int32_t first_number;
    uint32_t dense; /* roles (1u << role) whose weights are a matrix; else a 1x1 convolution's */
    struct {
        const char *layer, *batch_norm;
    } roles[ROLE_COUNT];
};

const mbn_naming mbn_naming_torchvision_v2 = {
    .block_prefix = "features.",
    .first_number = 1,
    .dense = 1U << MBN_ROLE_LOGITS,
    .roles =
        {
            [MBN_ROLE_STEM] = {"features.0.0", "features.0.1"},
            [MBN_ROLE_EXPAND] = {"#.conv.%.0", "#.conv.%.1"},
            [MBN_ROLE_DEPTHWISE] = {"#.conv.%.0", "#.conv.%.1"},
            [MBN_ROLE_PROJECT] = {"#.conv.%", "#.conv.+"},
            [MBN_ROLE_HEAD] = {"#.0", "#.1"},
            [MBN_ROLE_HEAD_POOL] = {"avgpool", NULL},
            [MBN_ROLE_LOGITS] = {"classifier.1", NULL},
        },
};

const mbn_naming mbn_naming_torchvision_v3 = {
    .block_prefix = "features.",
    .first_number = 1,
    .dense = 1U << MBN_ROLE_HIDDEN | 1U << MBN_ROLE_LOGITS,
    .roles =
        {
            [MBN_ROLE_STEM] = {"features.0.0", "features.0.1"},
            [MBN_ROLE_EXPAND] = {"#.block.%.0", "#.block.%.1"},
            [MBN_ROLE_DEPTHWISE] = {"#.block.%.0", "#.block.%.1"},
            [MBN_ROLE_SQUEEZE_POOL] = {"#.block.%.avgpool", NULL},
            [MBN_ROLE_SQUEEZE] = {"#.block.%.fc1", NULL},
            [MBN_ROLE_EXCITE] = {"#.block.%.fc2", NULL},
            [MBN_ROLE_SCALE] = {"#.block.%.scale", NULL},
            [MBN_ROLE_PROJECT] = {"#.block.%.0", "#.block.%.1"},
            [MBN_ROLE_HEAD] = {"#.0", "#.1"},
            [MBN_ROLE_HEAD_MAX_POOL] = {"maxpool", NULL},
            [MBN_ROLE_HEAD_GLOBAL_MAX_POOL] = {"globalmaxpool", NULL},
            [MBN_ROLE_HEAD_POOL] = {"avgpool", NULL},
            [MBN_ROLE_HIDDEN] = {"classifier.=", NULL},
            [MBN_ROLE_LOGITS] = {"classifier.=", NULL},
        },
};

const mbn_naming mbn_naming_keras_v1 = {
    .block_prefix = "",
    .first_number = 1,
    .roles =
        {
            [MBN_ROLE_STEM] = {"conv1", "conv1_bn"},
            [MBN_ROLE_DEPTHWISE] = {"conv_dw_#", "conv_dw_#_bn"},
            [MBN_ROLE_PROJECT] = {"conv_pw_#", "conv_pw_#_bn"},
            [MBN_ROLE_HEAD_POOL] = {"global_average_pooling2d", NULL},
            [MBN_ROLE_LOGITS] = {"conv_preds", NULL},
        },
};

const mbn_naming mbn_naming_keras_v2 = {
    .first_block = "expanded_conv",
    .block_prefix = "block_",
    .dense = 1U << MBN_ROLE_LOGITS,
    .roles =
        {
            [MBN_ROLE_STEM] = {"Conv1", "bn_Conv1"},
            [MBN_ROLE_EXPAND] = {"#_expand", "#_expand_BN"},
            [MBN_ROLE_DEPTHWISE] = {"#_depthwise", "#_depthwise_BN"},
            [MBN_ROLE_PROJECT] = {"#_project", "#_project_BN"},
            [MBN_ROLE_HEAD] = {"Conv_1", "Conv_1_bn"},
            [MBN_ROLE_HEAD_POOL] = {"global_average_pooling2d", NULL},
            [MBN_ROLE_LOGITS] = {"predictions", NULL},
        },
};

const mbn_naming mbn_naming_keras_v3 = {
    .first_block = "expanded_conv",
    .block_prefix = "expanded_conv_",
    .roles =
        {
            [MBN_ROLE_STEM] = {"conv", "conv_bn"},
            [MBN_ROLE_EXPAND] = {"#_expand", "#_expand_bn"},
            [MBN_ROLE_DEPTHWISE] = {"#_depthwise", "#_depthwise_bn"},
            [MBN_ROLE_SQUEEZE_POOL] = {"#_squeeze_excite_avg_pool", NULL},
            [MBN_ROLE_SQUEEZE] = {"#_squeeze_excite_conv", NULL},
            [MBN_ROLE_EXCITE] = {"#_squeeze_excite_conv_1", NULL},
            [MBN_ROLE_SCALE] = {"#_squeeze_excite_mul", NULL},
            [MBN_ROLE_PROJECT] = {"#_project", "#_project_bn"},
            [MBN_ROLE_HEAD] = {"conv_1", "conv_1_bn"},
            [MBN_ROLE_HEAD_POOL] = {"global_average_pooling2d", NULL},
            [MBN_ROLE_HIDDEN] = {"conv_2", NULL},
            [MBN_ROLE_LOGITS] = {"logits", NULL},
        },
};

#define CONV2D                                                                                     \
    { "conv2d", "batch_normalization" }

const mbn_naming mbn_naming_keras_automatic = {
    .automatic = true,
    .block_prefix = "",
    .dense = 1U << MBN_ROLE_SQUEEZE | 1U << MBN_ROLE_EXCITE,
    .roles =
        {
            [MBN_ROLE_STEM] = CONV2D,
            [MBN_ROLE_EXPAND] = CONV2D,
            [MBN_ROLE_DEPTHWISE] = {"depthwise_conv2d", "batch_normalization"},
            [MBN_ROLE_SQUEEZE_POOL] = {"global_average_pooling2d", NULL},
            [MBN_ROLE_SQUEEZE] = {"dense", NULL},
            [MBN_ROLE_EXCITE] = {"dense", NULL},
            [MBN_ROLE_SCALE] = {"multiply", NULL},
            [MBN_ROLE_PROJECT] = CONV2D,
            [MBN_ROLE_HEAD] = CONV2D,
            [MBN_ROLE_HEAD_MAX_POOL] = {"max_pooling2d", NULL},
            [MBN_ROLE_HEAD_GLOBAL_MAX_POOL] = {"global_max_pooling2d", NULL},
            [MBN_ROLE_HEAD_POOL] = {"global_average_pooling2d", NULL},
            [MBN_ROLE_HIDDEN] = CONV2D,
            [MBN_ROLE_LOGITS] = CONV2D,
        },
};

static const struct {
    const char *name;
    const mbn_naming *naming;
} namings[] = {
    {"torchvision_v2", &mbn_naming_torchvision_v2},
    {"torchvision_v3", &mbn_naming_torchvision_v3},
    {"keras_v1", &mbn_naming_keras_v1},
    {"keras_v2", &mbn_naming_keras_v2},
    {"keras_v3", &mbn_naming_keras_v3},
    {"keras_automatic", &mbn_naming_keras_automatic},
};

enum { NAMINGS = sizeof namings / sizeof *namings };

const mbn_naming *mbn_naming_find(const char *name) {
    for (size_t i = 0; i < NAMINGS; i++) {
        if (strcmp(namings[i].name, name) == 0) return namings[i].naming;
    }
    return NULL;
}

const char *mbn_naming_name(const mbn_naming *naming) {
    for (size_t i = 0; i < NAMINGS; i++) {
        if (namings[i].naming == naming) return namings[i].name;
    }
    return NULL;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

/* Where a layer stands, for its template. */
struct place {
    int32_t block;
    int32_t module;
    int32_t hidden;
};

static void append(char *text, size_t size, const char *more) {
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", more);
}

static void append_number(char *text, size_t size, int32_t number) {
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%d", (int)number);
}

static void expand(const mbn_naming *naming, const char *template, struct place place, char *text,
                   size_t size) {
    text[0] = '\0';
    for (const char *c = template; *c != '\0'; c++) {
        switch (*c) {
        case '#':
            if (place.block == 0 && naming->first_block != NULL) {
                append(text, size, naming->first_block);
            } else {
                append(text, size, naming->block_prefix);
                append_number(text, size, place.block + naming->first_number);
            }
            break;
        case '%': append_number(text, size, place.module); break;
        case '+': append_number(text, size, place.module + 1); break;
        case '=': append_number(text, size, 3 * place.hidden); break;
        default: append(text, size, (char[2]){*c, '\0'}); break;
        }
    }
}

static void name_by_place(const mbn_naming *naming, mbn_layer *layers, int32_t count) {
    struct place place = {0, 0, 0};
    for (int32_t i = 0; i < count; i++) {
        mbn_layer *layer = &layers[i];
        if (i > 0 && layer->block != layers[i - 1].block) {
            /* From the stem to block 0, from block to block, from the last block to the head. */
            place.block = layer->block >= 0 ? layer->block : layers[i - 1].block + 1;
            place.module = 0;
        }
        expand(naming, naming->roles[layer->role].layer, place, layer->name, sizeof layer->name);
        if (layer->batch_norm_statistics != 0)
            expand(naming, naming->roles[layer->role].batch_norm, place, layer->batch_norm_name,
                   sizeof layer->batch_norm_name);
        /* Squeeze-excite is one module, and its last layer is the scale. */
        if (layer->role == MBN_ROLE_EXPAND || layer->role == MBN_ROLE_DEPTHWISE ||
            layer->role == MBN_ROLE_SCALE)
            place.module++;
        if (layer->role == MBN_ROLE_HIDDEN) place.hidden++;
    }
}

static void name_automatically(const char *class, int32_t earlier, char *text, size_t size) {
    text[0] = '\0';
    append(text, size, class);
    if (earlier == 0) return;
    append(text, size, "_");
    append_number(text, size, earlier);
}

static void name_by_order(const mbn_naming *naming, mbn_layer *layers, int32_t count) {
    int32_t batch_norms = 0;
    for (int32_t i = 0; i < count; i++) {
        mbn_layer *layer = &layers[i];
        const char *class = naming->roles[layer->role].layer;
        int32_t earlier = 0;
        for (int32_t j = 0; j < i; j++) {
            if (strcmp(naming->roles[layers[j].role].layer, class) == 0) earlier++;
        }
        name_automatically(class, earlier, layer->name, sizeof layer->name);
        if (layer->batch_norm_statistics != 0)
            name_automatically(naming->roles[layer->role].batch_norm, batch_norms++,
                               layer->batch_norm_name, sizeof layer->batch_norm_name);
    }
}

void mbn_name_layers(const mbn_naming *naming, mbn_layer *layers, int32_t count) {
    for (int32_t i = 0; i < count; i++)
        layers[i].matrix = (naming->dense >> layers[i].role & 1U) != 0;
    if (naming->automatic)
        name_by_order(naming, layers, count);
    else
        name_by_place(naming, layers, count);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static const char *const suffixes[][MBN_PARAMETER_COUNT] = {
    [MBN_SOURCE_TORCHVISION] = {".weight", ".bias", ".weight", ".bias", ".running_mean",
                                ".running_var"},
    [MBN_SOURCE_KERAS] = {"/kernel", "/bias", "/gamma", "/beta", "/moving_mean",
                          "/moving_variance"},
};

static void describe_vector(const mbn_layer *layer, mbn_parameter_info *info) {
    info->rank = 1;
    info->shape[0] = layer->output_channels;
}

/* Four dimensions of a convolution's weights in the framework's order, and its strides. */
static void describe_weights(mbn_source source, const mbn_layer *layer, mbn_parameter_info *info) {
    const bool depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
    const ptrdiff_t rows = layer->kernel_height, columns = layer->kernel_width;
    const ptrdiff_t outputs = layer->output_channels;
    const ptrdiff_t inputs = depthwise ? 1 : layer->input_channels;
    info->rank = 4;
    if (source == MBN_SOURCE_TORCHVISION) {
        const int64_t shape[4] = {outputs, inputs, rows, columns};
        memcpy(info->shape, shape, sizeof shape);
        info->output_stride = inputs * rows * columns;
        info->input_stride = rows * columns;
        info->row_stride = columns;
        info->column_stride = 1;
    } else {
        /* Keras's depthwise kernels are [rows, columns, channels, 1]. */
        const int64_t shape[4] = {rows, columns, depthwise ? outputs : inputs,
                                  depthwise ? 1 : outputs};
        memcpy(info->shape, shape, sizeof shape);
        info->output_stride = 1;
        info->input_stride = outputs;
        info->row_stride = columns * inputs * outputs;
        info->column_stride = inputs * outputs;
    }
    if (depthwise) info->input_stride = 0;
}

/* A matrix instead of a 1x1 convolution: the same numbers in the same order. */
static void flatten_weights(mbn_source source, mbn_parameter_info *info) {
    info->rank = 2;
    if (source == MBN_SOURCE_KERAS) {
        info->shape[0] = info->shape[2];
        info->shape[1] = info->shape[3];
    }
    info->shape[2] = info->shape[3] = 0;
    info->row_stride = info->column_stride = 0;
}

bool mbn_layer_parameter(const mbn_network *network, const mbn_layer *layer,
                         mbn_parameter parameter, mbn_parameter_info *info) {
    const bool of_layer = parameter == MBN_WEIGHT || parameter == MBN_BIAS;
    if (parameter == MBN_WEIGHT && layer->weights == 0) return false;
    if (parameter == MBN_BIAS && !layer->bias) return false;
    if (!of_layer && layer->batch_norm_statistics == 0) return false;

    *info = (mbn_parameter_info){0};
    append(info->name, sizeof info->name, of_layer ? layer->name : layer->batch_norm_name);
    append(info->name, sizeof info->name, suffixes[network->source][parameter]);
    if (parameter != MBN_WEIGHT) {
        describe_vector(layer, info);
        return true;
    }
    describe_weights(network->source, layer, info);
    if (layer->matrix) flatten_weights(network->source, info);
    return true;
}
