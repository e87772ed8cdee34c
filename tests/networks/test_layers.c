/* Shapes, padding, indices and activations of the layers. */
#include "networks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* ---- Every network, every size --------------------------------------------------------------- */

static void check_direction(int32_t input, int32_t output, int32_t kernel, int32_t stride,
                            int32_t before, int32_t after, const char *name) {
    cr_expect(before >= 0 && after >= 0 && before < kernel && after < kernel, "%s", name);
    cr_expect_eq(output, (input + before + after - kernel) / stride + 1, "%s", name);
    cr_expect_gt(output, 0, "%s", name);
    /* Every window touches the plane. */
    cr_expect_lt((output - 1) * stride - before, input, "%s", name);
}

static void check_layer(const mbn_network *network, int32_t index) {
    const mbn_layer *layer = &network->layers[index];
    cr_expect_lt(layer->input, index);
    if (layer->input < 0) {
        cr_expect_eq(index, 0);
        cr_expect_eq(layer->input_height, network->input_height);
        cr_expect_eq(layer->input_width, network->input_width);
        cr_expect_eq(layer->input_channels, 3);
    } else {
        const mbn_layer *input = &network->layers[layer->input];
        cr_expect_eq(layer->input_height, input->output_height, "%s", layer->name);
        cr_expect_eq(layer->input_width, input->output_width, "%s", layer->name);
        cr_expect_eq(layer->input_channels, input->output_channels, "%s", layer->name);
    }
    check_direction(layer->input_height, layer->output_height, layer->kernel_height,
                    layer->stride_vertical, layer->pad_top, layer->pad_bottom, layer->name);
    check_direction(layer->input_width, layer->output_width, layer->kernel_width,
                    layer->stride_horizontal, layer->pad_left, layer->pad_right, layer->name);

    cr_expect_eq(layer->gate >= 0, layer->kind == MBN_LAYER_CHANNEL_SCALE, "%s", layer->name);
    if (layer->gate >= 0) {
        const mbn_layer *gate = &network->layers[layer->gate];
        cr_expect_eq(gate->role, MBN_ROLE_EXCITE);
        cr_expect_eq(gate->output_channels, layer->output_channels, "%s", layer->name);
        cr_expect_eq(gate->output_height * gate->output_width, 1);
    }
    if (layer->residual >= 0) {
        const mbn_layer *residual = &network->layers[layer->residual];
        cr_expect_eq(layer->role, MBN_ROLE_PROJECT);
        cr_expect_eq(residual->block, layer->block - 1, "%s", layer->name);
        cr_expect_eq(residual->output_height, layer->output_height, "%s", layer->name);
        cr_expect_eq(residual->output_width, layer->output_width, "%s", layer->name);
        cr_expect_eq(residual->output_channels, layer->output_channels, "%s", layer->name);
    }
    for (int32_t i = 0; i < index; i++) cr_expect_str_neq(network->layers[i].name, layer->name);
}

Test(layers, layers_fit_together) {
    static const int32_t sizes[][2] = {{32, 32},   {33, 32},     {47, 63},
                                       {97, 129},  {224, 224},   {225, 223},
                                       {32, 1024}, {1024, 1024}, {1023, 1021}};
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (int p = MBN_PADDING_SAME; p <= MBN_PADDING_TRAILING; p++) {
                const mbn_padding padding = (mbn_padding)p;
                for (int standard = 0; standard < 2; standard++) {
                    mbn_network *network = make_network(&(mbn_network_options){
                        .network = mbn_network_name(i),
                        .input_height = sizes[s][0],
                        .input_width = sizes[s][1],
                        .padding = padding,
                        .standard_convolution = standard != 0,
                    });
                    cr_expect_eq(network->padding, padding);
                    for (int32_t j = 0; j < network->layer_count; j++) check_layer(network, j);
                    mbn_network_free(network);
                }
            }
        }
    }
}

/* ---- Padding --------------------------------------------------------------------------------- */

struct padded {
    int32_t output, before, after;
};

/* Vertical direction of the layer of this role in a block, for an input of this height. */
static struct padded padded(const char *name, mbn_padding padding, int32_t height, int32_t block,
                            mbn_layer_role role) {
    mbn_network *network = make_network(&(mbn_network_options){
        .network = name, .input_height = height, .input_width = 50, .padding = padding});
    const mbn_layer *layer = find_layer(network, block, role);
    const struct padded p = {layer->output_height, layer->pad_top, layer->pad_bottom};
    mbn_network_free(network);
    return p;
}

