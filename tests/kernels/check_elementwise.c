#include "checks.h"

#include <math.h>
#include <stdlib.h>

typedef struct elementwise_problem {
    elementwise_kind kind;
    convolution_case shape; /* its input, activation, data and lanes */
    mbn_activation activation;
    float *input, *other; /* [channels][height][width] */
    float *scale, *shift; /* [channels] */
    expected *expected;
    alike alike;
} elementwise_problem;

static expected expect_element(const elementwise_problem *p, size_t at, size_t channel) {
    float in = p->input[at];
    switch (p->kind) {
    case CHANNEL_SCALE: return expect_exactly(in * p->scale[channel]);
    case ADD: {
        double a = (double)in, b = (double)p->other[at];
        float sum = in + p->other[at];
        return expect_chain(a + b, fabs(a) + fabs(b), 1, sum, sum, &p->activation);
    }
    default: {
        double product = (double)in * (double)p->scale[channel], shift = (double)p->shift[channel];
        return expect_chain(product + shift, fabs(product) + fabs(shift), 2,
                            in * p->scale[channel] + p->shift[channel],
                            fmaf(in, p->scale[channel], p->shift[channel]), &p->activation);
    }
    }
}

static elementwise_problem create(elementwise_kind kind, const convolution_case *s,
                                  mbn_element element, random_state *r) {
    size_t channels = (size_t)s->channels, pixels = (size_t)(s->height * s->width);
    elementwise_problem p = {
        .kind = kind,
        .shape = *s,
        .activation = make_activation(s->activation),
        .input = make_values(channels * pixels, element, s->data, r),
        .other = make_values(channels * pixels, element, s->data, r),
        .scale = make_weights(channels, element, s->data, r),
        .shift = make_values(channels, element, s->data, r),
        .expected = malloc(channels * pixels * sizeof(expected)),
    };
    CHECK(p.expected != NULL, "out of memory");
    for (size_t i = 0; i < channels * pixels; i++)
        p.expected[i] = expect_element(&p, i, i / pixels);
    return p;
}

static void destroy(elementwise_problem *p) {
    free(p->input);
    free(p->other);
    free(p->scale);
    free(p->shift);
    free(p->expected);
    alike_free(&p->alike);
}

static void run_batch_norm(const kernel_call *call, mbn_range range) {
    call->table->batch_norm(call->args, range);
}

static void run_channel_scale(const kernel_call *call, mbn_range range) {
    call->table->channel_scale(call->args, range);
}

static void run_add(const kernel_call *call, mbn_range range) {
    call->table->add(call->args, range);
}

/* scale is in memory->weights, shift in bias, other in residual */
static void check_elementwise(const mbn_kernels *table, elementwise_problem *p, bool in_place,
                              operands *memory, guard_side side, random_state *r) {
    static const char *const names[] = {"batch norm", "channel scale", "add"};
    static void (*const runs[])(const kernel_call *, mbn_range) = {run_batch_norm,
                                                                   run_channel_scale, run_add};
    const convolution_case *s = &p->shape;
    const int32_t block = table->blocking.block;
    const mbn_element element = table->element, vectors = vector_element(table);
    describe_call(table, "%s%s %dx%dx%d, activation %s, data %s, guard %s", names[p->kind],
                  in_place ? " in place" : "", s->height, s->width, s->channels,
                  activation_name(s->activation), data_name(s->data), guard_name(side));

    plane output = plane_create(&memory->output, side, element, s->channels, s->height, s->width,
                                block, random_gap(r));
    plane input = output;
    if (!in_place) {
        input = plane_create(&memory->input, side, element, s->channels, s->height, s->width, block,
                             random_gap(r));
        plane_fill(&input, p->input, s->lanes, 1, r);
    }
    plane other =
        plane_create(&memory->residual, side, element, s->channels, s->height, s->width, block, 3);
    plane_fill(&other, p->other, LANES_ZERO, 1, r);
    const mbn_elementwise_args args = {
        .input = input.view,
        .other = p->kind == ADD ? other.view : (mbn_plane){0},
        .output = output.view,
        .scale = p->kind == ADD
                     ? NULL
                     : vector_create(&memory->weights, side, vectors, p->scale, s->channels, block),
        .shift = p->kind != BATCH_NORM
                     ? NULL
                     : vector_create(&memory->bias, side, vectors, p->shift, s->channels, block),
        .finish = {.activation = p->activation},
        .height = s->height,
        .width = s->width,
        .channels = s->channels,
        .blocking = table->blocking,
    };
    bool zero_lanes = in_place || s->lanes == LANES_ZERO;
    const bool hard =
        s->activation == MBN_ACTIVATION_HARD_SIGMOID || s->activation == MBN_ACTIVATION_HARD_SWISH;
    /* A batch norm's product of floats is rounded, or is not. */
    const bool exact = p->kind == CHANNEL_SCALE || (p->kind == ADD && !hard);
    bool sigmoid = p->kind != CHANNEL_SCALE && s->activation == MBN_ACTIVATION_HARD_SIGMOID;
    kernel_call call = {
        .table = table,
        .run = runs[p->kind],
        .args = &args,
        .output = output,
        .initial = in_place ? p->input : NULL,
        .expected = p->expected,
        .alike = exact ? &p->alike : NULL,
        .chain = p->kind == CHANNEL_SCALE || !hard,
        .check_lanes = zero_lanes || (p->kind != ADD && s->lanes == LANES_RANDOM),
        .lanes = sigmoid ? 0.5f : 0.0f,
    };
    check_output(&call, r);
}

void check_elementwises(elementwise_kind kind, const convolution_case *shape, bool layouts,
                        operands *memory, random_state *r) {
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        elementwise_problem problem = create(kind, shape, element, r);
        for (int32_t t = 0; t < count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_elementwise(tables + t, &problem, false, memory, side, r);
                check_elementwise(tables + t, &problem, true, memory, side, r);
            }
        }
        destroy(&problem);
    }
}
