/* mobilenet plan MODEL: the steps that a model runs in, and the memory that it takes. */
#include "command.h"
#include "inspect.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

/* "3" or "3-5"; "-" for none. */
static void print_layers(const mbn_step_info *step) {
    char layers[32];
    if (mbn_inspect_converts(step)) {
        strcpy(layers, "-");
    } else if (step->last_layer == step->first_layer) {
        snprintf(layers, sizeof layers, "%d", step->first_layer);
    } else {
        snprintf(layers, sizeof layers, "%d-%d", step->first_layer, step->last_layer);
    }
    printf("%-7s", layers);
}

static void print_steps(const mbn_inspection *inspection) {
    static const char name_heading[] = "first layer", kind_heading[] = "runs";
    const mbn_network *network = inspection->network;
    const int name_width = mbn_inspect_name_width(inspection, name_heading);
    const int kind_width = mbn_inspect_kind_width(inspection, kind_heading);
    printf("%5s  %-7s  %-*s  %-*s  %11s %5s %6s %14s %12s\n", "step", "layers", name_width,
           name_heading, kind_width, kind_heading, "output", "band", "tasks", "multiply-adds",
           "bytes");
    int64_t bytes = 0;
    for (int32_t i = 0; i < mbn_context_step_count(inspection->context); i++) {
        const mbn_step_info step = mbn_inspect_step(inspection, i);
        printf("%5d  ", i);
        print_layers(&step);
        printf("  %-*s  %-*s  %11s %5d %6d %14s %12s\n", name_width,
               network->layers[step.first_layer].name, kind_width,
               mbn_inspect_kind(network, &step).text, mbn_inspect_shape(network, &step).text,
               step.band_rows, step.tasks, mbn_digits_of(step.multiply_adds).text,
               mbn_digits_of(step.bytes).text);
        bytes += step.bytes;
    }
    printf("%5s  %*s %14s %12s\n", "total", 7 + 2 + name_width + 2 + kind_width + 2 + 11 + 6 + 7,
           "", mbn_digits_of(network->multiply_adds).text, mbn_digits_of(bytes).text);
}

static void print_memory(const mbn_inspection *inspection) {
    const mbn_digits arena = mbn_digits_of((int64_t)mbn_context_arena_bytes(inspection->context));
    const mbn_digits context = mbn_digits_of((int64_t)inspection->context_bytes);
    const mbn_digits model = mbn_digits_of((int64_t)mbn_model_bytes(inspection->model));
    printf(
        "\nband: output rows computed together; tasks: pieces that threads share; bytes: that a\n"
        "step has to move at least (inputs, weights and bias, outputs).\n\n"
        "arena    %12s bytes, the activations\n"
        "context  %12s bytes: arena, preprocessed image, plan\n"
        "model    %12s bytes: packed weights, tables, labels\n",
        arena.text, context.text, model.text);
}

static bool print_json(const mbn_inspection *inspection) {
    json_t *steps = json_array();
    for (int32_t i = 0; i < mbn_context_step_count(inspection->context); i++) {
        mbn_json_append(&steps, mbn_inspect_step_json(inspection, i));
    }
    return mbn_json_print(mbn_json_with(mbn_inspect_json(inspection), "steps", steps));
}

int mbn_command_plan(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_inspect_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .args_doc = "MODEL",
        .doc = "Print how a model will run: which layers run together in which pieces, and the "
               "memory that it takes.",
        .children = children,
    };
    mbn_inspect_options options = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1}};
    if (!mbn_options_parse(&argp, argc, argv, 0, &options)) return MBN_EXIT_FAILED;

    mbn_inspection inspection;
    mbn_error error;
    if (mbn_inspect(&options, &inspection, &error) != MBN_OK) {
        return mbn_inspect_failed(NULL, &error);
    }
    bool printed = true;
    if (options.json) {
        printed = print_json(&inspection);
    } else {
        mbn_inspect_print(&inspection);
        print_steps(&inspection);
        print_memory(&inspection);
    }
    mbn_inspect_end(&inspection);
    return printed ? MBN_EXIT_OK : MBN_EXIT_FAILED;
}
