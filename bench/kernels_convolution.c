#include "operands.h"
#include "suite.h"

/* The stems, and what the networks look like without separable convolutions. */
static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_CONVOLUTION &&
           bench_format(text, size, "%dx%ds%d/%dx%dx%d-%d%s", l->kernel_height, l->kernel_width,
                        l->stride_vertical, l->input_height, l->input_width, l->input_channels,
                        l->output_channels, l->residual >= 0 ? "/residual" : "");
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_convolution_args args = bench_convolution_args(&memory, c->kernels, c->layer);
    const mbn_range range =
        bench_whole(args.output_height, args.output_channels, args.blocking.block);
    while (bench_keep_running(state)) c->kernels->convolution(&args, range);
    bench_report(state, c, 2.0 * (double)c->layer->multiply_adds,
                 bench_layer_bytes(c->kernels, c->layer));
    bench_memory_free(&memory);
}

const bench_family bench_convolution = {"convolution", 0, shape, run};
