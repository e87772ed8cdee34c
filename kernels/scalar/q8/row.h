/* The convolutions compute a run of output pixels of one channel block at a time, as those of
 * floats do: it starts as the bias, every tap adds its products to all pixels, with the zero point
 * where it lies beyond the input, and the finish makes bytes of it. */
#ifndef MBN_KERNELS_SCALAR_Q8_ROW_H
#define MBN_KERNELS_SCALAR_Q8_ROW_H

#include "kernels/inline.h"
#include "kernels/q8.h"
#include "kernels/scalar/float/plane.h"
#include "kernels/scalar/span.h"

#include <assert.h>
#include <string.h>

enum { RUN_PIXELS = 64, LANES = 16 };

typedef struct run {
    span pixels;
    const mbn_q8_finish *finish;
    mbn_multiplier multipliers[LANES];
    uint32_t sums[RUN_PIXELS][LANES];
} run;

/* Of a lane, from what mbn_pack_channels_q8 packed for its block. */
static inline mbn_multiplier multiplier_at(const char *packed, mbn_rescaling rescaling,
                                           int32_t lane) {
    const char *behind_bias = packed + LANES * sizeof(int32_t);
    mbn_multiplier m = {0};
    switch (rescaling) {
    case MBN_RESCALE_FLOAT:
        memcpy(&m.real, behind_bias + lane * (ptrdiff_t)sizeof m.real, sizeof m.real);
        break;
    case MBN_RESCALE_FIXED:
        memcpy(&m.fixed, behind_bias + lane * (ptrdiff_t)sizeof m.fixed, sizeof m.fixed);
        memcpy(&m.shift, behind_bias + (LANES + lane) * (ptrdiff_t)sizeof m.shift, sizeof m.shift);
        break;
    case MBN_RESCALE_DOUBLE:
        memcpy(&m.wide, behind_bias + lane * (ptrdiff_t)sizeof m.wide, sizeof m.wide);
        break;
    }
    return m;
}

/* The next run of a row of `width` outputs, from pixel `begin` on. */
static inline void run_begin(run *r, const mbn_operands *operands, const mbn_q8_finish *finish,
                             int32_t b, int32_t begin, int32_t width) {
    const char *packed = mbn_bias_at(operands, b);
    r->pixels = (span){begin, width - begin < RUN_PIXELS ? width : begin + RUN_PIXELS};
    r->finish = finish;
    for (int32_t lane = 0; lane < LANES; lane++) {
        r->multipliers[lane] = multiplier_at(packed, finish->rescaling, lane);
    }
    for (int32_t x = 0; x < r->pixels.end - begin; x++) {
        memcpy(r->sums[x], packed, sizeof r->sums[x]);
    }
}

/* Products with the pixels `of` the run: of pixel x's and lane i's input, which is at
 * input[x * pixel_step + i * lane_step], counted from the first of them. */
static inline void add_products(run *r, span of, const element *input, ptrdiff_t pixel_step,
                                ptrdiff_t lane_step, const int16_t weights[LANES]) {
    for (int32_t x = 0; x < of.end - of.begin; x++) {
        uint32_t *sums = r->sums[of.begin - r->pixels.begin + x];
        for (int32_t lane = 0; lane < LANES; lane++) {
            const element in = input[x * pixel_step + lane * lane_step];
            sums[lane] += (uint32_t)(in * weights[lane]);
        }
    }
}

/* One tap that is at `offset` from the first column of an output's, in a row of the input, or
 * beyond it (NULL).  Pixels of the row are pixel_bytes apart; a lane's weight is weight_step behind
 * the one before. */
static inline void run_add(run *r, const element *row, int32_t offset, int32_t stride,
                           int32_t input_width, ptrdiff_t pixel_bytes, ptrdiff_t lane_step,
                           const int16_t *weights, ptrdiff_t weight_step) {
    const element outside = (element)r->finish->input_zero;
    const span all = r->pixels;
    int16_t w[LANES];
    for (int32_t lane = 0; lane < LANES; lane++) w[lane] = weights[lane * weight_step];
    span reached = {all.end, all.end};
    if (row != NULL) {
        const span s = outputs_inside(offset, stride, input_width, all);
        if (s.begin < s.end) reached = s;
    }
    add_products(r, (span){all.begin, reached.begin}, &outside, 0, 0, w);
    if (reached.begin < reached.end) {
        row += ((ptrdiff_t)reached.begin * stride + offset) * pixel_bytes;
        add_products(r, reached, row, stride * pixel_bytes, lane_step, w);
    }
    add_products(r, (span){reached.end, all.end}, &outside, 0, 0, w);
}

/* To a row of the output.  residual is NULL or a row of the same shape. */
static inline void run_end(const run *r, const element *residual, element *row) {
    const mbn_q8_finish *finish = r->finish;
    for (int32_t x = r->pixels.begin; x < r->pixels.end; x++) {
        for (int32_t lane = 0; lane < LANES; lane++) {
            const ptrdiff_t at = (ptrdiff_t)x * LANES + lane;
            const int32_t sum = (int32_t)r->sums[x - r->pixels.begin][lane];
            element byte =
                mbn_rescale(sum, finish->rescaling, &r->multipliers[lane], finish->range);
            if (finish->lookup != NULL) byte = finish->lookup[byte];
            if (residual != NULL) byte = mbn_add_bytes(finish->add, byte, residual[at]);
            row[at] = byte;
        }
    }
}

#endif
