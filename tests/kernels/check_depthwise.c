#include "checks.h"

/* The table's slot for a shape; the scalar function takes every shape, others have none for
 * some. */
static mbn_depthwise_fn *slot(const mbn_kernels *table, const convolution_case *s) {
    bool square = s->kernel_height == s->kernel_width;
    bool slots = square && (s->kernel_height == 3 || s->kernel_height == 5) &&
                 s->stride_vertical <= 2 && s->stride_horizontal <= 2;
    if (!slots) return table->isa == MBN_ISA_SCALAR ? table->depthwise[0][0][0] : NULL;
    return table
        ->depthwise[s->kernel_height == 5][s->stride_vertical - 1][s->stride_horizontal - 1];
}

static void run_depthwise(const kernel_call *call, mbn_range range) {
    const mbn_depthwise_args *args = call->args;
    const convolution_case shape = {
        .kernel_height = args->kernel_height,
        .kernel_width = args->kernel_width,
        .stride_vertical = args->stride_vertical,
        .stride_horizontal = args->stride_horizontal,
    };
    slot(call->table, &shape)(args, range);
}

static void check_depthwise(const mbn_kernels *table, convolution_problem *problem,
                            operands *memory, guard_side side, random_state *r) {
    const convolution_case *s = &problem->shape;
    describe_convolution(table, "depthwise", s, side);
    plane input = lay_out_input(problem, memory, side, table->element, table->blocking.block, 1, r);
    plane output = lay_out_output(problem, memory, side, table, r);
    const mbn_depthwise_args args = {
        .input = input.view,
        .output = output.view,
        .operands = pack_operands(problem, memory, side, table),
        .finish = {.activation = problem->activation},
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
    kernel_call call = convolution_call(problem, table, output);
    call.run = run_depthwise;
    call.args = &args;
    check_output(&call, r);
}

void check_depthwises(const convolution_case *s, bool layouts, operands *memory, random_state *r) {
    convolution_case shape = *s;
    shape.depthwise = true;
    shape.outputs = shape.channels;
    shape.residual = false;
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        convolution_problem problem = convolution_problem_create(&shape, element, r);
        for (int32_t t = 0; t < count; t++) {
            if (slot(tables + t, &shape) == NULL) continue;
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_depthwise(tables + t, &problem, memory, side, r);
            }
        }
        convolution_problem_free(&problem);
    }
}
