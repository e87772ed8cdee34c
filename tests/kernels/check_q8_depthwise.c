#include "checks.h"
#include "q8_problem.h"

/* The table's slot for a shape; the scalar function takes every shape, others have none for
 * some. */
static mbn_depthwise_fn *slot(const mbn_kernels *table, int32_t kernel_height, int32_t kernel_width,
                              int32_t stride_vertical, int32_t stride_horizontal) {
    const bool square = kernel_height == kernel_width && (kernel_height == 3 || kernel_height == 5);
    if (!square || stride_vertical > 2 || stride_horizontal > 2) {
        return table->isa == MBN_ISA_SCALAR ? table->depthwise[0][0][0] : NULL;
    }
    return table->depthwise[kernel_height == 5][stride_vertical - 1][stride_horizontal - 1];
}

static void run_depthwise(const kernel_call *call, mbn_range range) {
    const mbn_depthwise_args *args = call->args;
    slot(call->table, args->kernel_height, args->kernel_width, args->stride_vertical,
         args->stride_horizontal)(args, range);
}

static void check_depthwise(const mbn_kernels *table, q8_problem *p, operands *memory,
                            guard_side side, char **first, random_state *r) {
    const convolution_case *s = &p->tensors.shape;
    if (slot(table, s->kernel_height, s->kernel_width, s->stride_vertical, s->stride_horizontal) ==
        NULL) {
        return;
    }
    q8_describe(table, "depthwise", s, &p->finish, side);
    plane output = lay_out_output(&p->tensors, memory, side, table, r);
    const mbn_depthwise_args args = {
        .input =
            lay_out_input(&p->tensors, memory, side, table->element, table->blocking.block, 1, r)
                .view,
        .output = output.view,
        .operands = q8_operands(p, memory, side, table),
        .finish = {.q8 = &p->finish.finish},
        .input_height = s->height,
        .input_width = s->width,
        .output_height = s->output_height,
        .output_width = s->output_width,
        .channels = s->channels,
        .kernel_height = s->kernel_height,
        .kernel_width = s->kernel_width,
        .stride_vertical = s->stride_vertical,
        .stride_horizontal = s->stride_horizontal,
        .pad_top = s->pad_top,
        .pad_left = s->pad_left,
        .blocking = table->blocking,
    };
    kernel_call call = {
        .table = table,
        .run = run_depthwise,
        .args = &args,
        .output = output,
        .first = first,
    };
    check_output(&call, r);
}

void check_q8_depthwises(const convolution_case *shape, bool layouts, operands *memory,
                         random_state *r) {
    convolution_case c = *shape;
    c.depthwise = true;
    c.outputs = c.channels;
    c.residual = false;
    q8_check_tables(check_depthwise, &c, layouts, memory, r);
}
