#include "checks.h"
#include "q8_problem.h"

static void run_convolution(const kernel_call *call, mbn_range range) {
    call->table->convolution(call->args, range);
}

/* Blocked like the output, pixels as networks have them of images, or others by whole steps of the
 * table's depth: interleaved, or blocked in some other way. */
static int32_t choose_input_block(const mbn_kernels *table, const convolution_case *s,
                                  random_state *r) {
    const int32_t depth = table->blocking.depth, kind = random_int(r, 0, 5);
    const int32_t least = random_int(r, 1, s->channels);
    return kind >= 4   ? mbn_image_block(table, s->channels, s->kernel_height, s->kernel_width,
                                         s->stride_horizontal)
           : kind == 0 ? table->blocking.block
           : kind == 1 ? mbn_block_count(s->channels, depth) * depth
           : kind == 2 ? depth
                       : mbn_block_count(least, depth) * depth;
}

static void check_convolution(const mbn_kernels *table, q8_problem *p, operands *memory,
                              guard_side side, char **first, random_state *r) {
    const convolution_case *s = &p->tensors.shape;
    q8_describe(table, "convolution", s, &p->finish, side);
    plane output = lay_out_output(&p->tensors, memory, side, table, r);
    const mbn_plane residual = lay_out_residual(&p->tensors, memory, side, table, r);
    const int32_t input_block = p->input_block = choose_input_block(table, s, r);
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

void check_q8_convolutions(const convolution_case *shape, bool layouts, operands *memory,
                           random_state *r) {
    q8_check_tables(check_convolution, shape, layouts, memory, r);
}
