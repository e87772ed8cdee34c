#include "network_shapes.h"

#include <criterion/criterion.h>

static void run_fully_connected(const kernel_call *call, mbn_range range) {
    /* The rows are not read: this must not matter. */
    if (range.row_begin == range.row_end) return;
    range.row_begin = INT32_MIN;
    range.row_end = INT32_MAX;
    call->table->fully_connected(call->args, range);
}

static void check_fully_connected(const mbn_kernels *table, const convolution_problem *problem,
                                  operands *memory, guard_side side, random_state *r) {
    const convolution_case *s = &problem->shape;
    describe_convolution(table, "fully connected", s, side);
    /* One vector without blocks, and a 1x1 plane without gaps. */
    plane input = plane_create(&memory->input, side, s->channels, 1, 1, s->channels, 0);
    plane_fill(&input, problem->input, LANES_ZERO, r);
    plane output = plane_create(&memory->output, side, s->outputs, 1, 1, table->block, 0);
    const mbn_fully_connected_args args = {
        .input = input.data,
        .weights = pack_weights(problem, memory, side, table),
        .bias = pack_bias(problem, memory, side, table->block),
        .output = output.data,
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .block = table->block,
        .panel = table->panel,
        .activation = problem->activation,
    };
    kernel_call call = convolution_call(problem, table, output);
    call.run = run_fully_connected;
    call.args = &args;
    call.chain = false; /* several chains are allowed */
    check_output(&call, r);
}

static void check_tables(convolution_case shape, bool layouts, operands *memory, random_state *r) {
    mbn_kernels tables[TABLES_MAX];
    int32_t count = tables_under_test(tables, layouts);
    convolution_problem problem = convolution_problem_create(&shape, r);
    for (int32_t t = 0; t < count; t++) {
        for (guard_side side = 0; side < GUARD_SIDES; side++) {
            check_fully_connected(tables + t, &problem, memory, side, r);
        }
    }
    convolution_problem_free(&problem);
}

Test(fully_connected, awkward_shapes) {
    operands memory = {0};
    random_state r = {11};
    for (int32_t i = 0; i < 600; i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.outputs = random_int(&r, 1, 70);
        c.residual = false;
        c.height = c.width = c.output_height = c.output_width = 1;
        c.stride_vertical = c.stride_horizontal = 1;
        c.pad_top = c.pad_left = 0;
        check_tables(c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(fully_connected, network_shapes) {
    operands memory = {0};
    random_state r = {12};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_FULLY_CONNECTED, false, cases);
    cr_assert(count > 20);
    for (int32_t i = 0; i < count; i++) check_tables(cases[i], false, &memory, &r);
    operands_free(&memory);
}