static void expect_padded(struct padded p, int32_t output, int32_t before, int32_t after) {
    cr_expect_eq(p.output, output, "%d rows, not %d", p.output, output);
    cr_expect_eq(p.before, before, "%d before, not %d", p.before, before);
    cr_expect_eq(p.after, after, "%d after, not %d", p.after, after);
}

Test(layers, padding_of_the_stem) {
    static const char name[] = "mobilenet_v1";
    expect_padded(padded(name, MBN_PADDING_SAME, 64, -1, MBN_ROLE_STEM), 32, 0, 1);
    expect_padded(padded(name, MBN_PADDING_SAME, 65, -1, MBN_ROLE_STEM), 33, 1, 1);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 64, -1, MBN_ROLE_STEM), 32, 1, 1);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 65, -1, MBN_ROLE_STEM), 33, 1, 1);
    expect_padded(padded(name, MBN_PADDING_TRAILING, 64, -1, MBN_ROLE_STEM), 32, 0, 1);
    expect_padded(padded(name, MBN_PADDING_TRAILING, 65, -1, MBN_ROLE_STEM), 33, 1, 1);
}

/* v1's block 1 is the first with stride 2; it reads what the stem left: 32 or 33 rows. */
Test(layers, padding_of_depthwise_3x3_stride_2) {
    static const char name[] = "mobilenet_v1";
    expect_padded(padded(name, MBN_PADDING_SAME, 64, 1, MBN_ROLE_DEPTHWISE), 16, 0, 1);
    expect_padded(padded(name, MBN_PADDING_SAME, 65, 1, MBN_ROLE_DEPTHWISE), 17, 1, 1);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 64, 1, MBN_ROLE_DEPTHWISE), 16, 1, 1);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 65, 1, MBN_ROLE_DEPTHWISE), 17, 1, 1);
    expect_padded(padded(name, MBN_PADDING_TRAILING, 64, 1, MBN_ROLE_DEPTHWISE), 16, 0, 1);
    expect_padded(padded(name, MBN_PADDING_TRAILING, 65, 1, MBN_ROLE_DEPTHWISE), 16, 0, 1);
}

/* v3-small's block 3 is 5x5 with stride 2; it reads an eighth of the input's rows. */
Test(layers, padding_of_depthwise_5x5_stride_2) {
    static const char name[] = "mobilenet_v3_small";
    expect_padded(padded(name, MBN_PADDING_SAME, 64, 3, MBN_ROLE_DEPTHWISE), 4, 1, 2);
    expect_padded(padded(name, MBN_PADDING_SAME, 65, 3, MBN_ROLE_DEPTHWISE), 5, 2, 2);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 64, 3, MBN_ROLE_DEPTHWISE), 4, 2, 2);
    expect_padded(padded(name, MBN_PADDING_SYMMETRIC, 65, 3, MBN_ROLE_DEPTHWISE), 5, 2, 2);
    expect_padded(padded(name, MBN_PADDING_TRAILING, 64, 3, MBN_ROLE_DEPTHWISE), 4, 1, 2);
}

/* At stride 1 all three are the same, even where the kernel is larger than the plane. */
Test(layers, padding_at_stride_1) {
    for (int padding = MBN_PADDING_SAME; padding <= MBN_PADDING_TRAILING; padding++) {
        const mbn_padding p = (mbn_padding)padding;
        expect_padded(padded("mobilenet_v1", p, 65, 0, MBN_ROLE_DEPTHWISE), 33, 1, 1);
        expect_padded(padded("mobilenet_v3_small", p, 32, 10, MBN_ROLE_DEPTHWISE), 1, 2, 2);
        expect_padded(padded("mobilenet_v2", p, 65, 1, MBN_ROLE_EXPAND), 33, 0, 0);
    }
}

