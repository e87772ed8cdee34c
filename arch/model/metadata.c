#include "metadata.h"

#include "arch/error.h"
#include "arch/json.h"

#include <stdlib.h>
#include <string.h>

/* Metadata values are strings; numbers and lists in them are JSON.  NULL if the key is absent;
 * *status becomes an error if it is there and cannot be read. */
static json_t *read_json(const mbn_safetensors *file, const char *key, mbn_status *status,
                         mbn_error *error) {
    const char *text = mbn_safetensors_metadata(file, key);
    if (text == NULL) return NULL;
    return mbn_json_value(key, text, JSON_DECODE_ANY, status, error);
}

/* A number in [low, high]; *value stays if the key is absent. */
static mbn_status read_number(const mbn_safetensors *file, const char *key, double low, double high,
                              double *value, mbn_error *error) {
    mbn_status status = MBN_OK;
    json_t *json = read_json(file, key, &status, error);
    if (json == NULL) return status;
    const double number = json_number_value(json);
    if (!json_is_number(json) || !(number >= low && number <= high)) {
        status = mbn_fail(error, MBN_MALFORMED, "metadata %s: %.64s is not a number in [%g, %g]",
                          key, mbn_safetensors_metadata(file, key), low, high);
    } else {
        *value = number;
    }
    json_decref(json);
    return status;
}

static mbn_status read_integer(const mbn_safetensors *file, const char *key, int32_t low,
                               int32_t high, int32_t *value, mbn_error *error) {
    double number = *value;
    const mbn_status status = read_number(file, key, low, high, &number, error);
    if (status != MBN_OK) return status;
    if (number != (double)(int32_t)number) {
        return mbn_fail(error, MBN_MALFORMED, "metadata %s: %g is not whole", key, number);
    }
    *value = (int32_t)number;
    return MBN_OK;
}

/* A number for each channel of the input. */
static mbn_status read_channels(const mbn_safetensors *file, const char *key, double low,
                                double high, int32_t channels, float values[4], mbn_error *error) {
    mbn_status status = MBN_OK;
    json_t *json = read_json(file, key, &status, error);
    if (json == NULL) return status;
    bool good = json_is_array(json) && json_array_size(json) == (size_t)channels;
    for (size_t i = 0; good && i < (size_t)channels; i++) {
        const json_t *item = json_array_get(json, i);
        const double number = json_number_value(item);
        good = json_is_number(item) && number >= low && number <= high;
        values[i] = (float)number;
    }
    json_decref(json);
    if (!good) {
        static const char *const counts[] = {"one number", "two numbers", "three numbers",
                                             "four numbers"};
        return mbn_fail(error, MBN_MALFORMED, "metadata %s: not %s from %g to %g: %.64s", key,
                        counts[channels - 1], low, high, mbn_safetensors_metadata(file, key));
    }
    return MBN_OK;
}

static const char *source_word(int source) {
    return mbn_source_name((mbn_source)source);
}
static const char *padding_word(int padding) {
    return mbn_padding_name((mbn_padding)padding);
}

static const char *probability_word(int kind) {
    return mbn_probability_kind_name((mbn_probability_kind)kind);
}

static const char *interpolation_word(int interpolation) {
    return mbn_interpolation_name((mbn_interpolation)interpolation);
}

static const char *resampling_word(int resampling) {
    return mbn_resampling_name((mbn_resampling)resampling);
}

static const char *fit_word(int fit) {
    return mbn_fit_name((mbn_fit)fit);
}

/* Of the key `rescaling`: none, or mbn_rescaling + 1. */
static const char *rescaling_word(int choice) {
    return choice == 0 || choice > MBN_RESCALE_FIXED + 1
               ? NULL
               : mbn_rescaling_name((mbn_rescaling)(choice - 1));
}

enum { TENSORFLOW, ONNX };

static const char *arithmetic_word(int arithmetic) {
    static const char *const words[] = {[TENSORFLOW] = "tensorflow", [ONNX] = "onnx", NULL};
    return words[arithmetic];
}

const char *mbn_rescaling_name(mbn_rescaling rescaling) {
    switch (rescaling) {
    case MBN_RESCALE_FLOAT: return "float";
    case MBN_RESCALE_FIXED: return "fixed";
    case MBN_RESCALE_DOUBLE: return "double";
    }
    return NULL;
}

