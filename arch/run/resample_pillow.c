/* Image.resize of Pillow, exactly, reduced to the rows and columns that are kept: the horizontal
 * pass first, fixed-point coefficients, 8 bits between and after the passes.  Its nearest neighbour
 * is a filter of one pixel here. */
#include "arch/model/preprocessing.h"
#include "pixels.h"
#include "resample.h"

enum {
    /* Pillow's fixed point: 8 bits for a pixel, 2 to spare, the rest for the fraction. */
    FRACTION_BITS = 32 - 8 - 2,
    HALF = 1 << (FRACTION_BITS - 1),
    SUMS = 1 << (32 - FRACTION_BITS), /* whole parts that a sum may have: SUMS / 2 below 0 */
    /* Most rows that are kept after the horizontal pass.  Neighbouring output rows share a half or
     * more of their windows; up to a reduction of 31, no input row is resampled twice. */
    KEPT_ROWS = 128,
    /* Nearest neighbour: Pillow adds up positions, so that errors of rounding do as well; it has no
     * images as wide as this. */
    ADDED_PIXELS = 1 << 24
};

/* One direction. */
struct direction {
    const mbn_axis *axis;
    mbn_interpolation filter;
    double scale;     /* input / resized */
    double support;   /* half the width of a window, in pixels of the image */
    double sharpness; /* of the filter: 1 / max(scale, 1) */
    double position;  /* nearest: in the image, of pixel `placed` of the resized image */
    int64_t placed;
};

/* The pixels of the image that make one output pixel. */
struct window {
    int32_t first, count;
    double center, sum;
};

struct column {
    int32_t first, count;
};

struct resampling {
    const mbn_resample_job *job;
    struct direction rows, columns;
    bool premultiplied;                   /* colours are times alpha until they are written */
    float values[MBN_MAX_CHANNELS][SUMS]; /* normalised, of the clamped whole part of a sum */
    /* In the caller's scratch: */
    int32_t *taps;          /* coefficients of all columns, one after another */
    struct column *windows; /* of the columns */
    int32_t *sums;          /* of one output row */
    uint8_t *kept;          /* kept_rows rows after the horizontal pass: row y at y % kept_rows */
    uint8_t *converted;     /* a row of the image, unless the output has three channels */
    int32_t kept_rows;      /* a power of two; no more than a window needs, for the sake of L1 */
    int32_t inputs[KEPT_ROWS]; /* that are kept; -1: none */
};

/* The width of a filter that does not shrink, in pixels. */
static int32_t filter_width(mbn_interpolation filter) {
    switch (filter) {
    case MBN_INTERPOLATION_BILINEAR: return 2;
    case MBN_INTERPOLATION_BICUBIC: return 4;
    default: return 1;
    }
}

/* A window of scale s has at most width * max(s, 1) + 1 pixels, and s times the columns is at most
 * the image. */
static size_t tap_count(mbn_interpolation filter, int32_t output_width) {
    const size_t width = (size_t)filter_width(filter);
    return width * MBN_MAX_IMAGE_SIDE + (width + 1) * (size_t)output_width;
}

static size_t row_bytes(int32_t output_width, int32_t channels) {
    return (size_t)channels * (size_t)output_width;
}

size_t mbn_resample_pillow_scratch(mbn_interpolation interpolation, int32_t output_width,
                                   int32_t channels) {
    return tap_count(interpolation, output_width) * sizeof(int32_t) +
           (size_t)output_width * sizeof(struct column) +
           row_bytes(output_width, channels) * (sizeof(int32_t) + KEPT_ROWS) +
           (channels == 3 ? 0 : row_bytes(MBN_MAX_IMAGE_SIDE, channels));
}

static void divide_scratch(struct resampling *r) {
    const int32_t width = r->job->width;
    const size_t row = row_bytes(width, r->job->channels);
    r->taps = r->job->scratch;
    r->windows = (struct column *)(r->taps + tap_count(r->columns.filter, width));
    r->sums = (int32_t *)(r->windows + width);
    r->kept = (uint8_t *)(r->sums + row);
    r->converted = r->kept + KEPT_ROWS * row;
    for (r->kept_rows = 1; r->kept_rows < KEPT_ROWS && r->kept_rows < 2 * r->rows.support + 1;) {
        r->kept_rows *= 2;
    }
    for (int32_t i = 0; i < r->kept_rows; i++) r->inputs[i] = -1;
}

static struct direction direction_of(const mbn_axis *axis, mbn_interpolation filter) {
    struct direction d = {.axis = axis, .filter = filter};
    d.scale = (double)axis->input / (double)axis->resized;
    const double stretch = d.scale < 1 ? 1 : d.scale;
    d.support = 0.5 * filter_width(filter) * stretch;
    d.sharpness = 1 / stretch;
    d.position = 0.5 * d.scale;
    return d;
}

