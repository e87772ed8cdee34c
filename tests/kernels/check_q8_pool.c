#include "checks.h"
#include "q8_problem.h"

#include <stdlib.h>

static void run_global_average_pool(const kernel_call *call, mbn_range range) {
    /* The rows are not read: this must not matter. */
    if (range.row_begin == range.row_end) return;
    range.row_begin = INT32_MIN;
    range.row_end = INT32_MAX;
    call->table->global_average_pool(call->args, range);
}

static void run_max_pool(const kernel_call *call, mbn_range range) {
    call->table->max_pool(call->args, range);
}

/* The window is the case's kernel; for the global average pool, the plane. */
static void check_pool(const mbn_kernels *table, const convolution_case *s, const float *values,
                       const q8_finish *finish, bool global, operands *memory, guard_side side,
                       char **first, random_state *r) {
    const int32_t block = table->blocking.block;
    q8_describe(table, global ? "global average pool" : "max pool", s, finish, side);
    plane output =
        plane_create(&memory->output, side, MBN_ELEMENT_Q8, s->channels, s->output_height,
                     s->output_width, block, global ? 0 : random_gap(r));
    plane input = plane_create(&memory->input, side, MBN_ELEMENT_Q8, s->channels, s->height,
                               s->width, block, random_gap(r));
    plane_fill(&input, values, s->lanes, 1, r);
    mbn_pool_args args = {
        .input = input.view,
        .output = {.data = output.view.data},
        .input_height = s->height,
        .input_width = s->width,
        .channels = s->channels,
        .blocking = table->blocking,
    };
    if (global) {
        args.finish.q8 = &finish->finish;
    } else {
        args.output = output.view;
        args.output_height = s->output_height;
        args.output_width = s->output_width;
        args.window_height = s->kernel_height;
        args.window_width = s->kernel_width;
        args.stride_vertical = s->stride_vertical;
        args.stride_horizontal = s->stride_horizontal;
        args.pad_top = s->pad_top;
        args.pad_left = s->pad_left;
    }
    kernel_call call = {
        .table = table,
        .run = global ? run_global_average_pool : run_max_pool,
        .args = &args,
        .output = output,
        .first = first,
    };
    check_output(&call, r);
}

void check_q8_pools(const convolution_case *s, bool global, operands *memory, random_state *r) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    float *values = q8_bytes((size_t)s->channels * (size_t)(s->height * s->width), r);
    q8_finish finish;
    q8_finish_create(&finish, 5000.0, false, r);
    const guard_sides sides = sides_under_test();
    for (guard_side side = sides.begin; side < sides.end; side++) {
        char *first = NULL;
        const uint64_t seed = random_bits(r);
        for (int32_t t = 0; t < count; t++) {
            check_pool(tables + t, s, values, &finish, global, memory, side, &first,
                       &(random_state){seed});
        }
        free(first);
    }
    free(values);
}
