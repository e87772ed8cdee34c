#include "checks.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* The window is the case's kernel; for the global average pool, the plane. */
typedef struct pool_problem {
    convolution_case shape;
    float *input; /* [channels][height][width] */
    expected *expected;
    alike alike;
} pool_problem;

static expected expect_mean(const convolution_case *s, const float *channel) {
    double sum = 0.0, magnitude = 0.0, count = (double)s->height * s->width;
    float total = 0.0f;
    for (int32_t y = 0; y < s->height; y++) {
        float row = 0.0f;
        for (int32_t x = 0; x < s->width; x++) {
            float value = channel[y * s->width + x];
            row += value;
            sum += (double)value;
            magnitude += fabs((double)value);
        }
        total += row;
    }
    float mean = total / (float)count;
    const mbn_activation none = {MBN_ACTIVATION_NONE, 0.0f, 0.0f};
    return expect_chain(sum / count, magnitude / count, s->height * s->width + 1, mean, mean,
                        &none);
}

static expected expect_maximum(const convolution_case *s, const float *channel, int32_t oy,
                               int32_t ox) {
    float maximum = -INFINITY;
    bool nan = false;
    for (int32_t ky = 0; ky < s->kernel_height; ky++) {
        for (int32_t kx = 0; kx < s->kernel_width; kx++) {
            int32_t y = oy * s->stride_vertical + ky - s->pad_top;
            int32_t x = ox * s->stride_horizontal + kx - s->pad_left;
            if (y < 0 || y >= s->height || x < 0 || x >= s->width) continue;
            float value = channel[y * s->width + x];
            nan = nan || isnan(value);
            maximum = fmaxf(maximum, value);
        }
    }
    return expect_exactly(nan ? NAN : maximum);
}

static pool_problem create(const convolution_case *s, bool global, mbn_element element,
                           random_state *r) {
    size_t pixels = (size_t)(s->height * s->width), channels = (size_t)s->channels;
    size_t count = channels * (size_t)(s->output_height * s->output_width);
    pool_problem p = {.shape = *s,
                      .input = make_values(channels * pixels, element, s->data, r),
                      .expected = malloc(count * sizeof(expected))};
    CHECK(p.expected != NULL, "out of memory");
    expected *e = p.expected;
    for (int32_t c = 0; c < s->channels; c++) {
        const float *values = p.input + (size_t)c * pixels;
        for (int32_t y = 0; y < s->output_height; y++) {
            for (int32_t x = 0; x < s->output_width; x++) {
                *e++ = global ? expect_mean(s, values) : expect_maximum(s, values, y, x);
            }
        }
    }
    return p;
}

static void run_global_average_pool(const kernel_call *call, mbn_range range) {
    /* The rows are not read: this must not matter. */
    if (range.row_begin == range.row_end) return;
    range.row_begin = INT32_MIN;
    range.row_end = INT32_MAX;
    call->table->global_average_pool(call->args, range);
}

static void run_max_pool(const kernel_call *call, mbn_range range) {
    call->table->max_pool(call->args, range);
}

static void check_pool(const mbn_kernels *table, pool_problem *p, bool global, operands *memory,
                       guard_side side, random_state *r) {
    const convolution_case *s = &p->shape;
    const int32_t block = table->blocking.block;
    describe_call(table,
                  "%s %dx%dx%d -> %dx%d, window %dx%d, stride %dx%d, pad %d,%d, data %s, guard "
                  "%s",
                  global ? "global average pool" : "max pool", s->height, s->width, s->channels,
                  s->output_height, s->output_width, s->kernel_height, s->kernel_width,
                  s->stride_vertical, s->stride_horizontal, s->pad_top, s->pad_left,
                  data_name(s->data), guard_name(side));
    plane input = plane_create(&memory->input, side, table->element, s->channels, s->height,
                               s->width, block, random_gap(r));
    plane_fill(&input, p->input, s->lanes, 1, r);
    plane output = plane_create(
        &memory->output, side, global ? vector_element(table) : table->element, s->channels,
        s->output_height, s->output_width, block, global ? 0 : random_gap(r));
    mbn_pool_args args = {
        .input = input.view,
        .output = {.data = output.view.data},
        .input_height = s->height,
        .input_width = s->width,
        .channels = s->channels,
        .blocking = table->blocking,
    };
    if (!global) {
        args.output = output.view;
        args.output_height = s->output_height;
        args.output_width = s->output_width;
        args.window_height = s->kernel_height;
        args.window_width = s->kernel_width;
        args.stride_vertical = s->stride_vertical;
        args.stride_horizontal = s->stride_horizontal;
        args.pad_top = s->pad_top;
        args.pad_left = s->pad_left;
    }
    kernel_call call = {
        .table = table,
        .run = global ? run_global_average_pool : run_max_pool,
        .args = &args,
        .output = output,
        .expected = p->expected,
        .alike = global ? &p->alike : NULL, /* a maximum of zeros has either sign */
        .chain = true,
        .check_lanes = s->lanes == LANES_ZERO,
    };
    check_output(&call, r);
}

void check_pools(const convolution_case *shape, bool global, bool layouts, operands *memory,
                 random_state *r) {
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        pool_problem problem = create(shape, global, element, r);
        for (int32_t t = 0; t < count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_pool(tables + t, &problem, global, memory, side, r);
            }
        }
        free(problem.input);
        free(problem.expected);
        alike_free(&problem.alike);
    }
}

/* A maximum that starts from 0 or from the lowest finite number would win against these. */
void check_lowest_pools(mbn_element element, float lowest, data_kind kind, operands *memory,
                        random_state *r) {
    const convolution_case c = {
        .channels = 20,
        .height = 7,
        .width = 9,
        .output_height = 7,
        .output_width = 9,
        .kernel_height = 3,
        .kernel_width = 3,
        .stride_vertical = 1,
        .stride_horizontal = 1,
        .pad_top = 1,
        .pad_left = 1,
        .data = kind,
    };
    pool_problem p = create(&c, false, element, r);
    for (int32_t at = 0; at < 20 * 7 * 9; at++) {
        p.input[at] = lowest;
        p.expected[at] = expect_exactly(lowest);
    }
    mbn_kernels tables[TABLES_MAX];
    int32_t count = tables_under_test(tables, element, true);
    for (int32_t t = 0; t < count; t++) check_pool(tables + t, &p, false, memory, GUARD_AFTER, r);
    free(p.input);
    free(p.expected);
}
