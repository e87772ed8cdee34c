#include "inspect.h"

#include "command.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

/* ---- The command line ------------------------------------------------------------------------ */

enum { KEY_BAND = 0x300, KEY_INPUT = 'i', KEY_JSON = 'j' };

static int32_t parse_band(struct argp_state *state, const char *text) {
    if (strcmp(text, "none") == 0) return -1;
    return (int32_t)mbn_option_integer(state, "--band", text, 1, 1024);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    mbn_inspect_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->run; return 0;
    case KEY_INPUT:
        mbn_option_size(state, "--input", argument, &options->input_height, &options->input_width);
        return 0;
    case KEY_BAND: options->band_rows = parse_band(state, argument); return 0;
    case KEY_JSON: options->json = true; return 0;
    case ARGP_KEY_ARG:
        if (options->model != NULL) argp_error(state, "too many arguments: '%s'", argument);
        options->model = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->model == NULL) argp_error(state, "missing argument: MODEL");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"input", KEY_INPUT, "SIZE", 0,
     "Input size, N or HxW, each 32 to 1024 (default: the model's own)", 0},
    {"band", KEY_BAND, "ROWS", 0,
     "Rows of a block that run together, 1 to 1024, or `none': every layer by itself (default: "
     "chosen from the cache sizes)",
     0},
    {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static const struct argp_child children[] = {{&mbn_run_argp, 0, NULL, 0}, {0}};

const struct argp mbn_inspect_argp = {.options = options, .parser = parse, .children = children};

/* ---- The context ----------------------------------------------------------------------------- */

mbn_status mbn_inspect(const mbn_inspect_options *from, mbn_inspection *inspection,
                       mbn_error *error) {
    const mbn_model_options model_options = {.isa_mask = from->run.isa_mask,
                                             .precision = from->run.precision};
    const mbn_context_options context_options = {.input_height = from->input_height,
                                                 .input_width = from->input_width,
                                                 .threads = from->run.threads,
                                                 .band_rows = from->band_rows};
    *inspection = (mbn_inspection){0};
    mbn_status status = mbn_model_load(from->model, &model_options, &inspection->model, error);
    if (status == MBN_OK) {
        status = mbn_context_bytes(inspection->model, &context_options, &inspection->context_bytes,
                                   error);
    }
    if (status == MBN_OK) {
        status =
            mbn_context_create(inspection->model, &context_options, &inspection->context, error);
    }
    if (status != MBN_OK) {
        mbn_inspect_end(inspection);
        return status;
    }
    inspection->network = mbn_context_network(inspection->context);
    inspection->kernels = mbn_model_kernels(inspection->model);
    return MBN_OK;
}

void mbn_inspect_end(mbn_inspection *inspection) {
    mbn_context_free(inspection->context);
    mbn_model_free(inspection->model);
    *inspection = (mbn_inspection){0};
}

int mbn_inspect_failed(const char *subject, const mbn_error *error) {
    mbn_report(subject, error->message);
    return error->status == MBN_INVALID_ARGUMENT ? MBN_EXIT_USAGE : MBN_EXIT_FAILED;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

mbn_step_info mbn_inspect_step(const mbn_inspection *inspection, int32_t index) {
    mbn_step_info step = {0};
    mbn_context_step(inspection->context, index, &step, NULL);
    return step;
}

mbn_step_kind mbn_inspect_kind(const mbn_network *network, const mbn_step_info *step) {
    mbn_step_kind kind = {""};
    if (mbn_inspect_converts(step)) strcpy(kind.text, "convert");
    for (int32_t i = step->first_layer; i <= step->last_layer; i++) {
        const size_t length = strlen(kind.text);
        snprintf(kind.text + length, sizeof kind.text - length, "%s%s",
                 i == step->first_layer ? "" : "+", mbn_layer_role_name(network->layers[i].role));
    }
    return kind;
}

/* Height, width and channels of what a step hands on. */
struct extent {
    int32_t height, width, channels;
};

static struct extent extent_of(const mbn_network *network, const mbn_step_info *step) {
    if (mbn_inspect_converts(step)) {
        const mbn_layer *reader = &network->layers[step->first_layer];
        return (struct extent){reader->input_height, reader->input_width, reader->input_channels};
    }
    const mbn_layer *last = &network->layers[step->last_layer];
    return (struct extent){last->output_height, last->output_width, last->output_channels};
}

mbn_step_shape mbn_inspect_shape(const mbn_network *network, const mbn_step_info *step) {
    const struct extent extent = extent_of(network, step);
    mbn_step_shape shape;
    snprintf(shape.text, sizeof shape.text, "%dx%dx%d", extent.height, extent.width,
             extent.channels);
    return shape;
}

static int wider(int width, const char *text) {
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

int mbn_inspect_name_width(const mbn_inspection *inspection, const char *heading) {
    int width = wider(0, heading);
    for (int32_t i = 0; i < mbn_context_step_count(inspection->context); i++) {
        const mbn_step_info step = mbn_inspect_step(inspection, i);
        width = wider(width, inspection->network->layers[step.first_layer].name);
    }
    return width;
}

int mbn_inspect_kind_width(const mbn_inspection *inspection, const char *heading) {
    int width = wider(0, heading);
    for (int32_t i = 0; i < mbn_context_step_count(inspection->context); i++) {
        const mbn_step_info step = mbn_inspect_step(inspection, i);
        width = wider(width, mbn_inspect_kind(inspection->network, &step).text);
    }
    return width;
}

/* ---- Text and JSON --------------------------------------------------------------------------- */

const char *mbn_inspect_precision(const mbn_inspection *inspection) {
    return mbn_precision_name(mbn_model_precision(inspection->model));
}

void mbn_inspect_print(const mbn_inspection *inspection) {
    const mbn_network *network = inspection->network;
    const mbn_kernels *kernels = inspection->kernels;
    const int32_t threads = mbn_context_threads(inspection->context);
    printf("%s, width %g, input %dx%d, %d classes\n", network->name, network->width,
           network->input_height, network->input_width, network->classes);
    printf("%s kernels in %s: blocks of %d channels, panels of %d blocks; %d thread%s\n\n",
           kernels->name, mbn_inspect_precision(inspection), kernels->blocking.block,
           kernels->blocking.panel, threads, threads == 1 ? "" : "s");
}

json_t *mbn_inspect_json(const mbn_inspection *inspection) {
    const mbn_network *network = inspection->network;
    const mbn_kernels *kernels = inspection->kernels;
    return json_pack(
        "{s:s, s:f, s:[i,i], s:i, s:i, s:I, s:s, s:{s:s,s:i,s:i}, s:i, s:{s:I,s:I,s:I}}", "network",
        network->name, "width", network->width, "input", network->input_height,
        network->input_width, "input_channels", network->input_channels, "classes",
        network->classes, "multiply_adds", (json_int_t)network->multiply_adds, "precision",
        mbn_inspect_precision(inspection), "kernels", "name", kernels->name, "block",
        kernels->blocking.block, "panel", kernels->blocking.panel, "threads",
        mbn_context_threads(inspection->context), "memory", "arena",
        (json_int_t)mbn_context_arena_bytes(inspection->context), "context",
        (json_int_t)inspection->context_bytes, "model",
        (json_int_t)mbn_model_bytes(inspection->model));
}

static json_t *layers_json(const mbn_network *network, const mbn_step_info *step) {
    json_t *layers = json_array();
    for (int32_t i = step->first_layer; i <= step->last_layer; i++) {
        const mbn_layer *layer = &network->layers[i];
        mbn_json_append(&layers, json_pack("{s:s, s:s, s:s}", "name", layer->name, "kind",
                                           mbn_layer_kind_name(layer->kind), "role",
                                           mbn_layer_role_name(layer->role)));
    }
    return layers;
}

json_t *mbn_inspect_step_json(const mbn_inspection *inspection, int32_t index) {
    const mbn_network *network = inspection->network;
    const mbn_step_info step = mbn_inspect_step(inspection, index);
    const struct extent output = extent_of(network, &step);
    return json_pack("{s:s, s:i, s:i, s:o, s:[i,i,i], s:i, s:i, s:I, s:I}", "kind",
                     mbn_inspect_kind(network, &step).text, "first_layer", step.first_layer,
                     "last_layer", step.last_layer, "layers", layers_json(network, &step), "output",
                     output.height, output.width, output.channels, "band_rows", step.band_rows,
                     "tasks", step.tasks, "multiply_adds", (json_int_t)step.multiply_adds, "bytes",
                     (json_int_t)step.bytes);
}
