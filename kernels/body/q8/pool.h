/* The mean of a plane. */
#include "finish.h"

#include "kernels/q8_mean.h"

static void global_average_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_global_average_pool(args, range, ELEMENT_BYTES);
    const mbn_q8_finish *finish = args->finish.q8;
    const int32_t n = args->input_height * args->input_width;
    const mbn_multiplier multiplier = mbn_mean_multiplier(&finish->mean, n);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        uint8_t *output = (uint8_t *)args->output.data + (ptrdiff_t)b * VECTOR_BYTES;
        if (finish->mean.kind == MBN_MEAN_VALUES) {
            mbn_mean_of_values(args, b, output);
            continue;
        }
        sums even = sums_zero(), odd = sums_zero();
        for (int32_t y = 0; y < args->input_height; y++) {
            const char *row = mbn_row_at(&args->input, b, y);
            int32_t x = 0;
            for (; x + 2 * QUAD <= args->input_width;
                 x += 2 * QUAD, row += 2 * QUAD * PIXEL_BYTES) {
                even = pixels_sum(row, even);
                odd = pixels_sum(row + QUAD * PIXEL_BYTES, odd);
            }
            for (; x < args->input_width; x++, row += PIXEL_BYTES) {
                even = pixel_sum(row, even);
            }
        }
        int32_t values[BLOCK];
        sums_store(values, sums_add(even, odd));
        for (int32_t c = 0; c < BLOCK; c++) {
            output[c] = mbn_mean_of(&finish->mean, &multiplier, values[c], n, finish->input_zero,
                                    finish->range);
        }
    }
}
