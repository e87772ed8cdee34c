/* Resizing and cropping an image, by the arithmetic of either source. */
#ifndef MBN_ARCH_RESAMPLE_H
#define MBN_ARCH_RESAMPLE_H

#include "fit.h"

enum { MBN_MAX_CHANNELS = 4 };

typedef struct mbn_resample_job {
    const mbn_preprocessing *preprocessing;
    const mbn_image *image;
    ptrdiff_t row_stride;            /* never 0 */
    int32_t height, width, channels; /* of the output */
    mbn_axis rows, columns;
    void *scratch; /* bytes as below, aligned to 64 */
    float *output; /* [height][width][channels] */
} mbn_resample_job;

/* A pixel's value as an input of the network. */
static inline float mbn_normalised(const mbn_preprocessing *preprocessing, int32_t channel,
                                   double value) {
    const double mean = (double)preprocessing->mean[channel];
    return (float)((value / 255.0 - mean) / (double)preprocessing->standard_deviation[channel]);
}

size_t mbn_resample_pillow_scratch(mbn_interpolation interpolation, int32_t output_width,
                                   int32_t channels);
size_t mbn_resample_tensorflow_scratch(int32_t output_width);

/* Write the output's pixels from rows.begin, columns.begin to rows.end, columns.end; leave the
 * padding. */
void mbn_resample_pillow(const mbn_resample_job *job);
void mbn_resample_tensorflow(const mbn_resample_job *job);

#endif
