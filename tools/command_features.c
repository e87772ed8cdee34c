/* mobilenet features MODEL --input X.npy --output DIR --stage NAME...: values from the middle of a
 * network. */
#include "command.h"
#include "input.h"
#include "npy.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    KEY_INPUT = 'i',
    KEY_OUTPUT = 'o',
    KEY_STAGE = 's',
    KEY_LAYOUT = 'l',
    KEY_RAW = 'r',
    KEY_LIST = 0x200
};

struct arguments {
    mbn_run_options run;
    const char *model, *input, *output;
    const char **stages; /* room for one per word of the command line */
    int32_t stage_count;
    mbn_tensor_layout layout;
    bool list, raw;
};

static const struct argp_option options[] = {
    {"input", KEY_INPUT, "X.npy", 0,
     "Images: float32 [N,height,width,channels], preprocessed, of any size that the network takes",
     0},
    {"output", KEY_OUTPUT, "DIR", 0,
     "Folder for STAGE.npy files: float32 [N,height,width,channels], of vectors [N,channels]", 0},
    {"stage", KEY_STAGE, "NAME...", 0,
     "stride4 to stride32, block0 and on, pool, or a layer's name; may be repeated", 0},
    {"layout", KEY_LAYOUT, "L", 0, "nhwc or nchw ([N,channels,height,width]; default nhwc)", 0},
    {"raw", KEY_RAW, NULL, 0,
     "Of a model of integers: write its bytes, int8 or uint8, instead of the floats that they "
     "stand for",
     0},
    {"list", KEY_LIST, NULL, 0, "Print the model's stages, their shapes and layers, instead", 0},
    {0},
};

static mbn_tensor_layout parse_layout(struct argp_state *state, const char *text) {
    if (strcmp(text, "nchw") == 0) return MBN_NCHW;
    if (strcmp(text, "nhwc") != 0) argp_error(state, "--layout: '%s' is not nhwc or nchw", text);
    return MBN_NHWC;
}

