#include "info_model.h"

#include "command.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is looked at. */
struct subject {
    mbn_model *model;
    const mbn_network *network;
    mbn_preprocessing preprocessing;
    bool beheaded;        /* the file lacks the classifier that its network has */
    int64_t file_bytes;   /* on disk */
    size_t model_bytes;   /* loaded: packed weights, tables, labels */
    size_t context_bytes; /* of one thread */
};

static int32_t count_labels(const struct subject *s) {
    int32_t count = 0;
    while (mbn_model_label(s->model, count) != NULL) count++;
    return count;
}

static const char *precision_of(const struct subject *s) {
    return mbn_precision_name(mbn_model_precision(s->model));
}

/* NULL of a file of floats. */
static const char *rescaling_of(const struct subject *s) {
    mbn_rescaling rescaling;
    return mbn_model_rescaling(s->model, &rescaling) ? mbn_rescaling_name(rescaling) : NULL;
}

static const char *const channel_names[] = {"", "grey", "grey and alpha", "RGB", "RGBA"};

/* A file without its classifier loads headless; the first error counts where it does not load at
 * all. */
static mbn_status open_subject(const char *path, const mbn_run_options *from, struct subject *s,
                               mbn_error *error) {
    mbn_model_options options = {.isa_mask = from->isa_mask, .precision = from->precision};
    mbn_status status = mbn_model_load(path, &options, &s->model, error);
    if (status == MBN_MALFORMED) {
        options.headless = true;
        s->beheaded = mbn_model_load(path, &options, &s->model, NULL) == MBN_OK;
        if (s->beheaded) status = MBN_OK;
    }
    if (status != MBN_OK) return status;
    s->network = mbn_model_network(s->model);
    s->model_bytes = mbn_model_bytes(s->model);
    mbn_model_preprocessing(s->model, &s->preprocessing);
    struct stat attributes;
    if (stat(path, &attributes) != 0) {
        return mbn_explain(error, MBN_IO, "%s: %s", path, strerror(errno));
    }
    s->file_bytes = (int64_t)attributes.st_size;
    return mbn_context_bytes(s->model, NULL, &s->context_bytes, error);
}

/* The number of the fewest digits that is this float: 0.485, not 0.485000014. */
static double shortest(float value) {
    char text[32];
    double number = (double)value;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        number = strtod(text, NULL);
        if ((float)number == value) break;
    }
    return number;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void print_channels(const char *name, const float *values, int32_t count) {
    printf("  %-15s", name);
    for (int32_t c = 0; c < count; c++) printf("%s%.9g", c == 0 ? "" : ", ", shortest(values[c]));
    putchar('\n');
}

static void print_preprocessing(const struct subject *s) {
    const mbn_network *network = s->network;
    const int32_t channels = network->input_channels;
    printf("  %-15s%dx%d, %s\n", "input", network->input_height, network->input_width,
           channel_names[channels]);
    const mbn_preprocessing *p = &s->preprocessing;
    printf("  %-15s", "resize");
    if (p->resize == 0) {
        printf("to the input's size");
    } else {
        printf("shorter side %d", p->resize);
    }
    printf(", fit %s, %s as in %s\n", mbn_fit_name(p->fit),
           mbn_interpolation_name(p->interpolation),
           p->resampling == MBN_RESAMPLING_PILLOW ? "Pillow" : "TensorFlow");
    print_channels("fill", p->fill, channels);
    print_channels("mean", s->preprocessing.mean, channels);
    print_channels("deviation", s->preprocessing.standard_deviation, channels);
}

static void print_label(const struct subject *s, int32_t index) {
    mbn_print_label(mbn_model_label(s->model, index));
    printf(" (%d)", index);
}

/* The first two, and the last. */
static void print_labels(const struct subject *s) {
    const int32_t count = count_labels(s);
    printf("  %-15s", "labels");
    if (count == 0) {
        puts("none");
        return;
    }
    print_label(s, 0);
    if (count > 1) {
        printf(", ");
        print_label(s, 1);
    }
    if (count > 2) {
        printf(count > 3 ? ", ... " : ", ");
        print_label(s, count - 1);
    }
    putchar('\n');
}

static void print_output(const struct subject *s) {
    static const char *const kinds[] = {
        [MBN_SOFTMAX] = "probabilities by softmax: an image shows one class",
        [MBN_SIGMOID] = "probabilities by sigmoid: each class by itself",
        [MBN_NO_PROBABILITIES] = "values that are no probabilities",
    };
    if (s->network->classes == 0 || s->beheaded) {
        printf("  %-15s%s\n", "output",
               s->beheaded ? "feature maps; the file lacks the classifier" : "feature maps");
        return;
    }
    const int32_t classes = s->network->classes;
    printf("  %-15s%s %s, %s\n", "output", mbn_digits_of(classes).text,
           classes == 1 ? "class" : "classes", kinds[mbn_model_probabilities(s->model)]);
    print_labels(s);
}

