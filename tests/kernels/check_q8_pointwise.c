#include "checks.h"
#include "q8_problem.h"

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

void check_q8_pointwises(const convolution_case *shape, bool layouts, operands *memory,
                         random_state *r) {
    q8_check_tables(check_pointwise, shape, layouts, memory, r);
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

void check_q8_fully_connecteds(const convolution_case *shape, bool layouts, operands *memory,
                               random_state *r) {
    const convolution_case c = vector_case(shape);
    q8_check_tables(check_fully_connected, &c, layouts, memory, r);
}
