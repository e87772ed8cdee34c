#include "checks.h"

static void run_fully_connected(const kernel_call *call, mbn_range range) {
    /* The rows are not read: this must not matter. */
    if (range.row_begin == range.row_end) return;
    range.row_begin = INT32_MIN;
    range.row_end = INT32_MAX;
    call->table->fully_connected(call->args, range);
}

static void check_fully_connected(const mbn_kernels *table, convolution_problem *problem,
                                  operands *memory, guard_side side, random_state *r) {
    const convolution_case *s = &problem->shape;
    describe_convolution(table, "fully connected", s, side);
    /* One vector without blocks, and a 1x1 plane without gaps. */
    const mbn_element vectors = vector_element(table);
    plane output =
        plane_create(&memory->output, side, vectors, s->outputs, 1, 1, table->blocking.block, 0);
    const mbn_fully_connected_args args = {
        .input =
            vector_create(&memory->input, side, vectors, problem->input, s->channels, s->channels),
        .output = output.view.data,
        .operands = pack_operands(problem, memory, side, table),
        .finish = {.activation = problem->activation},
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .blocking = table->blocking,
    };
    kernel_call call = convolution_call(problem, table, output);
    call.run = run_fully_connected;
    call.args = &args;
    call.chain = false; /* several chains are allowed, which tables need not share */
    call.alike = NULL;
    check_output(&call, r);
}

void check_fully_connecteds(const convolution_case *s, bool layouts, operands *memory,
                            random_state *r) {
    const convolution_case shape = vector_case(s);
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        convolution_problem problem = convolution_problem_create(&shape, element, r);
        for (int32_t t = 0; t < count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_fully_connected(tables + t, &problem, memory, side, r);
            }
        }
        convolution_problem_free(&problem);
    }
}
