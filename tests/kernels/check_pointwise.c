#include "checks.h"

static void run_pointwise(const kernel_call *call, mbn_range range) {
    call->table->pointwise(call->args, range);
}

static void check_pointwise(const mbn_kernels *table, convolution_problem *problem,
                            operands *memory, guard_side side, random_state *r) {
    const convolution_case *s = &problem->shape;
    describe_convolution(table, "pointwise", s, side);
    plane input = lay_out_input(problem, memory, side, table->element, table->blocking.block,
                                table->blocking.depth, r);
    mbn_plane residual = lay_out_residual(problem, memory, side, table, r);
    plane output = lay_out_output(problem, memory, side, table, r);
    /* What is fetched may be anywhere, and changes nothing. */
    const int32_t fetched = random_int(r, 0, 2);
    const mbn_pointwise_args args = {
        .input = input.view,
        .residual = residual,
        .output = output.view,
        .operands = pack_operands(problem, memory, side, table),
        .finish = {.activation = problem->activation},
        .height = s->height,
        .width = s->width,
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .blocking = table->blocking,
        .fetch = fetched == 0   ? NULL
                 : fetched == 1 ? problem->weights
                                : (const void *)64,
        .fetch_bytes = fetched == 0 ? 0 : (size_t)random_int(r, 1, 100000),
    };
    kernel_call call = convolution_call(problem, table, output);
    call.run = run_pointwise;
    call.args = &args;
    check_output(&call, r);
}

void check_pointwises(const convolution_case *shape, bool layouts, operands *memory,
                      random_state *r) {
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        convolution_problem problem = convolution_problem_create(shape, element, r);
        for (int32_t t = 0; t < count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_pointwise(tables + t, &problem, memory, side, r);
            }
        }
        convolution_problem_free(&problem);
    }
}
