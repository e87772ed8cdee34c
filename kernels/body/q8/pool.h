/* The mean of a plane. */
#include "finish.h"

#include "kernels/q8_mean.h"

/* The sum of a channel block's pixels, in chains, for each addition waits for the one before it: in
 * four vectors at least. */
static sums plane_sum(const mbn_pool_args *args, int32_t b) {
    enum { PLANE_CHAINS = VEC_PARTS ? 2 : 4 };
    const bool flat = args->input.row_stride == (ptrdiff_t)args->input_width * PIXEL_BYTES;
    const int32_t rows = flat ? 1 : args->input_height;
    const int32_t width = flat ? args->input_height * args->input_width : args->input_width;
    sums chain[PLANE_CHAINS];
    for (int32_t i = 0; i < PLANE_CHAINS; i++) chain[i] = sums_zero();
    for (int32_t y = 0; y < rows; y++) {
        const char *row = mbn_row_at(&args->input, b, y);
        int32_t x = 0;
        for (; x + PLANE_CHAINS * QUAD <= width; x += PLANE_CHAINS * QUAD) {
            MBN_UNROLL
            for (int32_t i = 0; i < PLANE_CHAINS; i++, row += QUAD * PIXEL_BYTES) {
                chain[i] = pixels_sum(row, chain[i]);
            }
        }
        for (; x + QUAD <= width; x += QUAD, row += QUAD * PIXEL_BYTES) {
            chain[0] = pixels_sum(row, chain[0]);
        }
        MBN_UNROLL
        for (int32_t i = 0; i < QUAD - 1; i++) {
            if (x + i < width) chain[i % 2] = pixel_sum(row + i * PIXEL_BYTES, chain[i % 2]);
        }
    }
    MBN_UNROLL
    for (int32_t i = 1; i < PLANE_CHAINS; i++) chain[0] = sums_add(chain[0], chain[i]);
    return chain[0];
}

/* What the means of a call have in common. */
typedef struct averaging {
    const mbn_q8_finish *finish;
    mbn_multiplier multiplier;
    int32_t n;
    float real[BLOCK]; /* the multiplier for each channel */
    float inside;      /* what is added before rounding, of MBN_MEAN_OFFSET */
    byte_limits limits;
} averaging;

static averaging averaging_of(const mbn_pool_args *args) {
    const mbn_q8_finish *finish = args->finish.q8;
    const mbn_q8_mean *mean = &finish->mean;
    const int32_t n = args->input_height * args->input_width;
    averaging a = {.finish = finish, .multiplier = mbn_mean_multiplier(mean, n), .n = n};
    const float m = a.multiplier.real;
    for (int32_t c = 0; c < BLOCK; c++) a.real[c] = m;
    mbn_byte_range range = finish->range;
    if (mean->kind == MBN_MEAN_OFFSET) {
        a.inside = (float)(range.zero - mean->origin) -
                   (float)(n * (finish->input_zero - mean->origin)) * m;
        range.zero = (uint8_t)mean->origin;
    }
    a.limits = byte_limits_of(range);
    return a;
}

/* mbn_mean_of, of a channel block. */
static void store_mean(const averaging *a, sums sum, char *output) {
    const mbn_q8_mean *mean = &a->finish->mean;
    if (mean->kind == MBN_MEAN_INTEGER) {
        int32_t values[BLOCK];
        sums_store(values, sum);
        for (int32_t c = 0; c < BLOCK; c++) {
            output[c] = (char)mbn_mean_quotient(values[c], a->n, mean->origin);
        }
        return;
    }
    const bool offset = mean->kind == MBN_MEAN_OFFSET;
    const int32_t zero = offset ? mean->origin : a->finish->input_zero;
    const sums x = sums_sub(sum, sums_splat(a->n * zero));
    const sums y =
        offset ? rescale_inside(x, factors_load(a->real), a->inside)
        : mean->kind == MBN_MEAN_FLOAT
            ? rescale_float(x, a->real)
            : rescale_fixed(x, sums_splat(a->multiplier.fixed), sums_splat(a->multiplier.shift));
    bytes_store_some(output, 1, bytes_of(&a->limits, y, y, y, y));
}

static void global_average_pool(const mbn_pool_args *args, mbn_range range) {
    mbn_assert_global_average_pool(args, range, ELEMENT_BYTES);
    const averaging a = averaging_of(args);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        char *output = (char *)args->output.data + (ptrdiff_t)b * VECTOR_BYTES;
        if (args->finish.q8->mean.kind == MBN_MEAN_VALUES) {
            mbn_mean_of_values(args, b, (uint8_t *)output);
        } else {
            store_mean(&a, plane_sum(args, b), output);
        }
    }
}
