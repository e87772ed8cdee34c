/* mobilenet run MODEL --input X.npy --output Y.npy: a model on a tensor. */
#include "command.h"
#include "input.h"
#include "npy.h"
#include "options.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_INPUT = 'i', KEY_OUTPUT = 'o', KEY_PROBABILITIES = 's', KEY_RAW = 'r' };

struct arguments {
    mbn_run_options run;
    const char *model, *input, *output;
    mbn_output kind;
    bool raw;
};

static const struct argp_option options[] = {
    {"input", KEY_INPUT, "X.npy", 0,
     "Images: float32 [N,height,width,channels], preprocessed, of any size that the network takes",
     0},
    {"output", KEY_OUTPUT, "Y.npy", 0, "Written: float32 [N,classes]", 0},
    {"raw", KEY_RAW, NULL, 0,
     "Of a model of integers: write its bytes, int8 or uint8, instead of the floats that they "
     "stand for",
     0},
    {"probabilities", KEY_PROBABILITIES, NULL, 0,
     "Write probabilities, as the model makes them, instead of logits", 0},
    {"softmax", 0, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0}, /* its name in 0.1 */
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->run; return 0;
    case KEY_INPUT: arguments->input = argument; return 0;
    case KEY_OUTPUT:
        arguments->output = mbn_option_output(state, "--output", argument, ".npy");
        return 0;
    case KEY_PROBABILITIES: arguments->kind = MBN_PROBABILITIES; return 0;
    case KEY_RAW: arguments->raw = true; return 0;
    case ARGP_KEY_ARG:
        if (arguments->model != NULL) argp_error(state, "too many arguments: '%s'", argument);
        arguments->model = argument;
        return 0;
    case ARGP_KEY_END:
        if (arguments->model == NULL) argp_error(state, "missing argument: MODEL");
        if (arguments->input == NULL) argp_error(state, "missing option: --input");
        if (arguments->output == NULL) argp_error(state, "missing option: --output");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct failure {
    const char *subject; /* the file that it is about; NULL where the message names it */
    mbn_error error;
};

/* Fills output->values, from malloc. */
static mbn_status infer(const struct arguments *arguments, const mbn_model *model,
                        const mbn_npy *input, mbn_npy *output, struct failure *failure) {
    failure->subject = arguments->input;
    const mbn_context_options context_options = {.threads = arguments->run.threads,
                                                 .batch = (int32_t)input->shape[0]};
    mbn_context *context;
    mbn_status status =
        mbn_input_context(model, input, &context_options, &context, &failure->error);
    if (status != MBN_OK) return status;

    int64_t images = input->shape[0];
    int64_t classes = mbn_model_network(model)->classes;
    *output = (mbn_npy){.rank = 2, .shape = {images, classes}, .count = images * classes};
    output->values = malloc((size_t)output->count * sizeof(float));
    if (output->values == NULL) {
        status = mbn_explain(&failure->error, MBN_OUT_OF_MEMORY, "out of memory");
    } else {
        status = mbn_run(context, input->values, MBN_NHWC, (int32_t)images, arguments->kind,
                         output->values, &failure->error);
    }
    mbn_context_free(context);
    return status;
}

/* What the bytes of --raw stand for. */
static mbn_status find_bytes(const struct arguments *arguments, const mbn_model *model,
                             mbn_quantization *quantization, mbn_error *error) {
    if (!arguments->raw || mbn_model_output_quantization(model, arguments->kind, quantization)) {
        return MBN_OK;
    }
    return mbn_explain(error, MBN_INVALID_ARGUMENT, "--raw: its %s are floats",
                       arguments->kind == MBN_LOGITS ? "logits" : "probabilities");
}

static mbn_status write(const struct arguments *arguments, const mbn_npy *output,
                        const mbn_quantization *quantization, mbn_error *error) {
    return arguments->raw ? mbn_npy_write_bytes(arguments->output, output, quantization, error)
                          : mbn_npy_write(arguments->output, output, error);
}

static mbn_status run(const struct arguments *arguments, struct failure *failure) {
    mbn_quantization quantization = {0};
    mbn_model *model = NULL;
    mbn_npy input = {0};
    mbn_npy output = {0};
    mbn_model_options model_options = {.isa_mask = arguments->run.isa_mask,
                                       .precision = arguments->run.precision};
    failure->subject = NULL;
    mbn_status status =
        mbn_load_classifier(arguments->model, &model_options, &model, &failure->error);
    if (status == MBN_OK) {
        failure->subject = arguments->model;
        status = find_bytes(arguments, model, &quantization, &failure->error);
    }
    if (status == MBN_OK) {
        failure->subject = arguments->input;
        status = mbn_npy_read(arguments->input, &input, &failure->error);
    }
    if (status == MBN_OK) status = infer(arguments, model, &input, &output, failure);
    if (status == MBN_OK) {
        failure->subject = arguments->output;
        status = write(arguments, &output, &quantization, &failure->error);
    }
    free(output.values);
    free(input.values);
    mbn_model_free(model);
    return status;
}

int mbn_command_run(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_run_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL --input X.npy --output Y.npy",
        .doc = "Run a model on images that are already preprocessed.",
        .children = children,
    };
    struct arguments arguments = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1},
                                  .kind = MBN_LOGITS};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    struct failure failure;
    if (run(&arguments, &failure) == MBN_OK) return MBN_EXIT_OK;
    mbn_report(failure.subject, failure.error.message);
    return MBN_EXIT_FAILED;
}
