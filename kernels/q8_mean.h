/* The mean of the floats that a plane's bytes stand for (MBN_MEAN_VALUES), for all q8 tables: a
 * lookup of 256 floats for each byte leaves vectors nothing to do. */
#ifndef MBN_KERNELS_Q8_MEAN_H
#define MBN_KERNELS_Q8_MEAN_H

#include "q8.h"

#include <mobilenet/kernels.h>

enum { MBN_QUARTERS = 4, MBN_MEAN_CHANNELS = 16 };

/* The first becomes the sum of all. */
static inline void mbn_join_quarters(float quarters[MBN_QUARTERS][MBN_MEAN_CHANNELS]) {
    for (int32_t c = 0; c < MBN_MEAN_CHANNELS; c++) {
        quarters[0][c] = (quarters[0][c] + quarters[2][c]) + (quarters[1][c] + quarters[3][c]);
    }
}

/* Of the channels of block b, to `out`. */
static inline void mbn_mean_of_values(const mbn_pool_args *args, int32_t b, uint8_t *out) {
    enum { QUARTERS = MBN_QUARTERS, CHANNELS = MBN_MEAN_CHANNELS };
    const mbn_q8_finish *finish = args->finish.q8;
    const float *values = finish->mean.values;
    const int32_t n = args->input_height * args->input_width, whole = n - n % QUARTERS;
    float quarters[QUARTERS][CHANNELS] = {{0.0f}};
    int32_t pixel = 0;
    for (int32_t y = 0; y < args->input_height; y++) {
        const uint8_t *in = (const uint8_t *)args->input.data + b * args->input.block_stride +
                            y * args->input.row_stride;
        for (int32_t x = 0; x < args->input_width; x++, pixel++, in += CHANNELS) {
            if (pixel == whole) mbn_join_quarters(quarters);
            float *sum = quarters[pixel < whole ? pixel % QUARTERS : 0];
            for (int32_t c = 0; c < CHANNELS; c++) sum[c] += values[in[c]];
        }
    }
    if (whole == n) mbn_join_quarters(quarters);
    for (int32_t c = 0; c < CHANNELS; c++) {
        const float mean = quarters[0][c] / (float)n;
        out[c] = mbn_byte_of_float(mean / finish->mean.output_scale, finish->range.zero,
                                   finish->range.low, finish->range.high);
    }
}

#endif
