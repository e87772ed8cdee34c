/* Tables that are not in the library: what a row can say. */
#include "networks.h"

#include <arch/network/architecture.h>
#include <criterion/criterion.h>
#include <string.h>

#define ROW(expand, out, units, vertical, horizontal, times)                                       \
    {                                                                                              \
        .kind = MBN_ROW_INVERTED_RESIDUAL, .kernel = 3, .expansion = expand,                       \
        .output_channels = out, .squeeze = units, .activation = MBN_ACTIVATION_RELU,               \
        .stride_vertical = vertical, .stride_horizontal = horizontal, .repeat = times              \
    }

static const mbn_row rows[] = {
    ROW(16, 16, 12, 2, 1, 3),
    ROW(40, 24, MBN_SQUEEZE_QUARTER, 1, 2, 1),
    ROW(36, 24, MBN_SQUEEZE_QUARTER_ROUNDED, 1, 1, 1),
    ROW(24, 24, MBN_SQUEEZE_NONE, 2, 2, 1),
};

static mbn_architecture variant(void) {
    mbn_architecture a = mbn_mobilenet_v3_small_article;
    a.rows = rows;
    a.row_count = sizeof rows / sizeof rows[0];
    return a;
}

static mbn_network *lay_out(const mbn_architecture *architecture,
                            const mbn_network_options *options) {
    mbn_network *network = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_network_layout(architecture, options, &network, &error), MBN_OK, "%s",
                 error.message);
    return network;
}

/* Stem: 64 x 96 -> 32 x 48. */
static const mbn_network_options options = {
    .input_height = 64, .input_width = 96, .classes = 5, .padding = MBN_PADDING_TRAILING};

Test(variants, strides_differ_by_direction) {
    const mbn_architecture a = variant();
    mbn_network *network = lay_out(&a, &options);
    const mbn_layer *layer = find_layer(network, 0, MBN_ROLE_DEPTHWISE);
    cr_expect_eq(layer->output_height, 16);
    cr_expect_eq(layer->output_width, 48);
    /* (0, 1) where it strides, (1, 1) where it does not. */
    cr_expect(layer->pad_top == 0 && layer->pad_bottom == 1);
    cr_expect(layer->pad_left == 1 && layer->pad_right == 1);

    layer = find_layer(network, 3, MBN_ROLE_DEPTHWISE);
    cr_expect_eq(layer->output_height, 16);
    cr_expect_eq(layer->output_width, 24);
    mbn_network_free(network);
}

Test(variants, repetitions_have_stride_1_and_a_residual) {
    const mbn_architecture a = variant();
    mbn_network *network = lay_out(&a, &options);
    cr_expect_eq(find_layer(network, 0, MBN_ROLE_PROJECT)->residual, -1);
    for (int32_t block = 1; block <= 2; block++) {
        cr_expect_eq(find_layer(network, block, MBN_ROLE_DEPTHWISE)->stride_vertical, 1);
        const mbn_layer *project = find_layer(network, block, MBN_ROLE_PROJECT);
        cr_assert_geq(project->residual, 0);
        cr_expect_eq(network->layers[project->residual].block, block - 1);
    }
    cr_expect_eq(find_layer(network, 3, MBN_ROLE_PROJECT)->residual, -1);
    cr_expect_eq(find_layer(network, 5, MBN_ROLE_PROJECT)->residual, -1);
    mbn_network_free(network);
}

Test(variants, squeeze_channels_given_or_by_rule) {
    const mbn_architecture a = variant();
    mbn_network *network = lay_out(&a, &options);
    cr_expect_eq(find_layer(network, 1, MBN_ROLE_SQUEEZE)->output_channels, 12);
    cr_expect_eq(find_layer(network, 3, MBN_ROLE_SQUEEZE)->output_channels, 10);
    cr_expect_eq(find_layer(network, 4, MBN_ROLE_SQUEEZE)->output_channels, 16);
    cr_expect_eq(count_layers(network, MBN_ROLE_SQUEEZE), 5);
    mbn_network_free(network);
}

