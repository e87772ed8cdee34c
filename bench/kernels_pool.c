#include "operands.h"
#include "suite.h"

static bool global_shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_GLOBAL_POOL &&
           bench_format(text, size, "%dx%dx%d", l->input_height, l->input_width, l->input_channels);
}

static bool max_shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_MAX_POOL &&
           bench_format(text, size, "%dx%ds%d/%dx%dx%d", l->kernel_height, l->kernel_width,
                        l->stride_vertical, l->input_height, l->input_width, l->input_channels);
}

static mbn_pool_args pool_args(bench_memory *memory, const bench_case *c) {
    const mbn_layer *l = c->layer;
    const int32_t block = c->kernels->block;
    const bench_plane input =
        bench_input_plane(memory, l->input_channels, l->input_height, l->input_width, block);
    const bench_plane output =
        bench_output_plane(memory, l->output_channels, l->output_height, l->output_width, block);
    return (mbn_pool_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = l->input_height,
        .input_width = l->input_width,
        .output_height = l->output_height,
        .output_width = l->output_width,
        .channels = l->input_channels,
        .window_height = l->kernel_height,
        .window_width = l->kernel_width,
        .stride_vertical = l->stride_vertical,
        .stride_horizontal = l->stride_horizontal,
        .pad_top = l->pad_top,
        .pad_left = l->pad_left,
        .block = block,
    };
}

static void run_global(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_pool_args args = pool_args(&memory, c);
    const mbn_range range = bench_whole(args.output_height, args.channels, args.block);
    while (bench_keep_running(state)) c->kernels->global_average_pool(&args, range);
    bench_report(state, c, (double)args.input_height * args.input_width * args.channels,
                 bench_layer_bytes(c->layer));
    bench_memory_free(&memory);
}

/* Comparisons are not counted as operations. */
static void run_max(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_pool_args args = pool_args(&memory, c);
    const mbn_range range = bench_whole(args.output_height, args.channels, args.block);
    while (bench_keep_running(state)) c->kernels->max_pool(&args, range);
    bench_report(state, c, 0, bench_layer_bytes(c->layer));
    bench_memory_free(&memory);
}

const bench_family bench_global_average_pool = {"global_average_pool", 0, global_shape, run_global};
const bench_family bench_max_pool = {"max_pool", 0, max_shape, run_max};
