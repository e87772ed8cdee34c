#include "preprocess.h"

#include "arch/error.h"
#include "arch/model/preprocessing.h"
#include "pixels.h"
#include "resample.h"

#include <string.h>

size_t mbn_preprocess_scratch_bytes(const mbn_preprocessing *preprocessing, int32_t output_width,
                                    int32_t channels) {
    return preprocessing->resampling == MBN_RESAMPLING_TENSORFLOW
               ? mbn_resample_tensorflow_scratch(output_width)
               : mbn_resample_pillow_scratch(preprocessing->interpolation, output_width, channels);
}

static mbn_status check_size(const char *what, int32_t height, int32_t width, mbn_error *error) {
    if (height >= 1 && height <= MBN_MAX_IMAGE_SIDE && width >= 1 && width <= MBN_MAX_IMAGE_SIDE)
        return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: height %d, width %d: not 1 to %d", what,
                    height, width, MBN_MAX_IMAGE_SIDE);
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

static void fill_row(const mbn_resample_job *job, int32_t y, int32_t begin, int32_t end) {
    const mbn_preprocessing *preprocessing = job->preprocessing;
    const int32_t channels = job->channels;
    float values[MBN_MAX_CHANNELS];
    for (int32_t c = 0; c < channels; c++) {
        values[c] = mbn_normalised(preprocessing, c, (double)preprocessing->fill[c]);
    }
    float *row = job->output + (ptrdiff_t)y * job->width * channels;
    for (int32_t x = begin; x < end; x++) {
        memcpy(row + (ptrdiff_t)x * channels, values, (size_t)channels * sizeof *values);
    }
}

static void write_padding(const mbn_resample_job *job) {
    for (int32_t y = 0; y < job->height; y++) {
        const bool inside = y >= job->rows.begin && y < job->rows.end;
        fill_row(job, y, 0, inside ? job->columns.begin : job->width);
        if (inside) fill_row(job, y, job->columns.end, job->width);
    }
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
    status = mbn_preprocessing_check(preprocessing, output_height, output_width, channels, error);
    if (status != MBN_OK) return status;
    mbn_resample_job job = {
        .preprocessing = preprocessing,
        .image = image,
        .row_stride = image->row_stride,
        .height = output_height,
        .width = output_width,
        .channels = channels,
        .scratch = scratch,
        .output = output,
    };
    if (job.row_stride == 0) {
        job.row_stride = (ptrdiff_t)image->width * mbn_pixel_bytes(image->order);
    }
    mbn_fit_image(preprocessing, image, output_height, output_width, &job.rows, &job.columns);
    write_padding(&job);
    if (preprocessing->resampling == MBN_RESAMPLING_TENSORFLOW) {
        mbn_resample_tensorflow(&job);
    } else {
        mbn_resample_pillow(&job);
    }
    return MBN_OK;
}
