#include "network_shapes.h"
#include "q8_problem.h"

#include <criterion/criterion.h>

static void run_pointwise(const kernel_call *call, mbn_range range) {
    call->table->pointwise(call->args, range);
}

static void check_pointwise(const mbn_kernels *table, q8_problem *p, operands *memory,
                            guard_side side, char **first, random_state *r) {
    const convolution_case *s = &p->tensors.shape;
    q8_describe(table, "pointwise", s, &p->finish, side);
    plane output = lay_out_output(&p->tensors, memory, side, table, r);
    /* What is fetched may be anywhere, and changes nothing. */
    const int32_t fetched = random_int(r, 0, 2);
    const mbn_pointwise_args args = {
        .residual = lay_out_residual(&p->tensors, memory, side, table, r),
        .input = lay_out_input(&p->tensors, memory, side, table->element, table->blocking.block,
                               table->blocking.depth, r)
                     .view,
        .output = output.view,
        .operands = q8_operands(p, memory, side, table),
        .finish = {.q8 = &p->finish.finish},
        .height = s->height,
        .width = s->width,
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .blocking = table->blocking,
        .fetch = fetched == 0   ? NULL
                 : fetched == 1 ? p->weights
                                : (const void *)64,
        .fetch_bytes = fetched == 0 ? 0 : 5000,
    };
    kernel_call call = {
        .table = table,
        .run = run_pointwise,
        .args = &args,
        .output = output,
        .first = first,
        .panels = true,
    };
    check_output(&call, r);
}

Test(q8_pointwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {101};
    for (int32_t i = 0; i < cases_under_test(1500); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = random_int(&r, 1, i % 4 == 0 ? 20 : 110);
        c.outputs = random_int(&r, 1, i % 4 == 1 ? 20 : 110);
        if (i % 3 == 0) c.width = random_int(&r, 17, 70);
        c.output_height = c.height;
        c.output_width = c.width;
        c.stride_vertical = c.stride_horizontal = 1;
        c.pad_top = c.pad_left = 0;
        q8_check_tables(check_pointwise, &c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_pointwise, network_shapes) {
    operands memory = {0};
    random_state r = {102};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_POINTWISE, false, cases);
    cr_assert(count > 50);
    for (int32_t i = 0; i < count; i++) {
        q8_check_tables(check_pointwise, cases + i, false, &memory, &r);
    }
    operands_free(&memory);
}

static void run_fully_connected(const kernel_call *call, mbn_range range) {
    /* The rows are not read: this must not matter. */
    if (range.row_begin == range.row_end) return;
    range.row_begin = INT32_MIN;
    range.row_end = INT32_MAX;
    call->table->fully_connected(call->args, range);
}

static void check_fully_connected(const mbn_kernels *table, q8_problem *p, operands *memory,
                                  guard_side side, char **first, random_state *r) {
    const convolution_case *s = &p->tensors.shape;
    const int32_t block = table->blocking.block;
    q8_describe(table, "fully connected", s, &p->finish, side);
    plane output = plane_create(&memory->output, side, MBN_ELEMENT_Q8, s->outputs, 1, 1, block, 0);
    plane input = plane_create(&memory->input, side, MBN_ELEMENT_Q8, s->channels, 1, 1, block, 0);
    plane_fill(&input, p->tensors.input, s->lanes, 1, r);
    const mbn_fully_connected_args args = {
        .input = input.view.data,
        .output = output.view.data,
        .operands = q8_operands(p, memory, side, table),
        .finish = {.q8 = &p->finish.finish},
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .blocking = table->blocking,
    };
    kernel_call call = {
        .table = table,
        .run = run_fully_connected,
        .args = &args,
        .output = output,
        .first = first,
        .panels = true,
    };
    check_output(&call, r);
}

static void check_vectors(convolution_case c, bool layouts, operands *memory, random_state *r) {
    c.height = c.width = c.output_height = c.output_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    c.residual = false;
    q8_check_tables(check_fully_connected, &c, layouts, memory, r);
}

Test(q8_fully_connected, awkward_shapes) {
    operands memory = {0};
    random_state r = {103};
    for (int32_t i = 0; i < cases_under_test(1000); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = random_int(&r, 1, i % 4 == 0 ? 20 : 150);
        c.outputs = random_int(&r, 1, i % 4 == 1 ? 20 : 150);
        check_vectors(c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_fully_connected, network_shapes) {
    operands memory = {0};
    random_state r = {104};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_FULLY_CONNECTED, false, cases);
    cr_assert(count > 10);
    for (int32_t i = 0; i < count; i++) check_vectors(cases[i], false, &memory, &r);
    operands_free(&memory);
}
