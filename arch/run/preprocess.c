#include "preprocess.h"

#include "arch/error.h"
#include "pixels.h"

enum {
    MAX_SIZE = 65536,
    /* Pillow's fixed point: 8 bits for a pixel, 2 to spare, the rest for the fraction. */
    FRACTION_BITS = 32 - 8 - 2,
    HALF = 1 << (FRACTION_BITS - 1),
    MAX_CHANNELS = 4,
    /* Rows that are kept after the horizontal pass.  Neighbouring output rows share half of their
     * windows; up to a reduction of 31, no input row is resampled twice. */
    KEPT_ROWS = 64
};

/* One direction of resize and crop. */
struct axis {
    int32_t input;      /* pixels of the image */
    double scale;       /* input / resized */
    double support;     /* half the width of a window, in pixels of the image */
    double sharpness;   /* 1 / support */
    int64_t offset;     /* output pixel 0 in the resized image; negative: padding before it */
    int32_t begin, end; /* the output pixels that are not padding */
};

/* The pixels of the image that make one output pixel. */
struct window {
    int32_t first, count;
    double center, sum;
};

struct column {
    int32_t first, count;
};

struct job {
    const mbn_image *image;
    ptrdiff_t row_stride;
    int32_t height, width, channels; /* of the output */
    struct axis rows, columns;
    bool premultiplied;              /* colours are times alpha until they are written */
    float values[MAX_CHANNELS][256]; /* of each pixel value, normalised */
    /* In the caller's scratch: */
    int32_t *taps;          /* coefficients of all columns, one after another */
    struct column *windows; /* of the columns */
    int32_t *sums;          /* of one output row */
    uint8_t *kept;          /* KEPT_ROWS rows after the horizontal pass: row y at y % KEPT_ROWS */
    uint8_t *converted;     /* a row of the image, unless the output has three channels */
};

/* A window of scale s >= 1 has at most 2 s + 1 pixels and s times the columns is at most the image,
 * so that all columns together have 2 MAX_SIZE + output_width; one of s < 1 has at most 3. */
static size_t tap_count(int32_t output_width) {
    return 2 * (size_t)MAX_SIZE + 3 * (size_t)output_width;
}

static size_t row_bytes(int32_t output_width, int32_t channels) {
    return (size_t)channels * (size_t)output_width;
}

size_t mbn_preprocess_scratch_bytes(int32_t output_width, int32_t channels) {
    return tap_count(output_width) * sizeof(int32_t) +
           (size_t)output_width * sizeof(struct column) +
           row_bytes(output_width, channels) * (sizeof(int32_t) + KEPT_ROWS) +
           (channels == 3 ? 0 : row_bytes(MAX_SIZE, channels));
}

static void divide_scratch(struct job *job, void *scratch) {
    job->taps = scratch;
    job->windows = (struct column *)(job->taps + tap_count(job->width));
    job->sums = (int32_t *)(job->windows + job->width);
    job->kept = (uint8_t *)(job->sums + row_bytes(job->width, job->channels));
    job->converted = job->kept + KEPT_ROWS * row_bytes(job->width, job->channels);
}

static struct axis axis_of(int32_t input, int64_t resized, int32_t output) {
    struct axis axis = {.input = input};
    axis.scale = (double)input / (double)resized;
    axis.support = axis.scale < 1 ? 1 : axis.scale;
    axis.sharpness = 1 / axis.support;
    const int64_t surplus = resized - output;
    const int64_t half = surplus / 2;
    /* torchvision: round((resized - output) / 2), to even, but rounded down where it pads. */
    axis.offset = surplus > 0 ? half + (surplus & half & 1) : half;
    axis.begin = axis.offset < 0 ? (int32_t)-axis.offset : 0;
    const int64_t end = resized - axis.offset;
    axis.end = end < output ? (int32_t)end : output;
    return axis;
}

/* The triangle filter, not normalised, at pixel `index` of a window. */
static double weight(const struct axis *axis, const struct window *window, int32_t index) {
    double x = ((double)(window->first + index) - window->center + 0.5) * axis->sharpness;
    if (x < 0) x = -x;
    return x < 1 ? 1 - x : 0;
}

static struct window window_of(const struct axis *axis, int32_t output) {
    struct window window = {.center = ((double)(output + axis->offset) + 0.5) * axis->scale};
    /* Conversions cut towards zero, which rounds a small negative first to 0. */
    const int32_t first = (int32_t)(window.center - axis->support + 0.5);
    const int32_t end = (int32_t)(window.center + axis->support + 0.5);
    window.first = first < 0 ? 0 : first;
    window.count = (end > axis->input ? axis->input : end) - window.first;
    for (int32_t i = 0; i < window.count; i++) window.sum += weight(axis, &window, i);
    return window;
}