/* The filter, not normalised, at pixel `index` of a window. */
static double weight(const struct direction *d, const struct window *window, int32_t index) {
    double x = ((double)(window->first + index) - window->center + 0.5) * d->sharpness;
    switch (d->filter) {
    case MBN_INTERPOLATION_BILINEAR:
        if (x < 0) x = -x;
        return x < 1 ? 1 - x : 0;
    case MBN_INTERPOLATION_BICUBIC:
        if (x < 0) x = -x;
        if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    case MBN_INTERPOLATION_AREA: return x > -0.5 && x <= 0.5 ? 1 : 0;
    case MBN_INTERPOLATION_NEAREST: break;
    }
    return 1;
}

/* Of ascending output pixels. */
static struct window nearest_window(struct direction *d, int64_t pixel) {
    if (pixel - d->placed > ADDED_PIXELS) {
        d->position = ((double)pixel + 0.5) * d->scale;
        d->placed = pixel;
    }
    for (; d->placed < pixel; d->placed++) d->position += d->scale;
    const int32_t first = (int32_t)d->position;
    return (struct window){first < d->axis->input ? first : d->axis->input - 1, 1, 0, 1};
}

static struct window window_of(struct direction *d, int32_t output) {
    const int64_t pixel = output + d->axis->offset;
    if (d->filter == MBN_INTERPOLATION_NEAREST) return nearest_window(d, pixel);
    struct window window = {.center = ((double)pixel + 0.5) * d->scale};
    /* Conversions cut towards zero, which rounds a small negative first to 0. */
    const int32_t first = (int32_t)(window.center - d->support + 0.5);
    const int32_t end = (int32_t)(window.center + d->support + 0.5);
    window.first = first < 0 ? 0 : first;
    window.count = (end > d->axis->input ? d->axis->input : end) - window.first;
    for (int32_t i = 0; i < window.count; i++) window.sum += weight(d, &window, i);
    if (window.sum == 0) window.sum = 1;
    return window;
}

static int32_t coefficient(const struct direction *d, const struct window *window, int32_t index) {
    const double exact = weight(d, window, index) / window->sum * (1 << FRACTION_BITS);
    return (int32_t)(exact < 0 ? exact - 0.5 : exact + 0.5);
}

/* Many rounded coefficients may add up to a little more than 1, and a bicubic filter's
 * overshoot. */
static uint8_t pixel_of(int32_t sum) {
    const int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value > 255 ? 255 : value < 0 ? 0 : value);
}

static void prepare_columns(struct resampling *r) {
    int32_t *taps = r->taps;
    for (int32_t x = r->job->columns.begin; x < r->job->columns.end; x++) {
        const struct window window = window_of(&r->columns, x);
        r->windows[x] = (struct column){window.first, window.count};
        for (int32_t i = 0; i < window.count; i++) *taps++ = coefficient(&r->columns, &window, i);
    }
}

static void prepare_values(struct resampling *r) {
    for (int32_t c = 0; c < r->job->channels; c++) {
        float *zero = r->values[c] + SUMS / 2;
        for (int i = 0; i < 256; i++) zero[i] = mbn_normalised(r->job->preprocessing, c, i);
        for (int i = -SUMS / 2; i < 0; i++) zero[i] = zero[0];
        for (int i = 256; i < SUMS / 2; i++) zero[i] = zero[255];
    }
}

/* The horizontal pass over one row, whose channel c is at `first + c * step` of a pixel.  Inlined
 * where the numbers are constants. */
static inline void resample_row(const struct resampling *r, const uint8_t *pixels, uint8_t *out,
                                int32_t channels, int32_t pixel_bytes, int32_t first,
                                int32_t step) {
    const int32_t *taps = r->taps;
    for (int32_t x = r->job->columns.begin; x < r->job->columns.end; x++) {
        const struct column window = r->windows[x];
        const uint8_t *in = pixels + (ptrdiff_t)window.first * pixel_bytes + first;
        int32_t sums[MBN_MAX_CHANNELS] = {HALF, HALF, HALF, HALF};
        for (int32_t i = 0; i < window.count; i++, in += pixel_bytes) {
            for (int32_t c = 0; c < channels; c++) sums[c] += taps[i] * in[c * step];
        }
        taps += window.count;
        for (int32_t c = 0; c < channels; c++) out[channels * x + c] = pixel_of(sums[c]);
    }
}

