/* Parameters and multiply-adds against published figures and against the frameworks' own counts. */
#include "networks.h"

#include <criterion/criterion.h>

/* ---- Published ------------------------------------------------------------------------------- */

struct figures {
    int64_t parameters, batch_norm_statistics, multiply_adds;
};

static struct figures figures_of(const mbn_network_options *options) {
    mbn_network *network = make_network(options);
    const struct figures figures = {network->parameters, network->batch_norm_statistics,
                                    network->multiply_adds};
    mbn_network_free(network);
    return figures;
}

/* In millions, rounded to the nearest, as the papers print them. */
static int64_t millions(int64_t count) {
    return (count + 500000) / 1000000;
}

/* Keras counts the statistics of batch norm as parameters, torchvision does not. */
Test(counts, mobilenet_v1_as_keras_and_the_paper) {
    const struct figures f = figures_of(&(mbn_network_options){.network = "mobilenet_v1"});
    cr_expect_eq(f.parameters + f.batch_norm_statistics, 4253864);
    cr_expect_eq(millions(f.multiply_adds), 569);
}

Test(counts, mobilenet_v2_as_keras_torchvision_and_the_paper) {
    const struct figures f = figures_of(&(mbn_network_options){.network = "mobilenet_v2"});
    cr_expect_eq(f.parameters, 3504872);
    cr_expect_eq(f.parameters + f.batch_norm_statistics, 3538984);
    /* The paper says 300 M; exactly it is 300.77 M. */
    cr_expect_eq(f.multiply_adds, 300774272);
}

Test(counts, mobilenet_v3_as_torchvision_and_the_paper) {
    const struct figures large =
        figures_of(&(mbn_network_options){.network = "mobilenet_v3_large"});
    cr_expect_eq(large.parameters, 5483032);
    cr_expect_eq(millions(large.multiply_adds), 217);
    const struct figures small =
        figures_of(&(mbn_network_options){.network = "mobilenet_v3_small"});
    cr_expect_eq(small.parameters, 2542856);
    /* The paper says 56 M; exactly it is 56.51 M. */
    cr_expect_eq(small.multiply_adds, 56510400);
}

Test(counts, article_v3_small_as_keras) {
    const struct figures f =
        figures_of(&(mbn_network_options){.network = "mobilenet_v3_small_article"});
    cr_expect_eq(f.parameters + f.batch_norm_statistics, 2555742);
}

Test(counts, v3_small_heads_differ_below_width_1) {
    mbn_network_options options = {
        .network = "mobilenet_v3_small", .width = 0.75, .source = MBN_SOURCE_KERAS};
    cr_expect_eq(figures_of(&options).parameters, 2041872);
    options.source = MBN_SOURCE_TORCHVISION;
    cr_expect_eq(figures_of(&options).parameters, 1653920);
}

/* Howard et al. 2017, table 4: 4866 M multiply-adds and 29.3 M parameters; counted exactly it is
 * 4867 M. */
Test(counts, mobilenet_v1_from_standard_convolutions) {
    const struct figures f =
        figures_of(&(mbn_network_options){.network = "mobilenet_v1", .standard_convolution = true});
    cr_expect_eq(millions(f.multiply_adds), 4867);
    cr_expect_eq((f.parameters + 50000) / 100000, 293);
}

/* 9 C N weights become 9 C + C N (the article's example, from 3 to 4 channels: 108, 39). */
Test(counts, standard_convolution_replaces_the_pair) {
    mbn_network_options options = {.network = "mobilenet_v1"};
    mbn_network *separable = make_network(&options);
    options.standard_convolution = true;
    mbn_network *standard = make_network(&options);
    for (int32_t block = 0; block < 13; block++) {
        const mbn_layer *depthwise = find_layer(separable, block, MBN_ROLE_DEPTHWISE);
        const mbn_layer *pointwise = find_layer(separable, block, MBN_ROLE_PROJECT);
        const mbn_layer *whole = find_layer(standard, block, MBN_ROLE_PROJECT);
        const int64_t inputs = depthwise->input_channels, outputs = pointwise->output_channels;
        cr_expect_eq(depthwise->weights + pointwise->weights, inputs * 9 + inputs * outputs);
        cr_expect_eq(whole->weights, 9 * inputs * outputs);
        cr_expect_eq(whole->output_height, pointwise->output_height);
        cr_expect_eq(whole->kind, MBN_LAYER_CONVOLUTION);
        cr_expect_eq(whole->stride_vertical, depthwise->stride_vertical);
    }
    cr_expect_eq(count_layers(standard, MBN_ROLE_DEPTHWISE), 0);
    mbn_network_free(standard);
    mbn_network_free(separable);
}

/* ---- The frameworks, at many widths ---------------------------------------------------------- */

struct count {
    const char *network;
    mbn_source source;
    double width;
    int64_t parameters, batch_norm_statistics;
};

#define COUNT(network, source, width, parameters, statistics)                                      \
    {network, MBN_SOURCE_##source, width, parameters, statistics},
static const struct count counts[] = {
#include <tests/golden/counts-keras.inc>
#include <tests/golden/counts-torchvision.inc>
};

Test(counts, every_width_as_the_frameworks) {
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const struct count *c = &counts[i];
        const struct figures f = figures_of(
            &(mbn_network_options){.network = c->network, .source = c->source, .width = c->width});
        cr_expect_eq(f.parameters, c->parameters, "%s, source %d, width %g: %lld, not %lld",
                     c->network, (int)c->source, c->width, (long long)f.parameters,
                     (long long)c->parameters);
        cr_expect_eq(f.batch_norm_statistics, c->batch_norm_statistics);
    }
}

/* ---- Layers ---------------------------------------------------------------------------------- */

Test(counts, layers_add_up_to_the_network) {
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        mbn_network *network = make_network(
            &(mbn_network_options){.network = mbn_network_name(i), .classes = 1000000});
        struct figures sum = {0, 0, 0};
        for (int32_t j = 0; j < network->layer_count; j++) {
            sum.parameters += network->layers[j].parameters;
            sum.batch_norm_statistics += network->layers[j].batch_norm_statistics;
            sum.multiply_adds += network->layers[j].multiply_adds;
        }
        cr_expect_eq(sum.parameters, network->parameters);
        cr_expect_eq(sum.batch_norm_statistics, network->batch_norm_statistics);
        cr_expect_eq(sum.multiply_adds, network->multiply_adds);
        const mbn_layer *logits = &network->layers[network->layer_count - 1];
        cr_expect_eq(logits->role, MBN_ROLE_LOGITS);
        cr_expect_eq(logits->weights, (int64_t)logits->input_channels * 1000000);
        cr_expect_eq(logits->parameters, logits->weights + 1000000);
        cr_expect_eq(logits->multiply_adds, logits->weights);
        mbn_network_free(network);
    }
}
