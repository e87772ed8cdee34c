#include "input.h"

#include "report.h"

mbn_status mbn_load_classifier(const char *path, const mbn_model_options *options,
                               mbn_model **model, mbn_error *error) {
    mbn_status status = mbn_model_load(path, options, model, error);
    if (status != MBN_OK || mbn_model_network(*model)->classes > 0) return status;
    mbn_model_free(*model);
    *model = NULL;
    return mbn_explain(error, MBN_INVALID_ARGUMENT,
                       "%s: has no classifier; `mobilenet features' and `mobilenet embed' run it",
                       path);
}

void mbn_report_certain(const char *path, const mbn_model *model) {
    if (mbn_model_network(model)->classes == 1 && mbn_model_probabilities(model) == MBN_SOFTMAX) {
        mbn_report(path,
                   "its one output is a softmax's, which is always 1: `mobilenet-import MODEL "
                   "OUT --probabilities sigmoid', or none, says otherwise");
    }
}

mbn_status mbn_read_image(const char *path, int32_t input_channels, mbn_rgb *pixels,
                          mbn_image *image, mbn_error *error) {
    const bool alpha = input_channels == 2 || input_channels == 4;
    const mbn_status status = mbn_rgb_read(path, alpha, pixels, error);
    if (status != MBN_OK) return status;
    *image = (mbn_image){.pixels = pixels->pixels,
                         .width = pixels->width,
                         .height = pixels->height,
                         .order = pixels->channels == 4 ? MBN_RGBA : MBN_RGB};
    return MBN_OK;
}

mbn_status mbn_load_labels(const char *file, const mbn_model *model, mbn_labels *labels,
                           mbn_error *error) {
    if (file == NULL) return mbn_labels_of_model(model, labels, error);
    const int32_t classes = mbn_model_network(model)->classes;
    if (classes > 1 || mbn_model_probabilities(model) != MBN_SIGMOID) {
        return mbn_labels_read(file, classes, labels, error);
    }
    mbn_error of_one;
    if (mbn_labels_read(file, 1, labels, &of_one) == MBN_OK) return MBN_OK;
    return mbn_labels_read(file, 2, labels, error);
}

mbn_status mbn_input_context(const mbn_model *model, const mbn_npy *input,
                             const mbn_context_options *options, mbn_context **context,
                             mbn_error *error) {
    const int64_t *shape = input->shape;
    const int32_t channels = mbn_model_network(model)->input_channels;
    bool fits = input->rank == 4 && shape[3] == channels;
    for (int i = 0; fits && i < 3; i++) fits = shape[i] >= 1 && shape[i] <= INT32_MAX;
    if (!fits) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT, "shape %s, expected (N, height, width, %d)",
                           mbn_npy_shape_text(input).text, channels);
    }
    mbn_context_options sized = *options;
    sized.input_height = (int32_t)shape[1];
    sized.input_width = (int32_t)shape[2];
    return mbn_context_create(model, &sized, context, error);
}