const char *mbn_probability_kind_name(mbn_probability_kind kind) {
    switch (kind) {
    case MBN_SOFTMAX: return "softmax";
    case MBN_SIGMOID: return "sigmoid";
    case MBN_NO_PROBABILITIES: return "none";
    }
    return NULL;
}

/* One of word(0), word(1) ... up to NULL; *choice stays if the key is absent.  word(0) may be NULL:
 * a default that has no word. */
static mbn_status read_choice(const mbn_safetensors *file, const char *key,
                              const char *(*word)(int), int *choice, mbn_error *error) {
    const char *text = mbn_safetensors_metadata(file, key);
    if (text == NULL) return MBN_OK;
    for (int i = word(0) == NULL; word(i) != NULL; i++) {
        if (strcmp(word(i), text) == 0) {
            *choice = i;
            return MBN_OK;
        }
    }
    return mbn_fail(error, MBN_MALFORMED, "metadata %s: unknown value: %.64s", key, text);
}

static mbn_status read_labels(const mbn_safetensors *file, mbn_metadata *metadata,
                              mbn_error *error) {
    mbn_status status = MBN_OK;
    metadata->labels = read_json(file, "labels", &status, error);
    if (metadata->labels == NULL) return status;
    const size_t count = json_array_size(metadata->labels);
    const int32_t classes = metadata->options.classes;
    const bool either_or = classes == 1 && metadata->probabilities == MBN_SIGMOID;
    if (!json_is_array(metadata->labels) ||
        (count != (size_t)classes && !(either_or && count == 2))) {
        return mbn_fail(error, MBN_MALFORMED, "metadata labels: expected a list of %d, got %zu",
                        (int)classes, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!json_is_string(json_array_get(metadata->labels, i))) {
            return mbn_fail(error, MBN_MALFORMED, "metadata labels: number %zu is not a string", i);
        }
    }
    return MBN_OK;
}

/* Sets the file's format, 1 or 2. */
static mbn_status read_format(const mbn_safetensors *file, int *format, mbn_error *error) {
    static const char family[] = "mobilenet/";
    const char *text = mbn_safetensors_metadata(file, "format");
    if (text == NULL || strncmp(text, family, sizeof family - 1) != 0) {
        return mbn_fail(
            error, MBN_MALFORMED,
            "metadata format: expected mobilenet/1 or mobilenet/2, got %.64s (a file of "
            "another program has to be imported first: `tools/mobilenet-import FILE "
            "OUT.safetensors')",
            text == NULL ? "none" : text);
    }
    for (*format = 1; *format <= 2; ++*format) {
        if (text[sizeof family - 1] == '0' + *format && text[sizeof family] == '\0') return MBN_OK;
    }
    return mbn_fail(
        error, MBN_UNSUPPORTED,
        "metadata format: %.64s is unknown to this version, %s, which reads mobilenet/1 "
        "and mobilenet/2",
        text, mbn_version());
}

/* Whether tensors are integers, and what is computed from them. */
static mbn_status read_integers(const mbn_safetensors *file, mbn_metadata *metadata,
                                mbn_error *error) {
    int rescaling = 0, arithmetic = TENSORFLOW;
    mbn_status status = read_choice(file, "rescaling", rescaling_word, &rescaling, error);
    if (status == MBN_OK) {
        status = read_choice(file, "arithmetic", arithmetic_word, &arithmetic, error);
    }
    if (status != MBN_OK || rescaling == 0) return status;
    metadata->integers = true;
    metadata->rescaling = (mbn_rescaling)(rescaling - 1);
    const bool fixed = metadata->rescaling == MBN_RESCALE_FIXED;
    if (fixed && arithmetic == ONNX) {
        return mbn_fail(error, MBN_MALFORMED,
                        "metadata rescaling: fixed, which arithmetic onnx has not");
    }
    metadata->quantizing = arithmetic == ONNX ? MBN_QUANTIZE_QUOTIENT
                           : fixed            ? MBN_QUANTIZE_AWAY
                                              : MBN_QUANTIZE_INVERSE;
    return MBN_OK;
}

