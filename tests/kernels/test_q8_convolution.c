#include "network_shapes.h"
#include "q8_problem.h"

#include <criterion/criterion.h>

static void run_convolution(const kernel_call *call, mbn_range range) {
    call->table->convolution(call->args, range);
}

/* Blocked like the output, interleaved pixels, or blocked in some other way; by whole steps of the
 * table's depth. */
static int32_t choose_input_block(const mbn_kernels *table, int32_t channels, random_state *r) {
    const int32_t depth = table->blocking.depth, kind = random_int(r, 0, 3);
    const int32_t least = random_int(r, 1, channels);
    return kind == 0   ? table->blocking.block
           : kind == 1 ? mbn_block_count(channels, depth) * depth
           : kind == 2 ? depth
                       : mbn_block_count(least, depth) * depth;
}

static void check_convolution(const mbn_kernels *table, q8_problem *p, operands *memory,
                              guard_side side, char **first, random_state *r) {
    const convolution_case *s = &p->tensors.shape;
    q8_describe(table, "convolution", s, &p->finish, side);
    plane output = lay_out_output(&p->tensors, memory, side, table, r);
    const mbn_plane residual = lay_out_residual(&p->tensors, memory, side, table, r);
    const int32_t input_block = choose_input_block(table, s->channels, r);
    const mbn_convolution_args args = {
        .input = lay_out_input(&p->tensors, memory, side, MBN_ELEMENT_Q8, input_block,
                               table->blocking.depth, r)
                     .view,
        .residual = residual,
        .output = output.view,
        .operands = q8_operands(p, memory, side, table),
        .finish = {.q8 = &p->finish.finish},
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
    kernel_call call = {
        .table = table,
        .run = run_convolution,
        .args = &args,
        .output = output,
        .first = first,
        .panels = true,
    };
    check_output(&call, r);
}

static void check_awkward(int32_t cases, bool square, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    for (int32_t i = 0; i < cases; i++) {
        const int32_t kernel_height = square ? 3 : random_int(&r, 1, 7);
        const int32_t kernel_width = square ? 3 : random_int(&r, 1, 7);
        convolution_case c = awkward_case(i, kernel_height, kernel_width, &r);
        c.outputs = random_int(&r, 1, 70);
        q8_check_tables(check_convolution, &c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_convolution, awkward_shapes) {
    check_awkward(cases_under_test(300), true, 121);
}

Test(q8_convolution, any_kernel) {
    check_awkward(cases_under_test(150), false, 122);
}

/* Pads below 0 skip rows and columns of the input. */
Test(q8_convolution, skipping) {
    operands memory = {0};
    random_state r = {126};
    for (int32_t i = 0; i < 60; i++) {
        convolution_case c = awkward_case(i, 3, 3, &r);
        c.outputs = random_int(&r, 1, 40);
        c.pad_top = -random_int(&r, 0, 2);
        c.pad_left = -random_int(&r, 0, 2);
        c.height += 5;
        c.width += 5;
        c.output_height = (c.height + c.pad_top - 3) / c.stride_vertical + 1;
        c.output_width = (c.width + c.pad_left - 3) / c.stride_horizontal + 1;
        q8_check_tables(check_convolution, &c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* Rows long enough for the widest tiles, few channels in, and from one vector to a panel out. */
Test(q8_convolution, stems) {
    operands memory = {0};
    random_state r = {123};
    for (int32_t i = 0; i < 150; i++) {
        convolution_case c = awkward_case(i, 3, 3, &r);
        c.channels = i % 4 == 0 ? random_int(&r, 1, 4) : 3;
        c.outputs = random_int(&r, 1, 48);
        c.height = random_int(&r, 3, 6);
        c.width = random_int(&r, 28, 150);
        c.stride_vertical = c.stride_horizontal = 2;
        c.pad_top = random_int(&r, 0, 1);
        c.pad_left = random_int(&r, 0, 2);
        c.output_height = (c.height + c.pad_top - 3) / 2 + 1;
        c.output_width = (c.width + c.pad_left + random_int(&r, 0, 2) - 3) / 2 + 1;
        q8_check_tables(check_convolution, &c, true, &memory, &r);
    }
    operands_free(&memory);
}

static void check_network(bool standard, int32_t at_least, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_CONVOLUTION, standard, cases);
    cr_assert(count >= at_least);
    for (int32_t i = 0; i < count; i++) {
        q8_check_tables(check_convolution, cases + i, false, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_convolution, network_shapes) {
    check_network(false, 2, 124);
}

Test(q8_convolution, standard_network_shapes) {
    check_network(true, 20, 125);
}