static int32_t coefficient(const struct axis *axis, const struct window *window, int32_t index) {
    return (int32_t)(0.5 + weight(axis, window, index) / window->sum * (1 << FRACTION_BITS));
}

/* Many rounded coefficients may add up to a little more than 1. */
static uint8_t pixel_of(int32_t sum) {
    const int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value > 255 ? 255 : value);
}

static void prepare_columns(struct job *job) {
    int32_t *taps = job->taps;
    for (int32_t x = job->columns.begin; x < job->columns.end; x++) {
        const struct window window = window_of(&job->columns, x);
        job->windows[x] = (struct column){window.first, window.count};
        for (int32_t i = 0; i < window.count; i++) {
            *taps++ = coefficient(&job->columns, &window, i);
        }
    }
}

static void prepare_values(struct job *job, const mbn_preprocessing *preprocessing) {
    for (int32_t c = 0; c < job->channels; c++) {
        const double mean = (double)preprocessing->mean[c];
        const double deviation = (double)preprocessing->standard_deviation[c];
        for (int i = 0; i < 256; i++) job->values[c][i] = (float)((i / 255.0 - mean) / deviation);
    }
}

/* The horizontal pass over one row, whose channel c is at `first + c * step` of a pixel.  Inlined where
 * the numbers are constants. */
static inline void resample_row(const struct job *job, const uint8_t *pixels, uint8_t *out,
                                int32_t channels, int32_t pixel_bytes, int32_t first,
                                int32_t step) {
    const int32_t *taps = job->taps;
    for (int32_t x = job->columns.begin; x < job->columns.end; x++) {
        const struct column window = job->windows[x];
        const uint8_t *in = pixels + (ptrdiff_t)window.first * pixel_bytes + first;
        int32_t sums[MAX_CHANNELS] = {HALF, HALF, HALF, HALF};
        for (int32_t i = 0; i < window.count; i++, in += pixel_bytes) {
            for (int32_t c = 0; c < channels; c++) sums[c] += taps[i] * in[c * step];
        }
        taps += window.count;
        for (int32_t c = 0; c < channels; c++) out[channels * x + c] = pixel_of(sums[c]);
    }
}

static void resample_row_of(const struct job *job, int32_t y, uint8_t *out) {
    const mbn_image *image = job->image;
    const uint8_t *pixels = image->pixels + y * job->row_stride;
    if (job->channels != 3) {
        mbn_convert_pixels(pixels, image->order, image->width, job->channels, job->premultiplied,
                           job->converted);
        switch (job->channels) {
        case 1: resample_row(job, job->converted, out, 1, 1, 0, 1); break;
        case 2: resample_row(job, job->converted, out, 2, 2, 0, 1); break;
        case 4: resample_row(job, job->converted, out, 4, 4, 0, 1); break;
        }
        return;
    }
    switch (image->order) { /* where it is */
    case MBN_RGB: resample_row(job, pixels, out, 3, 3, 0, 1); break;
    case MBN_BGR: resample_row(job, pixels, out, 3, 3, 2, -1); break;
    case MBN_RGBA: resample_row(job, pixels, out, 3, 4, 0, 1); break;
    case MBN_BGRA: resample_row(job, pixels, out, 3, 4, 2, -1); break;
    case MBN_GRAY: resample_row(job, pixels, out, 3, 1, 0, 0); break;
    case MBN_GRAY_ALPHA: resample_row(job, pixels, out, 3, 2, 0, 0); break;
    }
}

/* The vertical pass for output row y, into job->sums. */
static void sum_rows(const struct job *job, int32_t y, int32_t kept_rows[KEPT_ROWS]) {
    const int32_t begin = job->channels * job->columns.begin;
    const int32_t end = job->channels * job->columns.end;
    int32_t *sums = job->sums;
    for (int32_t j = begin; j < end; j++) sums[j] = HALF;
    const struct window window = window_of(&job->rows, y);
    for (int32_t i = 0; i < window.count; i++) {
        const int32_t input = window.first + i, slot = input % KEPT_ROWS;
        uint8_t *row = job->kept + (size_t)slot * row_bytes(job->width, job->channels);
        if (kept_rows[slot] != input) {
            resample_row_of(job, input, row);
            kept_rows[slot] = input;
        }
        const int32_t tap = coefficient(&job->rows, &window, i);
        for (int32_t j = begin; j < end; j++) sums[j] += tap * row[j];
    }
}

