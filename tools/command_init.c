/* mobilenet init NETWORK OUT.safetensors: a model with random weights. */
#include "command.h"
#include "file.h"
#include "options.h"
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum { KEY_SEED = 's' };

struct arguments {
    mbn_network_options network;
    uint64_t seed;
    const char *output;
};

static const struct argp_option options[] = {
    {"seed", KEY_SEED, "S", 0, "Seed of the weights, 0 to 2^64 - 1 (default 0)", 0},
    {0},
};

static uint64_t parse_seed(struct argp_state *state, const char *text) {
    errno = 0;
    char *end = NULL;
    unsigned long long seed = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0) {
        argp_error(state, "--seed: '%s' is not a whole number from 0 to 2^64 - 1", text);
    }
    return seed;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->network; return 0;
    case KEY_SEED: arguments->seed = parse_seed(state, argument); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            arguments->network.network = mbn_option_network(state, argument);
        } else if (state->arg_num == 1) {
            arguments->output =
                mbn_option_output(state, "OUT.safetensors", argument, ".safetensors");
        } else {
            argp_error(state, "too many arguments: '%s'", argument);
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->output == NULL) {
            argp_error(state, "missing argument: NETWORK and OUT.safetensors are needed");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int mbn_command_init(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_network_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NETWORK OUT.safetensors",
        .doc =
            "Write a model with random weights and plausible batch norm statistics: for benchmarks "
            "and tests, not for classification.  The same options give the same file everywhere.",
        .children = children,
    };
    struct arguments arguments = {.seed = 0};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    mbn_error error;
    size_t size = 0;
    mbn_status status = mbn_network_init(&arguments.network, arguments.seed, NULL, &size, &error);
    if (status != MBN_OK) {
        mbn_report(arguments.network.network, error.message);
        return status == MBN_INVALID_ARGUMENT ? MBN_EXIT_USAGE : MBN_EXIT_FAILED;
    }
    void *buffer = malloc(size);
    if (buffer == NULL) {
        status = mbn_explain(&error, MBN_OUT_OF_MEMORY, "out of memory");
    } else {
        status = mbn_network_init(&arguments.network, arguments.seed, buffer, &size, &error);
    }
    if (status == MBN_OK) {
        mbn_part part = {buffer, size};
        status = mbn_file_write(arguments.output, &part, 1, &error);
    }
    free(buffer);
    if (status == MBN_OK) return MBN_EXIT_OK;
    mbn_report(arguments.output, error.message);
    return MBN_EXIT_FAILED;
}