/* What mobilenet/2 has more. */
static mbn_status read_second_format(const mbn_safetensors *file, mbn_metadata *metadata,
                                     mbn_error *error) {
    mbn_preprocessing *preprocessing = &metadata->preprocessing;
    int probabilities = MBN_SOFTMAX, interpolation = MBN_INTERPOLATION_BILINEAR,
        resampling = MBN_RESAMPLING_PILLOW, fit = MBN_FIT_CROP;
    mbn_status status;
    if ((status = read_choice(file, "probabilities", probability_word, &probabilities, error)) !=
            MBN_OK ||
        (status = read_integer(file, "input_channels", 1, 4, &metadata->options.input_channels,
                               error)) != MBN_OK ||
        (status = read_choice(file, "interpolation", interpolation_word, &interpolation, error)) !=
            MBN_OK ||
        (status = read_choice(file, "resampling", resampling_word, &resampling, error)) != MBN_OK ||
        (status = read_choice(file, "fit", fit_word, &fit, error)) != MBN_OK ||
        (status = read_channels(file, "fill", 0, 255, metadata->options.input_channels,
                                preprocessing->fill, error)) != MBN_OK) {
        return status;
    }
    metadata->probabilities = (mbn_probability_kind)probabilities;
    preprocessing->interpolation = (mbn_interpolation)interpolation;
    preprocessing->resampling = (mbn_resampling)resampling;
    preprocessing->fit = (mbn_fit)fit;
    return read_integers(file, metadata, error);
}

mbn_status mbn_metadata_read(const mbn_safetensors *file, mbn_metadata *metadata,
                             mbn_error *error) {
    *metadata = (mbn_metadata){
        .options = {.input_height = 224, .input_width = 224, .classes = 1000, .input_channels = 3},
        .preprocessing = {.mean = {0.5F, 0.5F, 0.5F, 0.5F},
                          .standard_deviation = {0.5F, 0.5F, 0.5F, 0.5F}},
    };
    mbn_network_options *options = &metadata->options;

    int format;
    mbn_status status = read_format(file, &format, error);
    if (status != MBN_OK) return status;
    const char *network = mbn_safetensors_metadata(file, "network");
    if (network == NULL || strlen(network) >= sizeof metadata->network) {
        return mbn_fail(error, MBN_MALFORMED, "metadata network: %s",
                        network == NULL ? "missing" : "not the name of a network");
    }
    memcpy(metadata->network, network, strlen(network) + 1);
    options->network = metadata->network;
    const char *architecture = mbn_safetensors_metadata(file, "architecture");
    if (architecture != NULL) {
        status =
            mbn_architecture_parse(architecture, metadata->network, &metadata->architecture, error);
        if (status != MBN_OK) return status;
    }

    int source = MBN_SOURCE_DEFAULT, padding = MBN_PADDING_DEFAULT;
    if ((status = read_choice(file, "source", source_word, &source, error)) != MBN_OK ||
        (status = read_choice(file, "padding", padding_word, &padding, error)) != MBN_OK ||
        (status = read_number(file, "width", 0.1, 4.0, &options->width, error)) != MBN_OK ||
        (status = read_integer(file, "input_height", 32, 1024, &options->input_height, error)) !=
            MBN_OK ||
        (status = read_integer(file, "input_width", 32, 1024, &options->input_width, error)) !=
            MBN_OK ||
        (status = read_integer(file, "classes", 1, 1000000, &options->classes, error)) != MBN_OK ||
        (status = read_number(file, "batch_norm_epsilon", 1e-12, 1.0, &options->batch_norm_epsilon,
                              error)) != MBN_OK ||
        (status = read_integer(file, "resize", 0, 65536, &metadata->preprocessing.resize, error)) !=
            MBN_OK) {
        return status;
    }
    options->source = (mbn_source)source;
    options->padding = (mbn_padding)padding;
    if (format >= 2) status = read_second_format(file, metadata, error);
    if (status != MBN_OK) return status;
    const int32_t channels = options->input_channels;
    mbn_preprocessing *preprocessing = &metadata->preprocessing;
    if ((status = read_channels(file, "mean", -1e6, 1e6, channels, preprocessing->mean, error)) !=
            MBN_OK ||
        (status = read_channels(file, "std", 1e-6, 1e6, channels, preprocessing->standard_deviation,
                                error)) != MBN_OK) {
        return status;
    }
    return read_labels(file, metadata, error);
}

void mbn_metadata_free(mbn_metadata *metadata) {
    json_decref(metadata->labels);
    free(metadata->architecture);
}