Test(variants, expansion_equal_to_the_input) {
    mbn_architecture a = variant();
    mbn_network *network = lay_out(&a, &options);
    cr_expect_eq(count_layers(network, MBN_ROLE_EXPAND), 6);
    mbn_network_free(network);

    a.expand_always = false;
    network = lay_out(&a, &options);
    cr_expect_eq(count_layers(network, MBN_ROLE_EXPAND), 2);
    const mbn_layer *depthwise = find_layer(network, 5, MBN_ROLE_DEPTHWISE);
    cr_expect_eq(network->layers[depthwise->input].role, MBN_ROLE_PROJECT);
    mbn_network_free(network);
}

Test(variants, heads) {
    mbn_architecture a = variant();
    a.head_max_pool_window = 2;
    a.head_max_pool_stride = 2;
    mbn_network *network = lay_out(&a, &options);
    const mbn_layer *pool = find_layer(network, -1, MBN_ROLE_HEAD_MAX_POOL);
    cr_expect_eq(pool->kind, MBN_LAYER_MAX_POOL);
    cr_expect(pool->input_height == 8 && pool->output_height == 4);
    cr_expect(pool->input_width == 12 && pool->output_width == 6);
    cr_expect_eq(pool->parameters, 0);
    cr_expect_eq(network->layers[find_layer(network, -1, MBN_ROLE_HEAD_POOL)->input].role,
                 MBN_ROLE_HEAD_MAX_POOL);
    mbn_network_free(network);

    a.head_max_pool_window = a.head_max_pool_stride = 0;
    a.head_channels = a.hidden_count = 0;
    network = lay_out(&a, &options);
    const mbn_layer *logits = find_layer(network, -1, MBN_ROLE_LOGITS);
    cr_expect_eq(logits->input_channels, 24);
    cr_expect_eq(network->layers[logits->input].role, MBN_ROLE_HEAD_POOL);
    cr_expect_eq(count_layers(network, MBN_ROLE_HEAD), 0);
    cr_expect_eq(count_layers(network, MBN_ROLE_HIDDEN), 0);
    mbn_network_free(network);
}

/* Its window is the whole plane at every size. */
Test(variants, a_global_max_pool) {
    mbn_architecture a = variant();
    a.global_max_pool = true;
    mbn_network *network = lay_out(&a, &options), *resized = NULL;
    const mbn_layer *pool = find_layer(network, -1, MBN_ROLE_HEAD_GLOBAL_MAX_POOL);
    cr_expect_eq(pool->kind, MBN_LAYER_MAX_POOL);
    cr_expect_str_eq(pool->name, "global_max_pooling2d");
    cr_expect(pool->kernel_height == 8 && pool->kernel_width == 12);
    cr_expect(pool->output_height == 1 && pool->output_width == 1);
    const mbn_layer *mean = find_layer(network, -1, MBN_ROLE_HEAD_POOL);
    cr_expect_eq(&network->layers[mean->input], pool);
    cr_expect(mean->kernel_height == 1 && mean->kernel_width == 1);
    mbn_stage_info stage;
    cr_assert_eq(mbn_network_stage(network, "stride8", &stage, NULL), MBN_OK);
    cr_expect(stage.height == 8 && stage.width == 12);

    cr_assert_eq(mbn_network_resize(network, 128, 0, &resized, NULL), MBN_OK);
    pool = find_layer(resized, -1, MBN_ROLE_HEAD_GLOBAL_MAX_POOL);
    cr_expect(pool->kernel_height == 16 && pool->kernel_width == 12);
    cr_expect(pool->output_height == 1 && pool->output_width == 1);
    mbn_network_free(resized);
    mbn_network_free(network);
}

Test(variants, a_window_that_does_not_fit) {
    mbn_architecture a = variant();
    a.head_max_pool_window = 9;
    a.head_max_pool_stride = 1;
    mbn_network *network = NULL;
    mbn_error error = {0};
    cr_expect_eq(mbn_network_layout(&a, &options, &network, &error), MBN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.message, "input_height, input_width: 64x96 is too small for "
                                    "mobilenet_v3_small_article");
    cr_expect_null(network);
}
