/* tf.image.resize without antialiasing, in the order in which TensorFlow's kernels compute in
 * float32, so that results are equal where its build does not fuse multiply-adds. */
#include "pixels.h"
#include "resample.h"

#include <float.h>
#include <math.h>

enum {
    CUBIC_STEPS = 1024 /* positions between two pixels that TensorFlow tells apart */
};

/* The rows or columns that make one output pixel.
 *   bilinear  index[0] + (index[1] - index[0]) * weight[0]
 *   bicubic   index[0..3] times weight[0..3]
 *   nearest   index[0]
 *   area      index[0] times weight[0], the ones between, index[1] times weight[1], unless it is
 *             index[0] */
struct taps {
    int64_t index[4];
    float weight[4];
};

size_t mbn_resample_tensorflow_scratch(int32_t output_width) {
    return (size_t)output_width * sizeof(struct taps);
}

static int64_t bound(int64_t index, int64_t size) {
    return index < 0 ? 0 : index < size ? index : size - 1;
}

/* Half-pixel centres. */
static float position_of(int64_t pixel, float scale) {
    return ((float)pixel + 0.5F) * scale;
}

static struct taps bilinear_taps(float position, int64_t size) {
    const float floor = floorf(position);
    struct taps taps = {.weight = {position - floor}};
    taps.index[1] = (int64_t)ceilf(position) < size ? (int64_t)ceilf(position) : size - 1;
    taps.index[0] = floor < 0 ? 0 : (int64_t)floor;
    if (taps.index[0] > taps.index[1]) taps.index[0] = taps.index[1];
    return taps;
}

/* Keys's cubic at a distance of 0 to 1, and of 1 to 2, which are rounded to float in between. */
static float near_cubic(int step) {
    const double x = (double)step / (double)CUBIC_STEPS;
    return (float)((1.5 * x - 2.5) * x * x + 1);
}

static float far_cubic(int step) {
    const double x = (double)step / (double)CUBIC_STEPS + 1;
    return (float)(((-0.5 * x + 2.5) * x - 4) * x + 2);
}

/* Pixels beyond the border have no weight; what the others have is scaled to a sum of 1. */
static struct taps bicubic_taps(float position, int64_t size) {
    const int64_t floor = (int64_t)floorf(position);
    const int step = (int)lrintf((position - (float)floor) * (float)CUBIC_STEPS);
    struct taps taps = {.weight = {far_cubic(step), near_cubic(step),
                                   near_cubic(CUBIC_STEPS - step), far_cubic(CUBIC_STEPS - step)}};
    for (int i = 0; i < 4; i++) {
        taps.index[i] = bound(floor + i - 1, size);
        if (taps.index[i] != floor + i - 1) taps.weight[i] = 0;
    }
    const float sum = taps.weight[0] + taps.weight[1] + taps.weight[2] + taps.weight[3];
    const float factor = fabsf(sum) >= 1000 * FLT_MIN ? 1.0F / sum : 1;
    for (int i = 0; i < 4; i++) taps.weight[i] *= factor;
    return taps;
}

/* The part of a row or column that lies between begin and end. */
static float covered(int64_t index, float begin, float end, float scale) {
    const bool whole_end = (float)(index + 1) <= end;
    if ((float)index < begin) return whole_end ? (float)(index + 1) - begin : scale;
    return whole_end ? 1 : end - (float)index;
}

/* Not bound to the image. */
static struct taps area_taps(int64_t pixel, float scale) {
    const float begin = (float)pixel * scale, end = (float)(pixel + 1) * scale;
    struct taps taps = {.index = {(int64_t)floorf(begin), (int64_t)ceilf(end) - 1}};
    for (int i = 0; i < 2; i++) taps.weight[i] = covered(taps.index[i], begin, end, scale);
    return taps;
}

static float scale_of(const mbn_axis *axis) {
    return (float)axis->source / (float)axis->resized;
}

static struct taps taps_of(const mbn_axis *axis, int32_t output, mbn_interpolation interpolation) {
    const int64_t pixel = output + axis->offset;
    const float scale = scale_of(axis), position = position_of(pixel, scale);
    switch (interpolation) {
    case MBN_INTERPOLATION_BILINEAR: return bilinear_taps(position - 0.5F, axis->source);
    case MBN_INTERPOLATION_BICUBIC: return bicubic_taps(position - 0.5F, axis->source);
    case MBN_INTERPOLATION_AREA: return area_taps(pixel, scale);
    case MBN_INTERPOLATION_NEAREST: break;
    }
    return (struct taps){.index = {bound((int64_t)floorf(position), axis->source)}};
}

/* An image as TensorFlow is given it: with the channels of the network, and what is around it. */
struct source {
    const mbn_resample_job *job;
    int32_t pixel_bytes;
    int32_t position[MBN_MAX_CHANNELS]; /* mbn_channel_position */
    int32_t red, green, blue;
};

static struct source source_of(const mbn_resample_job *job) {
    const mbn_pixel_order order = job->image->order;
    struct source source = {.job = job,
                            .pixel_bytes = mbn_pixel_bytes(order),
                            .red = mbn_channel_position(order, 3, 0),
                            .green = mbn_channel_position(order, 3, 1),
                            .blue = mbn_channel_position(order, 3, 2)};
    for (int32_t c = 0; c < job->channels; c++) {
        source.position[c] = mbn_channel_position(order, job->channels, c);
    }
    return source;
}