static void write_padding(const struct job *job, int32_t begin, int32_t end, float *output) {
    const int32_t channels = job->channels;
    for (int32_t x = begin; x < end; x++) {
        for (int32_t c = 0; c < channels; c++) output[channels * x + c] = job->values[c][0];
    }
}

static void write_pixels(const struct job *job, float *output) {
    const int32_t channels = job->channels;
    for (int32_t x = job->columns.begin; x < job->columns.end; x++) {
        uint8_t pixel[MAX_CHANNELS];
        for (int32_t c = 0; c < channels; c++) pixel[c] = pixel_of(job->sums[channels * x + c]);
        if (job->premultiplied) mbn_divide_by_alpha(pixel, channels);
        for (int32_t c = 0; c < channels; c++) {
            output[channels * x + c] = job->values[c][pixel[c]];
        }
    }
}

static void write_rows(const struct job *job, float *output) {
    const struct axis *rows = &job->rows, *columns = &job->columns;
    int32_t kept_rows[KEPT_ROWS];
    for (int i = 0; i < KEPT_ROWS; i++) kept_rows[i] = -1;
    for (int32_t y = 0; y < job->height; y++, output += row_bytes(job->width, job->channels)) {
        if (y < rows->begin || y >= rows->end) {
            write_padding(job, 0, job->width, output);
            continue;
        }
        sum_rows(job, y, kept_rows);
        write_padding(job, 0, columns->begin, output);
        write_pixels(job, output);
        write_padding(job, columns->end, job->width, output);
    }
}

static mbn_status check_size(const char *what, int32_t height, int32_t width, mbn_error *error) {
    if (height >= 1 && height <= MAX_SIZE && width >= 1 && width <= MAX_SIZE) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: height %d, width %d: not 1 to %d", what,
                    height, width, MAX_SIZE);
}

mbn_status mbn_check_image(const mbn_image *image, mbn_error *error) {
    if (image == NULL || image->pixels == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        image == NULL ? "image" : "pixels");
    }
    const mbn_status status = check_size("image", image->height, image->width, error);
    if (status != MBN_OK) return status;
    const int32_t pixel_bytes = mbn_pixel_bytes(image->order);
    if (pixel_bytes == 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "image: unknown pixel order %d",
                        (int)image->order);
    }
    const ptrdiff_t row = (ptrdiff_t)image->width * pixel_bytes;
    if (image->row_stride != 0 && image->row_stride > -row && image->row_stride < row) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "image: row_stride %td is smaller than a row of %td bytes",
                        image->row_stride, row);
    }
    return MBN_OK;
}

mbn_status mbn_preprocess_image(const mbn_preprocessing *preprocessing, const mbn_image *image,
                                int32_t output_height, int32_t output_width, int32_t channels,
                                void *scratch, float *output, mbn_error *error) {
    if (preprocessing == NULL || scratch == NULL || output == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        preprocessing == NULL ? "preprocessing"
                        : scratch == NULL     ? "scratch"
                                              : "output");
    }
    mbn_status status = mbn_check_image(image, error);
    if (status == MBN_OK) status = check_size("output", output_height, output_width, error);
    if (status != MBN_OK) return status;
    const int32_t resize = preprocessing->resize;
    if (resize < 0 || resize > MAX_SIZE) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "preprocessing: resize %d: not 0 to %d",
                        resize, MAX_SIZE);
    }

    int64_t height = output_height, width = output_width;
    if (resize > 0) { /* the longer side is cut to an integer, as torchvision does */
        height = width = resize;
        if (image->width <= image->height) {
            height = (int64_t)((double)resize * image->height / image->width);
        } else {
            width = (int64_t)((double)resize * image->width / image->height);
        }
    }
    struct job job = {
        .image = image, .height = output_height, .width = output_width, .channels = channels};
    job.row_stride = image->row_stride != 0
                         ? image->row_stride
                         : (ptrdiff_t)image->width * mbn_pixel_bytes(image->order);
    job.rows = axis_of(image->height, height, output_height);
    job.columns = axis_of(image->width, width, output_width);
    /* Pillow does so while it resizes, or the colour of what is transparent would show. */
    job.premultiplied =
        mbn_has_alpha(channels) && (height != image->height || width != image->width);
    divide_scratch(&job, scratch);
    prepare_columns(&job);
    prepare_values(&job, preprocessing);
    write_rows(&job, output);
    return MBN_OK;
}
