#include "network_shapes.h"
#include "q8_problem.h"

#include <criterion/criterion.h>

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

static void check_shape(convolution_case c, bool layouts, operands *memory, random_state *r) {
    c.depthwise = true;
    c.outputs = c.channels;
    c.residual = false;
    q8_check_tables(check_depthwise, &c, layouts, memory, r);
}

static convolution_case random_shape(int32_t i, int32_t kernel_height, int32_t kernel_width,
                                     random_state *r) {
    convolution_case c = awkward_case(i, kernel_height, kernel_width, r);
    if (i % 5 == 0) c.channels = random_int(r, 40, 110);
    return c;
}

Test(q8_depthwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {111};
    for (int32_t i = 0; i < cases_under_test(1500); i++) {
        const int32_t kernel = i % 2 == 0 ? 3 : 5;
        check_shape(random_shape(i / 2, kernel, kernel, &r), true, &memory, &r);
    }
    operands_free(&memory);
}

/* What a plane with a halo gives: no padding, every tap inside; also in wide planes. */
Test(q8_depthwise, without_padding) {
    operands memory = {0};
    random_state r = {112};
    for (int32_t i = 0; i < cases_under_test(1000); i++) {
        const int32_t kernel = i % 2 == 0 ? 3 : 5;
        convolution_case c = random_shape(i / 2, kernel, kernel, &r);
        if (i % 3 == 0) c.output_width = random_int(&r, 17, 60);
        c.pad_top = c.pad_left = 0;
        c.height = (c.output_height - 1) * c.stride_vertical + kernel;
        c.width = (c.output_width - 1) * c.stride_horizontal + kernel;
        check_shape(c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* Kernels that only the scalar function takes. */
Test(q8_depthwise, other_kernels) {
    operands memory = {0};
    random_state r = {113};
    for (int32_t i = 0; i < 200; i++) {
        check_shape(random_shape(i, random_int(&r, 1, 7), random_int(&r, 1, 7), &r), true, &memory,
                    &r);
    }
    operands_free(&memory);
}

Test(q8_depthwise, network_shapes) {
    operands memory = {0};
    random_state r = {114};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_DEPTHWISE, false, cases);
    cr_assert(count > 30);
    for (int32_t i = 0; i < count; i++) check_shape(cases[i], false, &memory, &r);
    operands_free(&memory);
}
