/* mobilenet classify MODEL IMAGE...: names what is in photos. */
#include "command.h"
#include "input.h"
#include "options.h"
#include "preprocessing.h"
#include "report.h"
#include "scores.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_TOP = 1000000, KEY_TOP = 'k', KEY_JSON = 'j', KEY_LABELS = 'l' };

struct arguments {
    mbn_run_options run;
    mbn_preprocessing_options preprocessing;
    const char *model, *labels;
    char **images;
    int image_count;
    int32_t top;
    bool json;
};

static const struct argp_option options[] = {
    {"top", KEY_TOP, "K", 0, "Classes per image, the most probable first, 1 to 1000000 (default 5)",
     0},
    {"labels", KEY_LABELS, "FILE", 0,
     "Names of the classes: text with one per line, or JSON (default: the model's)", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON: an array with one object per image", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->preprocessing;
        return 0;
    case KEY_TOP:
        arguments->top = (int32_t)mbn_option_integer(state, "--top", argument, 1, MAX_TOP);
        return 0;
    case KEY_LABELS: arguments->labels = argument; return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            arguments->model = argument;
        } else { /* the first image; the others follow it in argv */
            arguments->images = &state->argv[state->next - 1];
            arguments->image_count = state->argc - state->next + 1;
            state->next = state->argc;
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->image_count == 0) {
            argp_error(state, "missing argument: MODEL and IMAGE are needed");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* A loaded model with room for its outputs. */
struct classifier {
    mbn_model *model;
    mbn_context *context;
    mbn_labels labels;
    mbn_scoring scoring;
    float *scores;
    int32_t *indices;
    int32_t top;
};

static void close_classifier(struct classifier *classifier) {
    free(classifier->indices);
    free(classifier->scores);
    mbn_labels_free(&classifier->labels);
    mbn_context_free(classifier->context);
    mbn_model_free(classifier->model);
}

static mbn_status open_classifier(const struct arguments *arguments, struct classifier *classifier,
                                  mbn_error *error) {
    mbn_model_options model_options = {.isa_mask = arguments->run.isa_mask,
                                       .precision = arguments->run.precision};
    mbn_status status =
        mbn_load_classifier(arguments->model, &model_options, &classifier->model, error);
    if (status == MBN_OK) {
        status = mbn_load_labels(arguments->labels, classifier->model, &classifier->labels, error);
    }
    if (status != MBN_OK) return status;
    mbn_context_options context_options = {.threads = arguments->run.threads};
    status = mbn_create_image_context(classifier->model, &context_options,
                                      &arguments->preprocessing, &classifier->context, error);
    if (status != MBN_OK) return status;

    classifier->scoring = mbn_scoring_of(classifier->model, &classifier->labels);
    const int32_t classes = classifier->scoring.classes;
    classifier->top = arguments->top < classes ? arguments->top : classes;
    classifier->scores = malloc((size_t)classes * sizeof *classifier->scores);
    classifier->indices = malloc((size_t)classifier->top * sizeof *classifier->indices);
    if (classifier->scores == NULL || classifier->indices == NULL) {
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "scores: out of memory");
    }
    return MBN_OK;
}

static double milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Leaves the best classes in classifier->indices.  The time is that of preprocessing and network;
 * reading and decoding the file is not in it. */
static mbn_status classify(struct classifier *classifier, const char *path, double *milliseconds,
                           mbn_error *error) {
    mbn_rgb pixels;
    mbn_image image;
    const int32_t channels = mbn_model_network(classifier->model)->input_channels;
    mbn_status status = mbn_read_image(path, channels, &pixels, &image, error);
    if (status != MBN_OK) return status;
    double start = milliseconds_now();
    status = mbn_score_image(&classifier->scoring, classifier->context, &image, classifier->scores,
                             error);
    *milliseconds = milliseconds_now() - start;
    free(pixels.pixels);
    if (status != MBN_OK) return status;
    mbn_top(classifier->scores, classifier->scoring.classes, classifier->top, classifier->indices);
    return MBN_OK;
}

static void print_classes(const struct classifier *classifier, const char *path,
                          double milliseconds) {
    const bool probable = classifier->scoring.kind != MBN_NO_PROBABILITIES;
    printf("%s: %.1f ms\n", path, milliseconds);
    for (int32_t i = 0; i < classifier->top; i++) {
        int32_t index = classifier->indices[i];
        const char *label = mbn_labels_name(&classifier->labels, index);
        printf(probable ? "  %.3f  " : "  %.6g  ", (double)classifier->scores[index]);
        if (label != NULL) {
            mbn_print_label(label);
            printf(" (%d)\n", index);
        } else {
            printf("class %d\n", index);
        }
    }
}

static json_t *classes_to_json(const struct classifier *classifier, const char *path,
                               double milliseconds) {
    const char *score = classifier->scoring.kind == MBN_NO_PROBABILITIES ? "value" : "probability";
    json_t *classes = json_array();
    for (int32_t i = 0; i < classifier->top; i++) {
        int32_t index = classifier->indices[i];
        const char *label = mbn_labels_name(&classifier->labels, index);
        mbn_json_append(&classes,
                        json_pack("{s:i, s:o, s:o}", "index", index, "label",
                                  label != NULL ? mbn_json_text(label) : json_null(), score,
                                  mbn_json_real((double)classifier->scores[index])));
    }
    double rounded = (double)(int64_t)(milliseconds * 1e3 + 0.5) / 1e3;
    return json_pack("{s:o, s:f, s:o}", "file", mbn_json_text(path), "milliseconds", rounded,
                     "classes", classes);
}

static int classify_all(const struct arguments *arguments, struct classifier *classifier) {
    int exit_status = MBN_EXIT_OK;
    json_t *results = json_array();
    for (int i = 0; i < arguments->image_count; i++) {
        const char *path = arguments->images[i];
        mbn_error error;
        double milliseconds = 0;
        mbn_status status = classify(classifier, path, &milliseconds, &error);
        if (status != MBN_OK) {
            mbn_report(path, error.message);
            exit_status = MBN_EXIT_FAILED;
        }
        if (!arguments->json) {
            if (status == MBN_OK) print_classes(classifier, path, milliseconds);
            continue;
        }
        mbn_json_append(&results, status == MBN_OK
                                      ? classes_to_json(classifier, path, milliseconds)
                                      : json_pack("{s:o, s:o}", "file", mbn_json_text(path),
                                                  "error", mbn_json_text(error.message)));
    }
    if (!arguments->json) {
        json_decref(results);
    } else if (!mbn_json_print(results)) {
        exit_status = MBN_EXIT_FAILED;
    }
    return exit_status;
}

int mbn_command_classify(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&mbn_run_argp, 0, NULL, 0}, {&mbn_preprocessing_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL IMAGE...",
        .doc =
            "Name what is in JPEG, PNG or BMP images: a line per image with the time of resizing "
            "and of the network, then a line per class with its probability.",
        .children = children,
    };
    struct arguments arguments = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1}, .top = 5};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    struct classifier classifier = {0};
    mbn_error error;
    int exit_status = MBN_EXIT_FAILED;
    if (open_classifier(&arguments, &classifier, &error) == MBN_OK) {
        mbn_report_certain(arguments.model, classifier.model);
        exit_status = classify_all(&arguments, &classifier);
    } else {
        mbn_report(NULL, error.message);
    }
    close_classifier(&classifier);
    return exit_status;
}