static void print_text(const char *path, const struct subject *s) {
    const mbn_network *network = s->network;
    printf("%s: %s, width %g\n", path, network->name, network->width);
    printf("  %-15s%s, %s padding, batch norm epsilon %g\n", "source",
           mbn_option_source_name(network->source), mbn_option_padding_name(network->padding),
           network->batch_norm_epsilon);
    print_preprocessing(s);
    print_output(s);
    printf("  %-15s%s\n", "parameters", mbn_digits_of(network->parameters).text);
    printf("  %-15s%s\n", "multiply-adds", mbn_digits_of(network->multiply_adds).text);
    printf("  %-15s%s bytes", "file", mbn_digits_of(s->file_bytes).text);
    const char *rescaling = rescaling_of(s);
    if (rescaling != NULL) printf(" of 8-bit integers, %s rescaling", rescaling);
    putchar('\n');
    printf("  %-15s%s bytes, %s packed for %s\n", "loaded",
           mbn_digits_of((int64_t)s->model_bytes).text, precision_of(s),
           mbn_model_kernels(s->model)->name);
    printf("  %-15s%s bytes on one thread\n", "context",
           mbn_digits_of((int64_t)s->context_bytes).text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *channels_to_json(const float *values, int32_t count) {
    json_t *array = json_array();
    for (int32_t c = 0; c < count; c++) mbn_json_append(&array, mbn_json_real(shortest(values[c])));
    return array;
}

static json_t *labels_to_json(const struct subject *s) {
    const int32_t count = count_labels(s);
    if (count == 0) return json_null();
    json_t *array = json_array();
    for (int32_t i = 0; i < count; i++) {
        mbn_json_append(&array, mbn_json_text(mbn_model_label(s->model, i)));
    }
    return array;
}

static json_t *preprocessing_to_json(const struct subject *s) {
    const int32_t channels = s->network->input_channels;
    const mbn_preprocessing *p = &s->preprocessing;
    return json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o}", "resize", p->resize, "interpolation",
                     mbn_interpolation_name(p->interpolation), "resampling",
                     mbn_resampling_name(p->resampling), "fit", mbn_fit_name(p->fit), "fill",
                     channels_to_json(p->fill, channels), "mean",
                     channels_to_json(p->mean, channels), "standard_deviation",
                     channels_to_json(p->standard_deviation, channels));
}

static json_t *to_json(const char *path, const struct subject *s) {
    const mbn_network *network = s->network;
    return json_pack(
        "{s:o, s:s, s:f, s:s, s:s, s:f, s:[i,i], s:i, s:o, s:i, s:b, s:s, s:o, s:I, s:I, s:I, "
        "s:{s:I, s:I, s:I}, s:s, s:s, s:s?}",
        "file", mbn_json_text(path), "network", network->name, "width", network->width, "source",
        mbn_option_source_name(network->source), "padding",
        mbn_option_padding_name(network->padding), "batch_norm_epsilon",
        network->batch_norm_epsilon, "input", network->input_height, network->input_width,
        "input_channels", network->input_channels, "preprocessing", preprocessing_to_json(s),
        "classes", network->classes, "classifier", network->classes > 0 && !s->beheaded,
        "probabilities", mbn_probability_kind_name(mbn_model_probabilities(s->model)), "labels",
        labels_to_json(s), "parameters", (json_int_t)network->parameters, "batch_norm_statistics",
        (json_int_t)network->batch_norm_statistics, "multiply_adds",
        (json_int_t)network->multiply_adds, "bytes", "file", (json_int_t)s->file_bytes, "loaded",
        (json_int_t)s->model_bytes, "context", (json_int_t)s->context_bytes, "precision",
        precision_of(s), "kernels", mbn_model_kernels(s->model)->name, "rescaling",
        rescaling_of(s));
}

int mbn_info_model(const char *path, const mbn_run_options *options, bool json) {
    struct subject subject = {0};
    mbn_error error;
    int exit_status = MBN_EXIT_OK;
    if (open_subject(path, options, &subject, &error) != MBN_OK) {
        mbn_report(NULL, error.message);
        exit_status = MBN_EXIT_FAILED;
    } else if (!json) {
        print_text(path, &subject);
    } else if (!mbn_json_print(to_json(path, &subject))) {
        exit_status = MBN_EXIT_FAILED;
    }
    mbn_model_free(subject.model);
    return exit_status;
}
