#include "checks.h"

static void run_convolution(const kernel_call *call, mbn_range range) {
    call->table->convolution(call->args, range);
}

/* Blocked like the output, interleaved pixels, planes, or blocked in some other way; by whole
 * steps of the table's depth. */
static int32_t choose_input_block(const mbn_kernels *table, int32_t channels, random_state *r) {
    const int32_t depth = table->blocking.depth;
    switch (random_int(r, 0, 3)) {
    case 0: return table->blocking.block;
    case 1: return mbn_block_count(channels, depth) * depth;
    case 2: return depth;
    default: return mbn_block_count(random_int(r, 1, channels), depth) * depth;
    }
}

static void check_convolution(const mbn_kernels *table, convolution_problem *problem,
                              operands *memory, guard_side side, random_state *r) {
    const convolution_case *s = &problem->shape;
    describe_convolution(table, "convolution", s, side);
    int32_t input_block = choose_input_block(table, s->channels, r);
    plane input = lay_out_input(problem, memory, side, image_element(table), input_block,
                                table->blocking.depth, r);
    mbn_plane residual = lay_out_residual(problem, memory, side, table, r);
    plane output = lay_out_output(problem, memory, side, table, r);
    const mbn_convolution_args args = {
        .input = input.view,
        .residual = residual,
        .output = output.view,
        .operands = pack_operands(problem, memory, side, table),
        .finish = {.activation = problem->activation},
        .input_block = input_block,
        .input_height = s->height,
        .input_width = s->width,
        .output_height = s->output_height,
        .output_width = s->output_width,
        .input_channels = s->channels,
        .output_channels = s->outputs,
        .kernel_height = s->kernel_height,
        .kernel_width = s->kernel_width,
        .stride_vertical = s->stride_vertical,
        .stride_horizontal = s->stride_horizontal,
        .pad_top = s->pad_top,
        .pad_left = s->pad_left,
        .blocking = table->blocking,
    };
    kernel_call call = convolution_call(problem, table, output);
    call.run = run_convolution;
    call.args = &args;
    check_output(&call, r);
}

void check_convolutions(const convolution_case *shape, bool layouts, operands *memory,
                        random_state *r) {
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t count = tables_under_test(tables, element, layouts);
        convolution_problem problem = convolution_problem_create(shape, element, r);
        for (int32_t t = 0; t < count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_convolution(tables + t, &problem, memory, side, r);
            }
        }
        convolution_problem_free(&problem);
    }
}
