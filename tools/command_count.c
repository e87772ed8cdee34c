/* mobilenet count NETWORK: parameters and multiply-adds, layer by layer. */
#include "command.h"
#include "count_compare.h"
#include "count_table.h"
#include "options.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

enum { KEY_COMPARE = 0x200, KEY_TABLE, KEY_JSON = 'j' };

struct arguments {
    mbn_network_options network;
    bool compare;
    bool json;
    bool table;
};

static const struct argp_option options[] = {
    {"compare", KEY_COMPARE, "standard", 0,
     "Compare with the network whose depthwise-separable pairs are standard convolutions", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
    {"table", KEY_TABLE, NULL, 0,
     "Print the tables of all networks, as model files have them (takes no NETWORK)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->network; return 0;
    case KEY_COMPARE:
        if (strcmp(argument, "standard") != 0) {
            argp_error(state, "--compare: '%s' is not 'standard'", argument);
        }
        arguments->compare = true;
        return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case KEY_TABLE: arguments->table = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "too many arguments: '%s'", argument);
        arguments->network.network = mbn_option_network(state, argument);
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (!arguments->table) argp_error(state, "missing argument: NETWORK");
        return 0;
    case ARGP_KEY_SUCCESS:
        if (arguments->table && arguments->network.network != NULL) {
            argp_error(state, "--table prints all networks: it takes no NETWORK");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void print_row(int width, const char *name, const char *kind, const char *output,
                      const mbn_digits *counts) {
    printf("%-*s  %-15s  %-13s %11s %9s %14s %15s\n", width, name, kind, output, counts[0].text,
           counts[1].text, counts[2].text, counts[3].text);
}

static void print_layers(const mbn_network *network) {
    int width = (int)strlen("layer");
    for (int32_t i = 0; i < network->layer_count; i++) {
        int length = (int)strlen(network->layers[i].name);
        if (length > width) width = length;
    }
    static const mbn_digits heads[] = {{"parameters"}, {"BN stats"}, {"multiply-adds"}, {"FLOPs"}};
    print_row(width, "layer", "kind", "output", heads);
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        char output[48];
        snprintf(output, sizeof output, "%dx%dx%d", layer->output_height, layer->output_width,
                 layer->output_channels);
        const mbn_digits counts[] = {
            mbn_digits_of(layer->parameters), mbn_digits_of(layer->batch_norm_statistics),
            mbn_digits_of(layer->multiply_adds), mbn_digits_of(2 * layer->multiply_adds)};
        print_row(width, layer->name, mbn_layer_kind_name(layer->kind), output, counts);
    }
    const mbn_digits totals[] = {
        mbn_digits_of(network->parameters), mbn_digits_of(network->batch_norm_statistics),
        mbn_digits_of(network->multiply_adds), mbn_digits_of(2 * network->multiply_adds)};
    print_row(width, "total", "", "", totals);
}

static void print_network(const mbn_network *network) {
    printf("%s, width %g, input %dx%d, %d classes, %s padding, as in %s\n\n", network->name,
           network->width, network->input_height, network->input_width, network->classes,
           mbn_option_padding_name(network->padding), mbn_option_source_name(network->source));
    print_layers(network);
    printf("\nParameters: %s trainable, as torchvision counts; %s with batch norm's moving means\n"
           "and variances (BN stats), as Keras counts.  Multiply-adds: of convolutions and fully\n"
           "connected layers, for one image; FLOPs: two per multiply-add.\n",
           mbn_digits_of(network->parameters).text,
           mbn_digits_of(network->parameters + network->batch_norm_statistics).text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *layer_json(const mbn_layer *layer) {
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:i, s:[i,i,i], s:[i,i], s:[i,i], s:I, s:I, s:I, s:I, s:I}", "name",
        layer->name, "batch_norm",
        layer->batch_norm_name[0] != '\0' ? json_string(layer->batch_norm_name) : json_null(),
        "kind", mbn_layer_kind_name(layer->kind), "role", mbn_layer_role_name(layer->role), "block",
        layer->block, "output", layer->output_height, layer->output_width, layer->output_channels,
        "kernel", layer->kernel_height, layer->kernel_width, "stride", layer->stride_vertical,
        layer->stride_horizontal, "weights", (json_int_t)layer->weights, "parameters",
        (json_int_t)layer->parameters, "batch_norm_statistics",
        (json_int_t)layer->batch_norm_statistics, "multiply_adds", (json_int_t)layer->multiply_adds,
        "flops", (json_int_t)(2 * layer->multiply_adds));
}

static json_t *network_json(const mbn_network *network) {
    json_t *layers = json_array();
    for (int32_t i = 0; i < network->layer_count; i++) {
        mbn_json_append(&layers, layer_json(&network->layers[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:f, s:[i,i], s:i, s:i, s:I, s:I, s:I, s:I, s:o}", "network",
                     network->name, "source", mbn_option_source_name(network->source), "padding",
                     mbn_option_padding_name(network->padding), "width", network->width, "input",
                     network->input_height, network->input_width, "input_channels",
                     network->input_channels, "classes", network->classes, "parameters",
                     (json_int_t)network->parameters, "batch_norm_statistics",
                     (json_int_t)network->batch_norm_statistics, "multiply_adds",
                     (json_int_t)network->multiply_adds, "flops",
                     (json_int_t)(2 * network->multiply_adds), "layers", layers);
}

/* ---- The command ----------------------------------------------------------------------------- */

/* standard: NULL without comparison. */
static int show(const mbn_network *network, const mbn_network *standard, bool json) {
    if (!json) {
        print_network(network);
        if (standard != NULL) mbn_compare_print(network, standard);
        return MBN_EXIT_OK;
    }
    json_t *result = network_json(network);
    if (standard != NULL) {
        result = mbn_json_with(result, "standard", mbn_compare_json(network, standard));
    }
    return mbn_json_print(result) ? MBN_EXIT_OK : MBN_EXIT_FAILED;
}

int mbn_command_count(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_network_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NETWORK\n--table",
        .doc = "Count a network's parameters, multiply-adds and FLOPs, layer by layer.",
        .children = children,
    };
    struct arguments arguments = {.compare = false};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    if (arguments.table) return mbn_json_print(mbn_tables_json()) ? MBN_EXIT_OK : MBN_EXIT_FAILED;

    mbn_error error;
    mbn_network *network = NULL;
    mbn_network *standard = NULL;
    mbn_status status = mbn_network_create(&arguments.network, &network, &error);
    if (status == MBN_OK && arguments.compare) {
        arguments.network.standard_convolution = true;
        status = mbn_network_create(&arguments.network, &standard, &error);
    }
    int exit_status;
    if (status == MBN_OK) {
        exit_status = show(network, standard, arguments.json);
    } else {
        mbn_report(arguments.network.network, error.message);
        exit_status = status == MBN_INVALID_ARGUMENT ? MBN_EXIT_USAGE : MBN_EXIT_FAILED;
    }
    mbn_network_free(standard);
    mbn_network_free(network);
    return exit_status;
}
