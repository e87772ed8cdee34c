/* mobilenet evaluate MODEL DIR: accuracy over labelled images. */
#include "command.h"
#include "confusion.h"
#include "evaluation_csv.h"
#include "input.h"
#include "label_precision.h"
#include "left_out.h"
#include "options.h"
#include "preprocessing.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOP = 1000000, MAX_WORST = 1000, KEY_LIST = 'l', KEY_TOP = 'k', KEY_JSON = 'j' };
enum { KEY_WORST = 0x200, KEY_LABELS, KEY_ALPHABETICAL, KEY_CSV };

struct arguments {
    mbn_run_options run;
    mbn_preprocessing_options preprocessing;
    const char *model, *folder, *list, *labels, *csv;
    int32_t top, worst;
    bool alphabetical, json;
};

static const struct argp_option options[] = {
    {"list", KEY_LIST, "FILE", 0,
     "Images to take, a line each: file below DIR, a tab or blank, class (default: all in DIR's "
     "folders); several classes, parted by tabs, commas or blanks, of a model that gives a "
     "probability to each by itself",
     0},
    {"labels", KEY_LABELS, "FILE", 0,
     "Names of the classes: text with one per line, or JSON, also with WordNet IDs (default: the "
     "model's)",
     0},
    {"alphabetical", KEY_ALPHABETICAL, NULL, 0,
     "DIR's folders in the order of their names are the classes, as in torchvision's ImageFolder; "
     "there must be one for each",
     0},
    {"csv", KEY_CSV, "FILE", 0, "Write what came out for every image", 0},
    {"top", KEY_TOP, "K", 0,
     "Count images whose class is among the first K, too, 1 to 1000000 (default 5)", 0},
    {"worst", KEY_WORST, "N", 0, "Worst classes to print, 0 to 1000 (default 10)", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->preprocessing;
        return 0;
    case KEY_LIST: arguments->list = argument; return 0;
    case KEY_LABELS: arguments->labels = argument; return 0;
    case KEY_ALPHABETICAL: arguments->alphabetical = true; return 0;
    case KEY_CSV: arguments->csv = mbn_option_output(state, "--csv", argument, ".csv"); return 0;
    case KEY_TOP:
        arguments->top = (int32_t)mbn_option_integer(state, "--top", argument, 1, MAX_TOP);
        return 0;
    case KEY_WORST:
        arguments->worst = (int32_t)mbn_option_integer(state, "--worst", argument, 0, MAX_WORST);
        return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) argp_error(state, "too many arguments: '%s'", argument);
        *(state->arg_num == 0 ? &arguments->model : &arguments->folder) = argument;
        return 0;
    case ARGP_KEY_END:
        if (arguments->folder == NULL) {
            argp_error(state, "missing argument: MODEL and DIR are needed");
        }
        if (arguments->alphabetical && arguments->list != NULL) {
            argp_error(state, "--alphabetical is for folders, not for a --list");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int32_t count_cpus(void) {
    mbn_cpus cpus;
    mbn_usable_cpus(&cpus);
    return cpus.usable;
}

static double part(int64_t count, int64_t of) {
    return of == 0 ? 0.0 : (double)count / (double)of;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void print_class(const mbn_labels *labels, int32_t class_index) {
    const char *label = mbn_labels_name(labels, class_index);
    if (label == NULL) {
        printf("class %d", class_index);
    } else {
        mbn_print_label(label);
        printf(" (%d)", class_index);
    }
}

static void print_worst(const mbn_evaluation *evaluation, const mbn_class_accuracy *worst,
                        int32_t count) {
    if (count > 0) puts("worst classes:");
    for (int32_t i = 0; i < count; i++) {
        const mbn_class_accuracy *of = &worst[i];
        printf("  %lld of %lld  ", (long long)of->correct, (long long)of->images);
        print_class(evaluation->labels, of->class_index);
        for (int c = 0; c < MBN_CONFUSIONS && of->taken_for[c] >= 0; c++) {
            printf("%s", c == 0 ? ", taken for " : ", ");
            print_class(evaluation->labels, of->taken_for[c]);
            printf(" x%lld", (long long)of->times[c]);
        }
        putchar('\n');
    }
}

static void print_counts(const mbn_evaluation *evaluation, const mbn_accuracy *sum) {
    printf("%s images in %.1f s, %.1f images/s on %d threads\n", mbn_digits_of(sum->images).text,
           evaluation->seconds, part(sum->images, 1) / evaluation->seconds, evaluation->threads);
    if (sum->failed > 0) printf("%s could not be read\n", mbn_digits_of(sum->failed).text);
    const size_t left_out = evaluation->dataset->left_out_count;
    if (left_out > 0) printf("%s left out\n", mbn_digits_of((int64_t)left_out).text);
}

static void print_text(const mbn_evaluation *evaluation, const mbn_accuracy *sum) {
    print_counts(evaluation, sum);
    printf("top-1  %.2f %%  (%s)\n", 100 * part(sum->first, sum->images),
           mbn_digits_of(sum->first).text);
    printf("top-%d  %.2f %%  (%s)\n", evaluation->top, 100 * part(sum->top, sum->images),
           mbn_digits_of(sum->top).text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *class_to_json(const mbn_labels *labels, int32_t class_index) {
    const char *label = mbn_labels_name(labels, class_index);
    return json_pack("{s:i, s:o}", "index", class_index, "label",
                     label != NULL ? mbn_json_text(label) : json_null());
}

static json_t *worst_to_json(const mbn_evaluation *evaluation, const mbn_class_accuracy *of) {
    json_t *confusions = json_array();
    for (int c = 0; c < MBN_CONFUSIONS && of->taken_for[c] >= 0; c++) {
        json_t *other = class_to_json(evaluation->labels, of->taken_for[c]);
        other = mbn_json_with(other, "images", json_integer(of->times[c]));
        mbn_json_append(&confusions, other);
    }
    json_t *class = class_to_json(evaluation->labels, of->class_index);
    class = mbn_json_with(class, "images", json_integer(of->images));
    class = mbn_json_with(class, "correct", json_integer(of->correct));
    class = mbn_json_with(class, "taken_for", confusions);
    return class;
}

static bool print_json(const mbn_evaluation *evaluation, const mbn_accuracy *sum,
                       const mbn_class_accuracy *worst, int32_t count) {
    json_t *classes = json_array();
    for (int32_t i = 0; i < count; i++) {
        mbn_json_append(&classes, worst_to_json(evaluation, &worst[i]));
    }
    return mbn_json_print(json_pack(
        "{s:I, s:I, s:I, s:o, s:i, s:I, s:o, s:o, s:i, s:o, s:o}", "images",
        (json_int_t)sum->images, "failed", (json_int_t)sum->failed, "top1", (json_int_t)sum->first,
        "top1_accuracy", mbn_json_real(part(sum->first, sum->images)), "k", evaluation->top, "topk",
        (json_int_t)sum->top, "topk_accuracy", mbn_json_real(part(sum->top, sum->images)),
        "seconds", mbn_json_real(evaluation->seconds), "threads", evaluation->threads,
        "worst_classes", classes, "left_out", mbn_left_out_json(evaluation->dataset)));
}

/* ---- The command ----------------------------------------------------------------------------- */

static void report_failures(const mbn_evaluation *evaluation) {
    for (size_t i = 0; i < evaluation->dataset->count; i++) {
        const mbn_outcome *outcome = &evaluation->outcomes[i];
        if (outcome->best >= 0) continue;
        const char *reason = outcome->failure;
        mbn_report(evaluation->dataset->images[i].path,
                   reason != NULL ? reason : mbn_status_text(MBN_OUT_OF_MEMORY));
    }
}

/* Of images that show one class. */
static bool print_accuracy(const struct arguments *arguments, const mbn_evaluation *evaluation,
                           const mbn_accuracy *sum) {
    mbn_class_accuracy worst[MAX_WORST];
    const int32_t count = mbn_worst_classes(evaluation, arguments->worst, worst);
    if (count < 0) {
        mbn_report("classes", mbn_status_text(MBN_OUT_OF_MEMORY));
        return false;
    }
    if (arguments->json) return print_json(evaluation, sum, worst, count);
    print_text(evaluation, sum);
    print_worst(evaluation, worst, count);
    return true;
}

/* Of images that show any number of labels. */
static bool print_precision(const struct arguments *arguments, const mbn_evaluation *evaluation,
                            const mbn_accuracy *sum) {
    mbn_precisions precisions;
    mbn_error error;
    if (mbn_precisions_of(evaluation, &precisions, &error) != MBN_OK) {
        mbn_report(NULL, error.message);
        return false;
    }
    bool printed = true;
    if (arguments->json) {
        printed = mbn_json_print(json_pack(
            "{s:I, s:I, s:o, s:o, s:o, s:i, s:o}", "images", (json_int_t)sum->images, "failed",
            (json_int_t)sum->failed, "mean_average_precision", mbn_json_real(precisions.mean),
            "labels", mbn_precisions_json(evaluation, &precisions), "seconds",
            mbn_json_real(evaluation->seconds), "threads", evaluation->threads, "left_out",
            mbn_left_out_json(evaluation->dataset)));
    } else {
        print_counts(evaluation, sum);
        mbn_precisions_print(evaluation, &precisions);
    }
    mbn_precisions_free(&precisions);
    return printed;
}

static int print(const struct arguments *arguments, const mbn_evaluation *evaluation) {
    const mbn_accuracy sum = mbn_accuracy_of(evaluation);
    report_failures(evaluation);
    mbn_left_out_report(evaluation->dataset);
    const bool printed = evaluation->keeps_scores ? print_precision(arguments, evaluation, &sum)
                                                  : print_accuracy(arguments, evaluation, &sum);
    if (!printed) return MBN_EXIT_FAILED;
    const bool whole =
        sum.failed == 0 && mbn_left_out_count(evaluation->dataset, MBN_LEFT_CLASS) == 0;
    mbn_error error;
    if (arguments->csv == NULL ||
        mbn_evaluation_csv(evaluation, arguments->csv, &error) == MBN_OK) {
        return whole ? MBN_EXIT_OK : MBN_EXIT_FAILED;
    }
    mbn_report(arguments->csv, error.message);
    return MBN_EXIT_FAILED;
}

static mbn_status find_images(const struct arguments *arguments, const mbn_classes *classes,
                              mbn_dataset *dataset, mbn_error *error) {
    if (arguments->list == NULL) {
        return mbn_dataset_folders(arguments->folder, classes, dataset, error);
    }
    return mbn_dataset_list(arguments->folder, arguments->list, classes, dataset, error);
}

static int evaluate(const struct arguments *arguments, const mbn_model *model) {
    mbn_labels labels = {NULL, 0};
    mbn_dataset dataset = {0};
    mbn_classes classes = {.labels = &labels, .alphabetical = arguments->alphabetical};
    mbn_evaluation evaluation = {
        .model = model,
        .labels = &labels,
        .dataset = &dataset,
        .preprocessing = &arguments->preprocessing,
        .threads = arguments->run.threads != 0 ? arguments->run.threads : count_cpus(),
    };
    mbn_error error;
    int exit_status = MBN_EXIT_FAILED;
    mbn_status status = mbn_load_labels(arguments->labels, model, &labels, &error);
    evaluation.scoring = mbn_scoring_of(model, &labels);
    classes.count = evaluation.scoring.classes;
    classes.several = arguments->list != NULL && mbn_scores_labels(&evaluation.scoring);
    evaluation.keeps_scores = classes.several;
    evaluation.top = arguments->top < classes.count ? arguments->top : classes.count;
    if (status == MBN_OK && evaluation.scoring.kind == MBN_NO_PROBABILITIES) {
        status = mbn_explain(&error, MBN_INVALID_ARGUMENT,
                             "%s: its outputs are no probabilities of classes; `mobilenet run' "
                             "writes them",
                             arguments->model);
    }
    if (status == MBN_OK) status = find_images(arguments, &classes, &dataset, &error);
    if (status == MBN_OK) status = mbn_evaluate(&evaluation, &error);
    if (status == MBN_OK) {
        exit_status = print(arguments, &evaluation);
    } else {
        mbn_report(NULL, error.message);
    }
    mbn_evaluation_free(&evaluation);
    mbn_dataset_free(&dataset);
    mbn_labels_free(&labels);
    return exit_status;
}

int mbn_command_evaluate(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&mbn_run_many_argp, 0, NULL, 0}, {&mbn_preprocessing_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL DIR",
        .doc = "Classify the images in DIR's folders, each named after a class (its label, its "
               "WordNet "
               "ID or its index), and print how many were classified right, and which classes were "
               "the "
               "worst.",
        .children = children,
    };
    struct arguments arguments = {.run = {.isa_mask = MBN_ISA_MASK_ALL}, .top = 5, .worst = 10};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    mbn_model *model;
    mbn_error error;
    const mbn_model_options model_options = {.isa_mask = arguments.run.isa_mask,
                                             .precision = arguments.run.precision};
    if (mbn_load_classifier(arguments.model, &model_options, &model, &error) != MBN_OK) {
        mbn_report(NULL, error.message);
        return MBN_EXIT_FAILED;
    }
    mbn_report_certain(arguments.model, model);
    const int exit_status = evaluate(&arguments, model);
    mbn_model_free(model);
    return exit_status;
}