/* NULL for a row around the image. */
static const uint8_t *row_at(const mbn_resample_job *job, int64_t index) {
    const int64_t y = index + job->rows.first;
    if (y < 0 || y >= job->rows.input) return NULL;
    return job->image->pixels + y * job->row_stride;
}

static inline float value_at(const struct source *source, const uint8_t *row, int64_t index,
                             int32_t c) {
    const mbn_axis *columns = &source->job->columns;
    const int64_t x = index + columns->first;
    if (row == NULL || x < 0 || x >= columns->input) return source->job->preprocessing->fill[c];
    const uint8_t *pixel = row + x * source->pixel_bytes;
    const int32_t position = source->position[c];
    if (position >= 0) return pixel[position];
    if (position == MBN_CHANNEL_OPAQUE) return 255;
    return mbn_luma(pixel[source->red], pixel[source->green], pixel[source->blue]);
}

static float bilinear(const struct source *source, const uint8_t *const rows[4],
                      const struct taps *y, const struct taps *x, int32_t c) {
    const float top_left = value_at(source, rows[0], x->index[0], c);
    const float top_right = value_at(source, rows[0], x->index[1], c);
    const float bottom_left = value_at(source, rows[1], x->index[0], c);
    const float bottom_right = value_at(source, rows[1], x->index[1], c);
    const float top = top_left + (top_right - top_left) * x->weight[0];
    const float bottom = bottom_left + (bottom_right - bottom_left) * x->weight[0];
    return top + (bottom - top) * y->weight[0];
}

static float weighted_sum(const float values[4], const float weights[4]) {
    return values[0] * weights[0] + values[1] * weights[1] + values[2] * weights[2] +
           values[3] * weights[3];
}

static float bicubic(const struct source *source, const uint8_t *const rows[4],
                     const struct taps *y, const struct taps *x, int32_t c) {
    float sums[4];
    for (int i = 0; i < 4; i++) {
        float values[4];
        for (int j = 0; j < 4; j++) values[j] = value_at(source, rows[j], x->index[i], c);
        sums[i] = weighted_sum(values, y->weight);
    }
    return weighted_sum(sums, x->weight);
}

static float sum_of_row(const struct source *source, const uint8_t *row, const struct taps *x,
                        int32_t c) {
    const int64_t size = source->job->columns.source, first = x->index[0], last = x->index[1];
    float sum = value_at(source, row, bound(first, size), c) * x->weight[0];
    if (first == last) return sum;
    for (int64_t i = first + 1; i < last; i++) sum += value_at(source, row, bound(i, size), c);
    return sum + value_at(source, row, bound(last, size), c) * x->weight[1];
}

/* The rows' weights are computed anew, for there may be any number of them.  What lies around the
 * image has the same sum in every row. */
static float area(const struct source *source, int64_t pixel, const struct taps *y,
                  const struct taps *x, int32_t c) {
    const mbn_axis *rows = &source->job->rows, *columns = &source->job->columns;
    const bool has_border = rows->first < 0 || columns->first < 0;
    const float border = has_border ? sum_of_row(source, NULL, x, c) : 0;
    const bool beside =
        x->index[1] + columns->first < 0 || x->index[0] + columns->first >= columns->input;
    const float scale = scale_of(rows);
    const float begin = (float)pixel * scale, end = (float)(pixel + 1) * scale;
    float sum = 0;
    for (int64_t i = y->index[0]; i <= y->index[1]; i++) {
        const uint8_t *row = row_at(source->job, bound(i, rows->source));
        const bool outside = has_border && (beside || row == NULL);
        sum += (outside ? border : sum_of_row(source, row, x, c)) * covered(i, begin, end, scale);
    }
    return sum * (float)(1.0 / (double)(scale * scale_of(columns)));
}

static float value_of(const struct source *source, int32_t output_row, const uint8_t *const rows[4],
                      const struct taps *y, const struct taps *x, int32_t c) {
    switch (source->job->preprocessing->interpolation) {
    case MBN_INTERPOLATION_BILINEAR: return bilinear(source, rows, y, x, c);
    case MBN_INTERPOLATION_BICUBIC: return bicubic(source, rows, y, x, c);
    case MBN_INTERPOLATION_AREA:
        return area(source, output_row + source->job->rows.offset, y, x, c);
    case MBN_INTERPOLATION_NEAREST: break;
    }
    return value_at(source, rows[0], x->index[0], c);
}

void mbn_resample_tensorflow(const mbn_resample_job *job) {
    const mbn_interpolation interpolation = job->preprocessing->interpolation;
    const struct source source = source_of(job);
    const int32_t channels = job->channels;
    struct taps *columns = job->scratch;
    for (int32_t x = job->columns.begin; x < job->columns.end; x++) {
        columns[x] = taps_of(&job->columns, x, interpolation);
    }
    for (int32_t y = job->rows.begin; y < job->rows.end; y++) {
        const struct taps taps = taps_of(&job->rows, y, interpolation);
        const uint8_t *rows[4];
        for (int i = 0; i < 4; i++) rows[i] = row_at(job, bound(taps.index[i], job->rows.source));
        float *output = job->output + (ptrdiff_t)y * job->width * channels;
        for (int32_t x = job->columns.begin; x < job->columns.end; x++) {
            for (int32_t c = 0; c < channels; c++) {
                const float value = value_of(&source, y, rows, &taps, &columns[x], c);
                output[channels * x + c] = mbn_normalised(job->preprocessing, c, (double)value);
            }
        }
    }
}
