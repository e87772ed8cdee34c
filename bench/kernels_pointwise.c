#include "operands.h"
#include "suite.h"

static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_POINTWISE &&
           bench_format(text, size, "%dx%dx%d-%d%s", l->input_height, l->input_width,
                        l->input_channels, l->output_channels, l->residual >= 0 ? "/residual" : "");
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    const mbn_pointwise_args args = bench_pointwise_args(&memory, c->kernels, c->layer);
    const mbn_range range = bench_whole(args.height, args.output_channels, args.blocking.block);
    while (bench_keep_running(state)) c->kernels->pointwise(&args, range);
    bench_report(state, c, 2.0 * (double)c->layer->multiply_adds,
                 bench_layer_bytes(c->kernels, c->layer));
    bench_memory_free(&memory);
}

const bench_family bench_pointwise = {"pointwise", 0, shape, run};
