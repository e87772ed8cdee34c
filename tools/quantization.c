#include "quantization.h"

#include "input.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Images ---------------------------------------------------------------------------------- */

static bool is_npy(const char *path) {
    const char *ending = strrchr(path, '.');
    return ending != NULL && strcmp(ending, ".npy") == 0;
}

static mbn_status open_npy(const char *path, const mbn_model *model, mbn_calibration_set *set,
                           mbn_error *error) {
    mbn_error reason;
    const mbn_network *network = mbn_model_network(model);
    const mbn_npy *images = &set->images;
    mbn_status status = mbn_npy_read(path, &set->images, &reason);
    if (status != MBN_OK) return mbn_explain(error, status, "%s: %s", path, reason.message);
    const int64_t *shape = images->shape;
    if (images->rank != 4 || shape[0] < 1 || shape[0] > INT32_MAX ||
        shape[1] != network->input_height || shape[2] != network->input_width ||
        shape[3] != network->input_channels) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT, "%s: shape %s, expected (N, %d, %d, %d)",
                           path, mbn_npy_shape_text(images).text, (int)network->input_height,
                           (int)network->input_width, (int)network->input_channels);
    }
    set->count = (int32_t)shape[0];
    return MBN_OK;
}

static mbn_status open_photos(const char *path, mbn_calibration_set *set, mbn_error *error) {
    const mbn_status status = mbn_dataset_photos(path, &set->photos, error);
    if (status != MBN_OK) return status;
    if (set->photos.count > INT32_MAX) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT, "%s: too many images", path);
    }
    set->count = (int32_t)set->photos.count;
    set->failures = calloc(set->photos.count, sizeof *set->failures);
    return set->failures != NULL
               ? MBN_OK
               : mbn_explain(error, MBN_OUT_OF_MEMORY, "list of images: out of memory");
}

mbn_status mbn_calibration_open(const char *path, const mbn_model *model, mbn_calibration_set *set,
                                mbn_error *error) {
    *set = (mbn_calibration_set){.model = model};
    return is_npy(path) ? open_npy(path, model, set, error) : open_photos(path, set, error);
}

void mbn_calibration_close(mbn_calibration_set *set) {
    for (int32_t i = 0; set->failures != NULL && i < set->count; i++) free(set->failures[i]);
    free(set->failures);
    free(set->images.values);
    mbn_dataset_free(&set->photos);
}

static mbn_status read_photo(const mbn_calibration_set *set, const char *path, mbn_context *context,
                             float *input, mbn_error *error) {
    mbn_rgb pixels;
    mbn_image image;
    const int32_t channels = mbn_model_network(set->model)->input_channels;
    mbn_status status = mbn_read_image(path, channels, &pixels, &image, error);
    if (status != MBN_OK) return status;
    status = mbn_preprocess(context, &image, input, error);
    free(pixels.pixels);
    return status;
}

mbn_status mbn_calibration_read(void *user, int32_t index, mbn_context *context, float *input,
                                mbn_error *error) {
    mbn_calibration_set *set = user;
    if (set->failures == NULL) {
        const size_t count = (size_t)(set->images.count / set->count);
        memcpy(input, set->images.values + (size_t)index * count, count * sizeof(float));
        return MBN_OK;
    }
    const char *path = set->photos.images[index].path;
    mbn_error reason = {MBN_OK, ""};
    const mbn_status status = read_photo(set, path, context, input, &reason);
    if (status == MBN_OK) return MBN_OK;
    set->failures[index] = strdup(reason.message); /* NULL goes unnamed */
    return mbn_explain(error, status, "%.200s: %.250s", path, reason.message);
}

/* ---- The report ------------------------------------------------------------------------------ */

/* "18.3", "exact" */
typedef struct number {
    char text[16];
} number;

static number decibels(double value) {
    number n;
    if (isinf(value) && value > 0) {
        strcpy(n.text, "exact");
    } else {
        snprintf(n.text, sizeof n.text, "%.1f", value);
    }
    return n;
}

static void print_trials(const mbn_quantized *quantized, const mbn_network *network) {
    printf("%-10s  %-9s  %-9s  %6s  %9s", "ranges", "equalised", "corrected", "dB", "cosine");
    if (network->classes > 0) printf("  %8s  %12s", "top-1 %", "of the sure");
    printf("  %11s\n", "pool cosine");
    for (int32_t i = 0; i < quantized->trial_count; i++) {
        const mbn_quantize_trial *trial = &quantized->trials[i];
        const mbn_output_loss *loss = &trial->loss;
        printf("%-10s  %-9s  %-9s  %6s  %9.5f", mbn_range_method_name(trial->method),
               trial->equalized ? "yes" : "no", trial->corrected ? "yes" : "no",
               decibels(loss->decibels).text, loss->cosine);
        if (network->classes > 0) {
            printf("  %8.2f  %5d of %3d", 100 * loss->agreement, (int)loss->sure_same,
                   (int)loss->sure);
        }
        printf("  %11.5f%s\n", loss->pool_cosine, i == quantized->kept ? "  kept" : "");
    }
}

static int name_width(const mbn_network *network) {
    size_t width = strlen("layer");
    for (int32_t i = 0; i < network->layer_count; i++) {
        const size_t length = strlen(network->layers[i].name);
        if (length > width) width = length;
    }
    return (int)width;
}

static void print_layers(const mbn_quantized *quantized, const mbn_network *network) {
    const int width = name_width(network);
    printf("%-*s  %-12s  %10s  %10s  %6s\n", width, "layer", "role", "from", "to", "dB");
    for (int32_t i = 0; i < quantized->layer_count; i++) {
        const mbn_layer_loss *loss = &quantized->layers[i];
        printf("%-*s  %-12s  ", width, network->layers[i].name,
               mbn_layer_role_name(network->layers[i].role));
        if (loss->floats) {
            printf("%10s  %10s", "float", "");
        } else {
            printf("%10.4g  %10.4g", (double)loss->low, (double)loss->high);
        }
        printf("  %6s%s\n", decibels(loss->decibels).text, loss->scaled ? "  equalised" : "");
    }
}

void mbn_quantized_print(const mbn_quantized *quantized, const mbn_network *network) {
    printf("%d images to calibrate with, ", (int)quantized->calibrated);
    if (quantized->held_out > 0) {
        printf("%d others to measure with\n\n", (int)quantized->held_out);
    } else {
        puts("and none to measure with but these\n");
    }
    print_trials(quantized, network);
    putchar('\n');
    print_layers(quantized, network);
}
