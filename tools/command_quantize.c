/* mobilenet quantize MODEL OUT.safetensors --calibrate DIR: from floats to 8-bit integers. */
#include "command.h"
#include "file.h"
#include "left_out.h"
#include "options.h"
#include "plot_loss.h"
#include "progress.h"
#include "quantization.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_CALIBRATE = 'c', KEY_METHOD = 'm', KEY_KEEP_FLOAT = 'k', KEY_PLOT = 'p' };
enum { KEY_THREADS = 0x200 };

/* Fewer images than these rarely have all that a network's values can be. */
enum { FEW = 32 };

struct arguments {
    const char *model, *output, *calibrate, *plot;
    mbn_quantize_options options;
    const char **keep_float; /* room for one per word of the command line */
};

static const struct argp_option options[] = {
    {"calibrate", KEY_CALIBRATE, "DIR|X.npy", 0,
     "Images like those that the network will see, a few hundred: the JPEG, PNG and BMP files of a "
     "folder and of the folders in it, or float32 [N,height,width,channels], preprocessed",
     0},
    {"method", KEY_METHOD, "M", 0,
     "How ranges follow from values: minmax, percentile or mse (default: what loses least)", 0},
    {"keep-float", KEY_KEEP_FLOAT, "LAYER", 0,
     "A layer, by its name, that stays in float; may be repeated", 0},
    {"plot", KEY_PLOT, "P.svg", 0, "Draw the loss of every layer, too", 0},
    {"threads", KEY_THREADS, "N", 0,
     "Number of threads, 1 to 1024, with an image each (default: one for each CPU that may be "
     "used)",
     0},
    {0},
};

static const char *method_name(int method) {
    return mbn_range_method_name((mbn_range_method)method);
}

static void check_complete(struct argp_state *state, const struct arguments *arguments) {
    if (arguments->output == NULL) {
        argp_error(state, "missing argument: MODEL and OUT.safetensors are needed");
    }
    if (arguments->calibrate == NULL) {
        argp_error(state,
                   "missing option: --calibrate DIR, a folder with a few hundred photos like "
                   "those that the network will see, or X.npy");
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    mbn_quantize_options *asked = &arguments->options;
    switch (key) {
    case KEY_CALIBRATE: arguments->calibrate = argument; return 0;
    case KEY_METHOD:
        asked->method = (mbn_range_method)mbn_option_choice(state, "--method", argument,
                                                            method_name, MBN_RANGE_MINMAX);
        return 0;
    case KEY_KEEP_FLOAT: arguments->keep_float[asked->keep_float_count++] = argument; return 0;
    case KEY_PLOT: arguments->plot = mbn_option_output(state, "--plot", argument, ".svg"); return 0;
    case KEY_THREADS:
        asked->threads = (int32_t)mbn_option_integer(state, "--threads", argument, 1, 1024);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) argp_error(state, "too many arguments: '%s'", argument);
        if (state->arg_num == 0) {
            arguments->model = argument;
        } else {
            arguments->output =
                mbn_option_output(state, "OUT.safetensors", argument, ".safetensors");
        }
        return 0;
    case ARGP_KEY_END: check_complete(state, arguments); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void show_progress(void *user, int64_t done, int64_t total) {
    mbn_progress_show(user, done, total);
}

/* Photos that could not be read. */
static void report_failures(const mbn_calibration_set *set) {
    for (int32_t i = 0; set->failures != NULL && i < set->count; i++) {
        if (set->failures[i] != NULL) mbn_report(set->photos.images[i].path, set->failures[i]);
    }
}

static mbn_status quantize(const struct arguments *arguments, const mbn_model *model,
                           mbn_quantized **quantized, mbn_error *error) {
    mbn_calibration_set set;
    mbn_progress progress = mbn_progress_begin();
    mbn_quantize_options asked = arguments->options;
    asked.keep_float = arguments->keep_float;
    asked.progress = show_progress;
    asked.user = &progress;
    mbn_status status = mbn_calibration_open(arguments->calibrate, model, &set, error);
    if (status == MBN_OK) {
        mbn_left_out_report(&set.photos);
        const mbn_calibration calibration = {set.count, mbn_calibration_read, &set};
        status = mbn_quantize(arguments->model, &calibration, &asked, quantized, error);
        report_failures(&set);
    }
    mbn_calibration_close(&set);
    return status;
}

static int report(const struct arguments *arguments, const mbn_quantized *quantized,
                  const mbn_network *network) {
    const int32_t images = quantized->calibrated + quantized->held_out;
    if (images < FEW) {
        fprintf(stderr,
                "mobilenet: %s: only %d images: ranges are too narrow for what these do not show; "
                "give a few hundred\n",
                arguments->calibrate, (int)images);
    }
    mbn_quantized_print(quantized, network);
    mbn_error error;
    const mbn_part part = {quantized->file, quantized->file_bytes};
    if (mbn_file_write(arguments->output, &part, 1, &error) != MBN_OK) {
        mbn_report(arguments->output, error.message);
        return MBN_EXIT_FAILED;
    }
    if (arguments->plot == NULL) return MBN_EXIT_OK;
    char date[16];
    mbn_today(date);
    if (mbn_plot_loss(arguments->plot, quantized, network, date, &error) == MBN_OK) {
        return MBN_EXIT_OK;
    }
    mbn_report(arguments->plot, error.message);
    return MBN_EXIT_FAILED;
}

static int run(const struct arguments *arguments) {
    mbn_model *model;
    mbn_error error;
    if (mbn_model_load(arguments->model, NULL, &model, &error) != MBN_OK) {
        mbn_report(NULL, error.message);
        return MBN_EXIT_FAILED;
    }
    mbn_quantized *quantized = NULL;
    int exit_status = MBN_EXIT_FAILED;
    if (quantize(arguments, model, &quantized, &error) == MBN_OK) {
        exit_status = report(arguments, quantized, mbn_model_network(model));
    } else {
        mbn_report(NULL, error.message);
    }
    mbn_quantized_free(quantized);
    mbn_model_free(model);
    return exit_status;
}

int mbn_command_quantize(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL OUT.safetensors --calibrate DIR|X.npy",
        .doc = "Make of a model of floats one of 8-bit integers, and print what is lost: of the "
               "outputs with everything that was tried, and of every layer with what was kept.",
    };
    struct arguments arguments = {.model = NULL};
    arguments.keep_float = calloc((size_t)argc, sizeof *arguments.keep_float);
    if (arguments.keep_float == NULL) {
        mbn_report("arguments", mbn_status_text(MBN_OUT_OF_MEMORY));
        return MBN_EXIT_FAILED;
    }
    int exit_status = MBN_EXIT_FAILED;
    if (mbn_options_parse(&argp, argc, argv, 0, &arguments)) exit_status = run(&arguments);
    free(arguments.keep_float);
    return exit_status;
}