Test(layers, padding_by_default) {
    static const struct {
        const char *network;
        mbn_source source;
        mbn_padding padding;
        double epsilon;
    } defaults[] = {
        {"mobilenet_v1", MBN_SOURCE_KERAS, MBN_PADDING_SAME, 1e-3},
        {"mobilenet_v2", MBN_SOURCE_TORCHVISION, MBN_PADDING_SYMMETRIC, 1e-5},
        {"mobilenet_v2", MBN_SOURCE_KERAS, MBN_PADDING_SAME, 1e-3},
        {"mobilenet_v3_small", MBN_SOURCE_TORCHVISION, MBN_PADDING_SYMMETRIC, 1e-3},
        {"mobilenet_v3_small", MBN_SOURCE_KERAS, MBN_PADDING_SAME, 1e-3},
        {"mobilenet_v3_large", MBN_SOURCE_TORCHVISION, MBN_PADDING_SYMMETRIC, 1e-3},
        {"mobilenet_v3_large", MBN_SOURCE_KERAS, MBN_PADDING_SAME, 1e-3},
        {"mobilenet_v3_small_article", MBN_SOURCE_KERAS, MBN_PADDING_SAME, 1e-3},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        mbn_network *network = make_network(
            &(mbn_network_options){.network = defaults[i].network, .source = defaults[i].source});
        cr_expect_eq(network->padding, defaults[i].padding, "%s", defaults[i].network);
        cr_expect_eq(network->source, defaults[i].source, "%s", defaults[i].network);
        cr_expect_eq(network->batch_norm_epsilon, defaults[i].epsilon, "%s", defaults[i].network);
        mbn_network_free(network);
    }
}

/* ---- Structure ------------------------------------------------------------------------------- */

static void expect_activation(const mbn_network *network, int32_t block, mbn_layer_role role,
                              mbn_activation_kind kind) {
    const mbn_activation a = find_layer(network, block, role)->activation;
    cr_expect_eq(a.kind, kind, "%s: role %d of block %d has activation %d, not %d", network->name,
                 (int)role, (int)block, (int)a.kind, (int)kind);
    if (kind == MBN_ACTIVATION_HARD_SIGMOID || kind == MBN_ACTIVATION_HARD_SWISH) {
        cr_expect_float_eq(a.slope, 1.0F / 6.0F, 1e-8F);
        cr_expect_eq(a.offset, 0.5F);
    }
}

Test(layers, mobilenet_v1_and_v2_activations) {
    mbn_network *v1 = make_network(&(mbn_network_options){.network = "mobilenet_v1"});
    expect_activation(v1, -1, MBN_ROLE_STEM, MBN_ACTIVATION_RELU6);
    expect_activation(v1, 12, MBN_ROLE_DEPTHWISE, MBN_ACTIVATION_RELU6);
    expect_activation(v1, 12, MBN_ROLE_PROJECT, MBN_ACTIVATION_RELU6);
    expect_activation(v1, -1, MBN_ROLE_LOGITS, MBN_ACTIVATION_NONE);
    cr_expect_eq(v1->layer_count, 1 + 2 * 13 + 2);
    mbn_network_free(v1);

    mbn_network *v2 = make_network(&(mbn_network_options){.network = "mobilenet_v2"});
    expect_activation(v2, 16, MBN_ROLE_EXPAND, MBN_ACTIVATION_RELU6);
    expect_activation(v2, 16, MBN_ROLE_DEPTHWISE, MBN_ACTIVATION_RELU6);
    expect_activation(v2, 16, MBN_ROLE_PROJECT, MBN_ACTIVATION_NONE);
    expect_activation(v2, -1, MBN_ROLE_HEAD, MBN_ACTIVATION_RELU6);
    cr_expect_eq(v2->layer_count, 1 + 2 + 3 * 16 + 3);
    mbn_network_free(v2);
}

/* Blocks of v2 that add their input: the repetitions, 1 + 2 + 3 + 2 + 2. */
Test(layers, mobilenet_v2_residuals) {
    static const bool adds[17] = {[2] = true, [4] = true,  [5] = true,  [7] = true,  [8] = true,
                                  [9] = true, [11] = true, [12] = true, [14] = true, [15] = true};
    mbn_network *v2 = make_network(&(mbn_network_options){.network = "mobilenet_v2"});
    for (int32_t block = 0; block < 17; block++) {
        const mbn_layer *project = find_layer(v2, block, MBN_ROLE_PROJECT);
        cr_expect_eq(project->residual >= 0, adds[block], "block %d", (int)block);
    }
    mbn_network_free(v2);
}

