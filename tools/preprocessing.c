#include "preprocessing.h"

#include "options.h"
#include "report.h"

#include <stdlib.h>

enum { MAX_CHANNELS = 4, MAX_RESIZE = 65536 };
enum { KEY_RESIZE = 0x300, KEY_INTERPOLATION, KEY_RESAMPLING, KEY_FIT, KEY_FILL };

static const char *interpolation_name(int value) {
    return mbn_interpolation_name((mbn_interpolation)value);
}

static const char *resampling_name(int value) {
    return mbn_resampling_name((mbn_resampling)value);
}

static const char *fit_name(int value) {
    return mbn_fit_name((mbn_fit)value);
}

static void parse_fill(struct argp_state *state, const char *text,
                       mbn_preprocessing_options *options) {
    const char *at = text;
    options->fill_count = 0;
    while (options->fill_count < MAX_CHANNELS) {
        char *end;
        const double value = strtod(at, &end);
        if (end == at || !(value >= 0 && value <= 255)) break;
        options->values.fill[options->fill_count++] = (float)value;
        if (*end == '\0') return;
        if (*end != ',') break;
        at = end + 1;
    }
    argp_error(state, "--fill: '%s' is not a number from 0 to 255, or one for each channel", text);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    mbn_preprocessing_options *options = state->input;
    mbn_preprocessing *values = &options->values;
    switch (key) {
    case KEY_RESIZE:
        values->resize = (int32_t)mbn_option_integer(state, "--resize", argument, 0, MAX_RESIZE);
        options->resize = true;
        return 0;
    case KEY_INTERPOLATION:
        values->interpolation = (mbn_interpolation)mbn_option_choice(
            state, "--interpolation", argument, interpolation_name, 0);
        options->interpolation = true;
        return 0;
    case KEY_RESAMPLING:
        values->resampling =
            (mbn_resampling)mbn_option_choice(state, "--resampling", argument, resampling_name, 0);
        options->resampling = true;
        return 0;
    case KEY_FIT:
        values->fit = (mbn_fit)mbn_option_choice(state, "--fit", argument, fit_name, 0);
        options->fit = true;
        return 0;
    case KEY_FILL: parse_fill(state, argument, options); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option preprocessing_options[] = {
    {"resize", KEY_RESIZE, "N", 0,
     "Shorter side in pixels before the centre is cut out; 0: straight to the input size (default: "
     "the model's)",
     0},
    {"interpolation", KEY_INTERPOLATION, "I", 0,
     "bilinear, bicubic, nearest or area (default: the model's)", 0},
    {"resampling", KEY_RESAMPLING, "R", 0,
     "Whose arithmetic: pillow (torchvision, timm) or tensorflow (Keras's Resizing) (default: the "
     "model's)",
     0},
    {"fit", KEY_FIT, "F", 0,
     "Images of another aspect ratio: crop, squash, letterbox or cover (default: the model's)", 0},
    {"fill", KEY_FILL, "V[,V...]", 0,
     "What is around the image, 0 to 255 for all channels or for each (default: the model's)", 0},
    {0},
};

const struct argp mbn_preprocessing_argp = {.options = preprocessing_options, .parser = parse};

static mbn_status apply_fill(const mbn_preprocessing_options *given, int32_t channels,
                             mbn_preprocessing *values, mbn_error *error) {
    if (given->fill_count > 1 && given->fill_count != channels) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT,
                           "--fill: %d numbers, but the network reads %d channels",
                           (int)given->fill_count, (int)channels);
    }
    for (int32_t c = 0; given->fill_count > 0 && c < channels; c++) {
        values->fill[c] = given->values.fill[given->fill_count == 1 ? 0 : c];
    }
    return MBN_OK;
}

mbn_status mbn_create_image_context(const mbn_model *model, const mbn_context_options *options,
                                    const mbn_preprocessing_options *given, mbn_context **context,
                                    mbn_error *error) {
    mbn_preprocessing values;
    mbn_model_preprocessing(model, &values);
    if (given->resize) values.resize = given->values.resize;
    if (given->interpolation) values.interpolation = given->values.interpolation;
    if (given->resampling) values.resampling = given->values.resampling;
    if (given->fit) values.fit = given->values.fit;
    const mbn_status status =
        apply_fill(given, mbn_model_network(model)->input_channels, &values, error);
    if (status != MBN_OK) return status;
    mbn_context_options with_values = *options;
    with_values.preprocessing = &values;
    return mbn_context_create(model, &with_values, context, error);
}