static void check_complete(struct argp_state *state, const struct arguments *arguments) {
    if (arguments->model == NULL) argp_error(state, "missing argument: MODEL");
    if (arguments->list) return;
    if (arguments->input == NULL) argp_error(state, "missing option: --input");
    if (arguments->output == NULL) argp_error(state, "missing option: --output");
    if (arguments->stage_count == 0) argp_error(state, "missing option: --stage");
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->run; return 0;
    case KEY_INPUT: arguments->input = argument; return 0;
    case KEY_OUTPUT: arguments->output = argument; return 0;
    case KEY_STAGE: arguments->stages[arguments->stage_count++] = argument; return 0;
    case KEY_LAYOUT: arguments->layout = parse_layout(state, argument); return 0;
    case KEY_RAW: arguments->raw = true; return 0;
    case KEY_LIST: arguments->list = true; return 0;
    case ARGP_KEY_ARG:
        if (arguments->model == NULL) {
            arguments->model = argument;
        } else if (arguments->stage_count == 0) {
            argp_error(state, "too many arguments: '%s'", argument);
        } else { /* --stage A B C */
            arguments->stages[arguments->stage_count++] = argument;
        }
        return 0;
    case ARGP_KEY_END: check_complete(state, arguments); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct failure {
    const char *subject; /* the file that it is about; NULL where the message names it */
    mbn_error error;
};

/* ---- Listing --------------------------------------------------------------------------------- */

static mbn_status list_stages(const struct arguments *arguments, struct failure *failure) {
    mbn_model *model;
    const mbn_model_options options_of_model = {.isa_mask = arguments->run.isa_mask,
                                                .precision = arguments->run.precision,
                                                .headless = true};
    failure->subject = NULL;
    const mbn_status status =
        mbn_model_load(arguments->model, &options_of_model, &model, &failure->error);
    if (status != MBN_OK) return status;
    const mbn_network *network = mbn_model_network(model);
    printf("%-36s %14s  %s\n", "stage", "shape", "layer");
    mbn_stage_info stage;
    for (int32_t i = 0; mbn_network_stage_at(network, i, &stage); i++) {
        char shape[40];
        snprintf(shape, sizeof shape, "%dx%dx%d", stage.height, stage.width, stage.channels);
        const char *layer = network->layers[stage.layer].name;
        printf("%-36s %14s  %s\n", stage.name, shape, strcmp(layer, stage.name) == 0 ? "" : layer);
    }
    mbn_model_free(model);
    return MBN_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The output of a stage as an array without values. */
static mbn_npy array_of(const mbn_stage_info *stage, mbn_tensor_layout layout, int64_t images) {
    mbn_npy array = {.count = images * stage->height * stage->width * stage->channels};
    if (stage->stride_vertical == 0) {
        array.rank = 2;
        array.shape[1] = stage->channels;
    } else {
        const bool planes = layout == MBN_NCHW;
        array.rank = 4;
        array.shape[planes ? 2 : 1] = stage->height;
        array.shape[planes ? 3 : 2] = stage->width;
        array.shape[planes ? 1 : 3] = stage->channels;
    }
    array.shape[0] = images;
    return array;
}

/* What the bytes of --raw stand for. */
static mbn_status find_bytes(const mbn_model *model, const char *name,
                             mbn_quantization *quantization, mbn_error *error) {
    mbn_stage_info stage;
    const mbn_status status = mbn_network_stage(mbn_model_network(model), name, &stage, error);
    if (status != MBN_OK || mbn_model_layer_quantization(model, stage.layer, quantization)) {
        return status;
    }
    return mbn_explain(error, MBN_INVALID_ARGUMENT, "--raw: %.64s is of floats", name);
}

static mbn_status write_stage(const struct arguments *arguments, const mbn_model *model,
                              const char *stage, const mbn_npy *array, struct failure *failure) {
    const size_t size = strlen(arguments->output) + strlen(stage) + sizeof "/.npy";
    char *path = malloc(size);
    failure->subject = arguments->output;
    if (path == NULL) return mbn_explain(&failure->error, MBN_OUT_OF_MEMORY, "out of memory");
    snprintf(path, size, "%s/%s.npy", arguments->output, stage);
    mbn_error reason;
    mbn_quantization quantization;
    mbn_status status = arguments->raw ? find_bytes(model, stage, &quantization, &reason) : MBN_OK;
    if (status == MBN_OK) {
        status = arguments->raw ? mbn_npy_write_bytes(path, array, &quantization, &reason)
                                : mbn_npy_write(path, array, &reason);
    }
    if (status != MBN_OK) {
        failure->subject = NULL;
        mbn_explain(&failure->error, status, "%s: %s", path, reason.message);
    }
    free(path);
    return status;
}

static mbn_status write_stages(const struct arguments *arguments, const mbn_model *model,
                               const mbn_npy *arrays, struct failure *failure) {
    if (mkdir(arguments->output, 0777) != 0 && errno != EEXIST) {
        failure->subject = arguments->output;
        return mbn_explain(&failure->error, MBN_IO, "%s", strerror(errno));
    }
    mbn_status status = MBN_OK;
    for (int32_t i = 0; status == MBN_OK && i < arguments->stage_count; i++) {
        status = write_stage(arguments, model, arguments->stages[i], &arrays[i], failure);
    }
    return status;
}

/* Fills arrays[stage_count] and maps[stage_count], whose values are the same. */
static mbn_status allocate(const struct arguments *arguments, const mbn_context *context,
                           int64_t images, mbn_npy *arrays, mbn_feature_map *maps,
                           mbn_error *error) {
    for (int32_t i = 0; i < arguments->stage_count; i++) {
        mbn_stage_info stage;
        const mbn_status status =
            mbn_network_stage(mbn_context_network(context), arguments->stages[i], &stage, error);
        if (status != MBN_OK) return status;
        arrays[i] = array_of(&stage, arguments->layout, images);
        arrays[i].values = malloc((size_t)arrays[i].count * sizeof(float));
        if (arrays[i].values == NULL) {
            return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
        }
        maps[i] = (mbn_feature_map){arrays[i].values, arguments->layout};
    }
    return MBN_OK;
}

static mbn_status infer(const struct arguments *arguments, const mbn_model *model,
                        const mbn_npy *input, mbn_npy *arrays, mbn_feature_map *maps,
                        struct failure *failure) {
    const mbn_context_options context_options = {.threads = arguments->run.threads,
                                                 .stages = arguments->stages,
                                                 .stage_count = arguments->stage_count};
    mbn_context *context;
    failure->subject = arguments->input;
    mbn_status status =
        mbn_input_context(model, input, &context_options, &context, &failure->error);
    if (status != MBN_OK) return status;
    status = allocate(arguments, context, input->shape[0], arrays, maps, &failure->error);
    if (status == MBN_OK) {
        status = mbn_features(context, input->values, MBN_NHWC, (int32_t)input->shape[0], maps,
                              &failure->error);
    }
    mbn_context_free(context);
    return status;
}

/* Checks the names before any input is read.  Only where a stage lies behind the pool is the head
 * loaded: a file need not have one. */
static mbn_status load(const struct arguments *arguments, mbn_model **model, mbn_error *error) {
    mbn_model_options load_options = {.isa_mask = arguments->run.isa_mask,
                                      .precision = arguments->run.precision,
                                      .headless = true};
    mbn_status status = mbn_model_load(arguments->model, &load_options, model, error);
    if (status != MBN_OK) return status;
    mbn_stage_info pool, stage;
    const mbn_network *network = mbn_model_network(*model);
    status = mbn_network_stage(network, "pool", &pool, error);
    for (int32_t i = 0; status == MBN_OK && i < arguments->stage_count; i++) {
        status = mbn_network_stage(network, arguments->stages[i], &stage, error);
        if (status == MBN_OK && stage.layer > pool.layer) load_options.headless = false;
    }
    if (status == MBN_OK && load_options.headless) return MBN_OK;
    mbn_model_free(*model);
    *model = NULL;
    if (status != MBN_OK) return status;
    return mbn_model_load(arguments->model, &load_options, model, error);
}

static mbn_status run(const struct arguments *arguments, struct failure *failure) {
    const size_t stages = (size_t)arguments->stage_count;
    mbn_model *model = NULL;
    mbn_npy input = {0};
    mbn_npy *arrays = calloc(stages, sizeof *arrays);
    mbn_feature_map *maps = calloc(stages, sizeof *maps);
    mbn_status status = MBN_OK;
    failure->subject = NULL;
    if (arrays == NULL || maps == NULL) {
        status = mbn_explain(&failure->error, MBN_OUT_OF_MEMORY, "feature maps: out of memory");
    }
    if (status == MBN_OK) status = load(arguments, &model, &failure->error);
    if (status == MBN_OK) {
        failure->subject = arguments->input;
        status = mbn_npy_read(arguments->input, &input, &failure->error);
    }
    if (status == MBN_OK) status = infer(arguments, model, &input, arrays, maps, failure);
    if (status == MBN_OK) status = write_stages(arguments, model, arrays, failure);
    for (size_t i = 0; arrays != NULL && i < stages; i++) free(arrays[i].values);
    free(maps);
    free(arrays);
    free(input.values);
    mbn_model_free(model);
    return status;
}

int mbn_command_features(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_run_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL --input X.npy --output DIR --stage NAME...\nMODEL --list",
        .doc =
            "Write feature maps: what layers in the middle of a network compute from images that "
            "are already preprocessed.  Nothing behind the last stage runs.",
        .children = children,
    };
    struct arguments arguments = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1},
                                  .layout = MBN_NHWC};
    arguments.stages = calloc((size_t)argc, sizeof *arguments.stages);
    if (arguments.stages == NULL) {
        mbn_report("arguments", mbn_status_text(MBN_OUT_OF_MEMORY));
        return MBN_EXIT_FAILED;
    }
    int exit_status = MBN_EXIT_FAILED;
    if (mbn_options_parse(&argp, argc, argv, 0, &arguments)) {
        struct failure failure;
        const mbn_status status =
            arguments.list ? list_stages(&arguments, &failure) : run(&arguments, &failure);
        exit_status = status == MBN_OK ? MBN_EXIT_OK : MBN_EXIT_FAILED;
        if (status != MBN_OK) mbn_report(failure.subject, failure.error.message);
    }
    free(arguments.stages);
    return exit_status;
}