static void expect_v3_small(const mbn_network *network, mbn_activation_kind re,
                            mbn_activation_kind squeeze, mbn_activation_kind gate) {
    expect_activation(network, -1, MBN_ROLE_STEM, MBN_ACTIVATION_HARD_SWISH);
    expect_activation(network, 0, MBN_ROLE_DEPTHWISE, re);
    expect_activation(network, 2, MBN_ROLE_EXPAND, re);
    expect_activation(network, 3, MBN_ROLE_EXPAND, MBN_ACTIVATION_HARD_SWISH);
    expect_activation(network, 10, MBN_ROLE_DEPTHWISE, MBN_ACTIVATION_HARD_SWISH);
    expect_activation(network, 10, MBN_ROLE_SQUEEZE, squeeze);
    expect_activation(network, 10, MBN_ROLE_EXCITE, gate);
    expect_activation(network, 10, MBN_ROLE_PROJECT, MBN_ACTIVATION_NONE);
    expect_activation(network, -1, MBN_ROLE_HEAD, MBN_ACTIVATION_HARD_SWISH);
    expect_activation(network, -1, MBN_ROLE_HIDDEN, MBN_ACTIVATION_HARD_SWISH);
    expect_activation(network, -1, MBN_ROLE_LOGITS, MBN_ACTIVATION_NONE);
    cr_expect_eq(count_layers(network, MBN_ROLE_SCALE), 9);
    cr_expect_eq(find_layer(network, -1, MBN_ROLE_HEAD)->output_channels, 576);
    cr_expect_eq(find_layer(network, -1, MBN_ROLE_HIDDEN)->output_channels, 1024);
}

Test(layers, mobilenet_v3_small) {
    for (int source = MBN_SOURCE_TORCHVISION; source <= MBN_SOURCE_KERAS; source++) {
        mbn_network *network = make_network(
            &(mbn_network_options){.network = "mobilenet_v3_small", .source = (mbn_source)source});
        expect_v3_small(network, MBN_ACTIVATION_RELU, MBN_ACTIVATION_RELU,
                        MBN_ACTIVATION_HARD_SIGMOID);
        cr_expect_eq(count_layers(network, MBN_ROLE_EXPAND), 10);
        cr_expect_eq(find_layer(network, 0, MBN_ROLE_SQUEEZE)->output_channels, 8);
        cr_expect_eq(find_layer(network, 4, MBN_ROLE_SQUEEZE)->output_channels, 64);
        cr_expect_not(find_layer(network, 0, MBN_ROLE_DEPTHWISE)->bias);
        mbn_network_free(network);
    }
}

Test(layers, article_v3_small) {
    mbn_network *network =
        make_network(&(mbn_network_options){.network = "mobilenet_v3_small_article"});
    expect_v3_small(network, MBN_ACTIVATION_RELU6, MBN_ACTIVATION_RELU6, MBN_ACTIVATION_HARD_SWISH);
    cr_expect_eq(count_layers(network, MBN_ROLE_EXPAND), 11);
    cr_expect_eq(find_layer(network, 0, MBN_ROLE_SQUEEZE)->output_channels, 4);
    cr_expect_eq(find_layer(network, 4, MBN_ROLE_SQUEEZE)->output_channels, 60);
    cr_expect(find_layer(network, 0, MBN_ROLE_DEPTHWISE)->bias);
    cr_expect_str_neq(find_layer(network, 0, MBN_ROLE_DEPTHWISE)->batch_norm_name, "");
    mbn_network_free(network);
}

/* A squeeze-excite between the pair stays, before the convolution that replaces the pair. */
Test(layers, standard_convolution_keeps_squeeze_excite) {
    mbn_network *network = make_network(
        &(mbn_network_options){.network = "mobilenet_v3_small", .standard_convolution = true});
    cr_expect_eq(count_layers(network, MBN_ROLE_SCALE), 9);
    const mbn_layer *project = find_layer(network, 3, MBN_ROLE_PROJECT);
    cr_expect_eq(network->layers[project->input].role, MBN_ROLE_SCALE);
    cr_expect_eq(project->kernel_height, 5);
    cr_expect_eq(project->stride_horizontal, 2);
    cr_expect_eq(project->input_channels, 96);
    cr_expect_eq(project->output_channels, 40);
    mbn_network_free(network);
}
