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

static mbn_pool_args pool_args(bench_memory *memory, const bench_case *c,
                               const mbn_kernels *outputs) {
    const mbn_layer *l = c->layer;
    return (mbn_pool_args){
        .input = bench_input_plane(memory, c->kernels, l->input_channels, l->input_height,
                                   l->input_width),
        .output = bench_output_plane(memory, outputs, l->output_channels, l->output_height,
                                     l->output_width),
        .finish = bench_finish(memory, c->kernels, l),
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
        .blocking = c->kernels->blocking,
    };
}

static void run_global(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_pool_args args = pool_args(&memory, c, bench_vectors(c->kernels));
    const mbn_range range = bench_whole(args.output_height, args.channels, args.blocking.block);
    while (bench_keep_running(state)) c->kernels->global_average_pool(&args, range);
    bench_report(state, c, (double)args.input_height * args.input_width * args.channels,
                 bench_layer_bytes(c->kernels, c->layer));
    bench_memory_free(&memory);
}

/* Comparisons are not counted as operations. */
static void run_max(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_pool_args args = pool_args(&memory, c, c->kernels);
    const mbn_range range = bench_whole(args.output_height, args.channels, args.blocking.block);
    while (bench_keep_running(state)) c->kernels->max_pool(&args, range);
    bench_report(state, c, 0, bench_layer_bytes(c->kernels, c->layer));
    bench_memory_free(&memory);
}

const bench_family bench_global_average_pool = {"global_average_pool", 0, global_shape, run_global};
const bench_family bench_max_pool = {"max_pool", 0, max_shape, run_max};
