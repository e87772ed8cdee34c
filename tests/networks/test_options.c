/* Options that are wrong get an error that names the option. */
#include "networks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static void expect_refused(const mbn_network_options *options, const char *message) {
    mbn_network *network = (mbn_network *)&network;
    mbn_error error = {0};
    const mbn_status status = mbn_network_create(options, &network, &error);
    cr_expect_eq(status, MBN_INVALID_ARGUMENT, "expected: %s", message);
    cr_expect_eq(error.status, MBN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.message, message);
    cr_expect_null(network);
}

Test(options, network) {
    expect_refused(NULL, "options: NULL");
    expect_refused(&(mbn_network_options){0}, "options.network: NULL");
    expect_refused(&(mbn_network_options){.network = "mobilenet_v4"},
                   "network: unknown 'mobilenet_v4'; known: mobilenet_v1, mobilenet_v2, "
                   "mobilenet_v3_small, mobilenet_v3_large, mobilenet_v3_small_article");
    mbn_error error = {0};
    cr_expect_eq(
        mbn_network_create(&(mbn_network_options){.network = "mobilenet_v1"}, NULL, &error),
        MBN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.message, "network: NULL");
}

Test(options, error_may_be_null) {
    mbn_network *network = NULL;
    cr_expect_eq(mbn_network_create(&(mbn_network_options){.network = ""}, &network, NULL),
                 MBN_INVALID_ARGUMENT);
}

Test(options, width) {
    mbn_network_options options = {.network = "mobilenet_v2"};
    options.width = 0.05;
    expect_refused(&options, "width: 0.05 is outside 0.1 to 4");
    options.width = 4.5;
    expect_refused(&options, "width: 4.5 is outside 0.1 to 4");
    options.width = -1;
    expect_refused(&options, "width: -1 is outside 0.1 to 4");
    options.width = (double)INFINITY;
    expect_refused(&options, "width: inf is outside 0.1 to 4");
    options.width = (double)NAN;
    mbn_network *network = NULL;
    cr_expect_eq(mbn_network_create(&options, &network, NULL), MBN_INVALID_ARGUMENT);
    options = (mbn_network_options){.network = "mobilenet_v3_small_article", .width = 0.5};
    expect_refused(&options, "width: mobilenet_v3_small_article has width 1 only, not 0.5");
}

Test(options, sizes) {
    mbn_network_options options = {.network = "mobilenet_v2", .input_height = 31};
    expect_refused(&options, "input_height: 31 is outside 32 to 1024");
    options.input_height = 1025;
    expect_refused(&options, "input_height: 1025 is outside 32 to 1024");
    options.input_height = 32;
    options.input_width = -224;
    expect_refused(&options, "input_width: -224 is outside 32 to 1024");
    options.input_width = 1024;
    options.classes = -1;
    expect_refused(&options, "classes: -1 is outside 1 to 1000000");
    options.classes = 1000001;
    expect_refused(&options, "classes: 1000001 is outside 1 to 1000000");
    options.classes = 0;
    options.input_channels = 5;
    expect_refused(&options, "input_channels: 5 is outside 1 to 4");
    options.input_channels = -1;
    expect_refused(&options, "input_channels: -1 is outside 1 to 4");
}

Test(options, source_padding_and_epsilon) {
    mbn_network_options options = {.network = "mobilenet_v1", .source = MBN_SOURCE_TORCHVISION};
    expect_refused(&options, "source: torchvision does not have mobilenet_v1");
    options.network = "mobilenet_v3_small_article";
    expect_refused(&options, "source: torchvision does not have mobilenet_v3_small_article");
    options.source = (mbn_source)7;
    expect_refused(&options, "source: 7 is not one");
    options = (mbn_network_options){.network = "mobilenet_v1", .padding = (mbn_padding)4};
    expect_refused(&options, "padding: 4 is not one");
    options = (mbn_network_options){.network = "mobilenet_v1", .batch_norm_epsilon = -1e-3};
    expect_refused(&options, "batch_norm_epsilon: -0.001 is not positive");
    options.batch_norm_epsilon = (double)INFINITY;
    expect_refused(&options, "batch_norm_epsilon: inf is not positive");
}

Test(options, defaults_and_extremes) {
    mbn_network *network = make_network(&(mbn_network_options){.network = "mobilenet_v2"});
    cr_expect_eq(network->width, 1.0);
    cr_expect_eq(network->input_height, 224);
    cr_expect_eq(network->input_width, 224);
    cr_expect_eq(network->classes, 1000);
    cr_expect_eq(network->input_channels, 3);
    cr_expect_eq(network->layers[0].input_channels, 3);
    mbn_network_free(network);

    network = make_network(&(mbn_network_options){.network = "mobilenet_v2",
                                                  .width = 4,
                                                  .input_height = 1024,
                                                  .input_width = 32,
                                                  .classes = 1,
                                                  .batch_norm_epsilon = 0.25,
                                                  .input_channels = 1});
    cr_expect_eq(network->width, 4.0);
    cr_expect_eq(network->input_height, 1024);
    cr_expect_eq(network->input_width, 32);
    cr_expect_eq(network->classes, 1);
    cr_expect_eq(network->input_channels, 1);
    cr_expect_eq(network->layers[0].input_channels, 1);
    cr_expect_eq(network->layers[0].weights, 3 * 3 * 1 * 128);
    cr_expect_eq(network->batch_norm_epsilon, 0.25);
    mbn_network_free(network);
    mbn_network_free(NULL);
}

Test(options, names) {
    cr_expect_str_eq(mbn_network_name(0), "mobilenet_v1");
    cr_expect_str_eq(mbn_network_name(4), "mobilenet_v3_small_article");
    cr_expect_null(mbn_network_name(5));
    cr_expect_null(mbn_network_name(-1));
    for (int kind = MBN_LAYER_CONVOLUTION; kind <= MBN_LAYER_CHANNEL_SCALE; kind++) {
        const char *name = mbn_layer_kind_name((mbn_layer_kind)kind);
        cr_expect_str_neq(name, "unknown");
        for (int other = 0; other < kind; other++)
            cr_expect_str_neq(mbn_layer_kind_name((mbn_layer_kind)other), name);
    }
    cr_expect_str_eq(mbn_layer_kind_name(MBN_LAYER_FULLY_CONNECTED), "fully connected");
    cr_expect_str_eq(mbn_layer_kind_name((mbn_layer_kind)99), "unknown");
    for (int role = MBN_ROLE_STEM; role <= MBN_ROLE_HEAD_GLOBAL_MAX_POOL; role++) {
        const char *name = mbn_layer_role_name((mbn_layer_role)role);
        cr_expect_str_neq(name, "unknown");
        for (int other = 0; other < role; other++)
            cr_expect_str_neq(mbn_layer_role_name((mbn_layer_role)other), name);
    }
    cr_expect_str_eq(mbn_layer_role_name(MBN_ROLE_SQUEEZE_POOL), "squeeze pool");
    cr_expect_str_eq(mbn_layer_role_name((mbn_layer_role)99), "unknown");
}
