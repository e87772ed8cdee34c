/* mobilenet info: the CPU, and which kernels would run on it; mobilenet info MODEL: what a file
 * holds. */
#include "command.h"
#include "info_machine.h"
#include "info_model.h"
#include "options.h"

enum { KEY_JSON = 'j' };

struct arguments {
    mbn_run_options load;
    const char *model;
    bool json;
};

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print JSON: of a MODEL only", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->load; return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "too many arguments: '%s'", argument);
        arguments->model = argument;
        return 0;
    case ARGP_KEY_END:
        if (arguments->json && arguments->model == NULL) {
            argp_error(state, "--json: needs a MODEL");
        }
        if (arguments->load.isa_mask != 0 && arguments->model == NULL) {
            argp_error(state, "--isa: needs a MODEL");
        }
        if (arguments->load.precision != 0 && arguments->model == NULL) {
            argp_error(state, "--precision: needs a MODEL");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int mbn_command_info(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_model_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[MODEL]",
        .doc =
            "Print what a model file holds: network, preprocessing, output, labels, sizes.\v"
            "Without MODEL: what this CPU is, which instruction sets there are kernels for, and "
            "which of them a model would use.  The environment variable MOBILENET_ISA, a list of "
            "names separated by commas, restricts the choice.",
        .children = children,
    };
    struct arguments arguments = {.model = NULL};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;
    return arguments.model == NULL
               ? mbn_info_machine()
               : mbn_info_model(arguments.model, &arguments.load, arguments.json);
}
