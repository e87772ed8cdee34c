#include "operands.h"
#include "suite.h"

/* With its padding as a halo around the input, as networks run it, and with borders done by the
 * kernel. */
enum { HALO, BORDER };

static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_DEPTHWISE &&
           bench_format(text, size, "%dx%ds%d/%dx%dx%d", l->kernel_height, l->kernel_width,
                        l->stride_vertical, l->input_height, l->input_width, l->input_channels);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_depthwise_args args =
        bench_depthwise_args(&memory, c->kernels, c->layer, c->variant == HALO);
    const mbn_range range = bench_whole(args.output_height, args.channels, args.blocking.block);
    mbn_depthwise_fn *depthwise = bench_depthwise_function(c->kernels, c->layer);
    while (bench_keep_running(state)) depthwise(&args, range);
    bench_report(state, c, 2.0 * (double)c->layer->multiply_adds,
                 bench_layer_bytes(c->kernels, c->layer));
    bench_memory_free(&memory);
}

const bench_family bench_depthwise = {"depthwise", HALO, shape, run};
const bench_family bench_depthwise_border = {"depthwise_border", BORDER, shape, run};
