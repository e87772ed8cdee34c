/* The convolutions compute a run of output pixels of one channel block at a time, and the run is
 * the accumulator: it starts as the bias, every tap adds its products to all pixels that it
 * reaches, and the finish ends it.  So each output has one chain, borders are ranges of pixels
 * rather than conditions, and the inner loop runs along the row. */
#ifndef MBN_KERNELS_SCALAR_ROW_H
#define MBN_KERNELS_SCALAR_ROW_H

#include "activation.h"
#include "kernels/scalar/span.h"
#include "plane.h"

#include <assert.h>

enum { RUN_FLOATS = 1024, LANES_MOST = 64 };

/* The sums of a run: [pixel][lane]. */
typedef struct run {
    span pixels;
    int32_t block;
    float sums[RUN_FLOATS];
} run;

/* The next run of a row of `width` outputs, from pixel `begin` on, with the bias as its sums. */
static inline void run_begin(run *r, const float *bias, int32_t begin, int32_t width,
                             int32_t block) {
    assert(block <= LANES_MOST);
    const int32_t most = RUN_FLOATS / block;
    r->pixels = (span){begin, width - begin < most ? width : begin + most};
    r->block = block;
    for (int32_t x = 0; x < r->pixels.end - begin; x++) {
        for (int32_t lane = 0; lane < block; lane++) r->sums[x * block + lane] = bias[lane];
    }
}

/* sums[x][lane] += input[x * pixel_step + lane * lane_step] * weights[lane]. */
static inline void add_products(float *restrict sums, const element *restrict input,
                                ptrdiff_t pixel_step, ptrdiff_t lane_step,
                                const float *restrict weights, int32_t pixels, int32_t block) {
    for (int32_t x = 0; x < pixels; x++) {
        for (int32_t lane = 0; lane < block; lane++) {
            sums[x * block + lane] +=
                to_float(input[x * pixel_step + lane * lane_step]) * weights[lane];
        }
    }
}

/* One tap: its products with the pixels `reached`, of which `input` is the first one's; a lane's
 * weight is weight_step behind the one before.  The number of lanes is made known to the compiler,
 * which then vectorises over them, or over pixels where there is one lane. */
static inline void run_add(run *r, span reached, const element *input, ptrdiff_t pixel_step,
                           ptrdiff_t lane_step, const element *weights, ptrdiff_t weight_step) {
    float w[LANES_MOST];
    float *sums = r->sums + (ptrdiff_t)(reached.begin - r->pixels.begin) * r->block;
    const int32_t pixels = reached.end - reached.begin;
    for (int32_t lane = 0; lane < r->block; lane++) w[lane] = to_float(weights[lane * weight_step]);
    switch (r->block) {
    case 1: add_products(sums, input, pixel_step, lane_step, w, pixels, 1); break;
    case 4: add_products(sums, input, pixel_step, lane_step, w, pixels, 4); break;
    case 8: add_products(sums, input, pixel_step, lane_step, w, pixels, 8); break;
    case 16: add_products(sums, input, pixel_step, lane_step, w, pixels, 16); break;
    default: add_products(sums, input, pixel_step, lane_step, w, pixels, r->block); break;
    }
}

/* To a row of the output.  residual is NULL or a row of the same shape. */
static inline void run_end(const run *r, const element *residual, mbn_activation activation,
                           element *row) {
    const ptrdiff_t first = (ptrdiff_t)r->pixels.begin * r->block;
    const int32_t count = (r->pixels.end - r->pixels.begin) * r->block;
    for (int32_t i = 0; i < count; i++) {
        float sum = r->sums[i];
        if (residual != NULL) sum += to_float(residual[first + i]);
        row[first + i] = from_float(activate(sum, activation));
    }
}

#endif
