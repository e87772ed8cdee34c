#include "fit.h"

#include <math.h>

typedef struct size {
    int64_t height, width;
} size;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The output's size with `resize` as its shorter side. */
static size target_of(int32_t resize, int32_t height, int32_t width) {
    if (resize == 0) return (size){height, width};
    const int64_t shorter = smaller(height, width);
    return (size){((int64_t)resize * height + shorter / 2) / shorter,
                  ((int64_t)resize * width + shorter / 2) / shorter};
}

/* torchvision's Resize: the longer side is cut to an integer. */
static size resize_shorter(const mbn_image *image, int32_t resize) {
    size resized = {resize, resize};
    if (image->width <= image->height) {
        resized.height = (int64_t)((double)resize * image->height / image->width);
    } else {
        resized.width = (int64_t)((double)resize * image->width / image->height);
    }
    return resized;
}

/* timm's ResizeKeepRatio, which rounds halves to even.  A side of nothing, which is an error there,
 * becomes 1. */
static size keep_ratio(const mbn_image *image, size target, bool inside) {
    const double down = (double)image->height / (double)target.height;
    const double across = (double)image->width / (double)target.width;
    const double ratio = (down > across) == inside ? down : across;
    return (size){larger(1, (int64_t)rint(image->height / ratio)),
                  larger(1, (int64_t)rint(image->width / ratio))};
}

static mbn_fit effective_fit(const mbn_preprocessing *preprocessing) {
    if (preprocessing->fit != MBN_FIT_CROP) return preprocessing->fit;
    if (preprocessing->resize == 0) return MBN_FIT_SQUASH;
    return preprocessing->resampling == MBN_RESAMPLING_TENSORFLOW ? MBN_FIT_COVER : MBN_FIT_CROP;
}

static size pillow_size(const mbn_preprocessing *preprocessing, const mbn_image *image,
                        size target) {
    const mbn_fit fit = effective_fit(preprocessing);
    if (fit == MBN_FIT_SQUASH) return target;
    if (fit == MBN_FIT_CROP) return resize_shorter(image, preprocessing->resize);
    return keep_ratio(image, target, fit == MBN_FIT_LETTERBOX);
}

/* Keras: the side that an image has at the target's aspect ratio, in its float32. */
static int64_t side_at_ratio(int64_t other, int64_t target, int64_t target_other) {
    return (int64_t)((float)(other * target) / (float)target_other);
}

/* Keras cuts to the aspect ratio before it resizes, or fills up to it, by as much on both sides. */
static void keras_source(mbn_axis *axis, int64_t at_ratio, mbn_fit fit) {
    if (fit == MBN_FIT_COVER) {
        axis->source = larger(smaller(axis->input, at_ratio), 1);
        axis->first = (axis->input - axis->source) / 2;
    } else if (fit == MBN_FIT_LETTERBOX) {
        axis->first = -((larger(axis->input, at_ratio) - axis->input) / 2);
        axis->source = axis->input - 2 * axis->first;
    }
}

static mbn_axis axis_of(int32_t input, int64_t resized, int32_t output, mbn_resampling resampling) {
    mbn_axis axis = {.input = input, .source = input, .resized = resized};
    const int64_t surplus = resized - output;
    const int64_t half = surplus / 2;
    /* torchvision rounds half of the surplus to even, Keras's CenterCrop down; padding goes one
     * pixel less to the front. */
    const bool even = resampling == MBN_RESAMPLING_PILLOW && surplus > 0;
    axis.offset = even ? half + (surplus & half & 1) : half;
    axis.begin = axis.offset < 0 ? (int32_t)-axis.offset : 0;
    axis.end = (int32_t)smaller(resized - axis.offset, output);
    return axis;
}

void mbn_fit_image(const mbn_preprocessing *preprocessing, const mbn_image *image,
                   int32_t output_height, int32_t output_width, mbn_axis *rows, mbn_axis *columns) {
    const mbn_resampling resampling = preprocessing->resampling;
    const size target = target_of(preprocessing->resize, output_height, output_width);
    const size resized = resampling == MBN_RESAMPLING_TENSORFLOW
                             ? target
                             : pillow_size(preprocessing, image, target);
    *rows = axis_of(image->height, resized.height, output_height, resampling);
    *columns = axis_of(image->width, resized.width, output_width, resampling);
    if (resampling == MBN_RESAMPLING_TENSORFLOW) {
        const mbn_fit fit = effective_fit(preprocessing);
        keras_source(rows, side_at_ratio(image->width, target.height, target.width), fit);
        keras_source(columns, side_at_ratio(image->height, target.width, target.height), fit);
    }
}