static void resample_row_of(const struct resampling *r, int32_t y, uint8_t *out) {
    const mbn_image *image = r->job->image;
    const int32_t channels = r->job->channels;
    const uint8_t *pixels = image->pixels + y * r->job->row_stride;
    if (channels != 3) {
        mbn_convert_pixels(pixels, image->order, image->width, channels, r->premultiplied,
                           r->converted);
        switch (channels) {
        case 1: resample_row(r, r->converted, out, 1, 1, 0, 1); break;
        case 2: resample_row(r, r->converted, out, 2, 2, 0, 1); break;
        case 4: resample_row(r, r->converted, out, 4, 4, 0, 1); break;
        }
        return;
    }
    switch (image->order) { /* where it is */
    case MBN_RGB: resample_row(r, pixels, out, 3, 3, 0, 1); break;
    case MBN_BGR: resample_row(r, pixels, out, 3, 3, 2, -1); break;
    case MBN_RGBA: resample_row(r, pixels, out, 3, 4, 0, 1); break;
    case MBN_BGRA: resample_row(r, pixels, out, 3, 4, 2, -1); break;
    case MBN_GRAY: resample_row(r, pixels, out, 3, 1, 0, 0); break;
    case MBN_GRAY_ALPHA: resample_row(r, pixels, out, 3, 2, 0, 0); break;
    }
}

/* The vertical pass for output row y, into r->sums. */
static void sum_rows(struct resampling *r, int32_t y) {
    const int32_t channels = r->job->channels;
    const int32_t begin = channels * r->job->columns.begin, end = channels * r->job->columns.end;
    int32_t *sums = r->sums;
    for (int32_t j = begin; j < end; j++) sums[j] = HALF;
    const struct window window = window_of(&r->rows, y);
    for (int32_t i = 0; i < window.count; i++) {
        const int32_t input = window.first + i, slot = input & (r->kept_rows - 1);
        uint8_t *row = r->kept + (size_t)slot * row_bytes(r->job->width, channels);
        if (r->inputs[slot] != input) {
            resample_row_of(r, input, row);
            r->inputs[slot] = input;
        }
        const int32_t tap = coefficient(&r->rows, &window, i);
        for (int32_t j = begin; j < end; j++) sums[j] += tap * row[j];
    }
}

/* Inlined where `channels` is a constant. */
static inline void write_row(const struct resampling *r, float *output, int32_t channels) {
    const int32_t *sums = r->sums;
    const int32_t end = r->job->columns.end;
    for (int32_t x = r->job->columns.begin; x < end; x++) {
        for (int32_t c = 0; c < channels; c++) {
            const int32_t i = channels * x + c;
            output[i] = r->values[c][SUMS / 2 + (sums[i] >> FRACTION_BITS)];
        }
    }
}

static void write_divided_row(const struct resampling *r, float *output) {
    const int32_t channels = r->job->channels;
    for (int32_t x = r->job->columns.begin; x < r->job->columns.end; x++) {
        uint8_t pixel[MBN_MAX_CHANNELS];
        for (int32_t c = 0; c < channels; c++) pixel[c] = pixel_of(r->sums[channels * x + c]);
        mbn_divide_by_alpha(pixel, channels);
        for (int32_t c = 0; c < channels; c++) {
            output[channels * x + c] = r->values[c][SUMS / 2 + pixel[c]];
        }
    }
}

static void write_row_of(const struct resampling *r, int32_t y) {
    const int32_t channels = r->job->channels;
    float *output = r->job->output + (size_t)y * row_bytes(r->job->width, channels);
    if (r->premultiplied) {
        write_divided_row(r, output);
    } else if (channels == 3) {
        write_row(r, output, 3);
    } else {
        write_row(r, output, channels);
    }
}

/* Pillow multiplies by alpha while it filters, or the colour of what is transparent would show. */
static bool is_premultiplied(const mbn_resample_job *job) {
    return mbn_has_alpha(job->channels) &&
           job->preprocessing->interpolation != MBN_INTERPOLATION_NEAREST &&
           (job->rows.resized != job->rows.input || job->columns.resized != job->columns.input);
}

void mbn_resample_pillow(const mbn_resample_job *job) {
    const mbn_interpolation filter = job->preprocessing->interpolation;
    struct resampling r = {.job = job,
                           .rows = direction_of(&job->rows, filter),
                           .columns = direction_of(&job->columns, filter),
                           .premultiplied = is_premultiplied(job)};
    divide_scratch(&r);
    prepare_columns(&r);
    prepare_values(&r);
    for (int32_t y = job->rows.begin; y < job->rows.end; y++) {
        sum_rows(&r, y);
        write_row_of(&r, y);
    }
}
