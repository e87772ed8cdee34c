#include "operands.h"
#include "suite.h"

static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    return l->kind == MBN_LAYER_FULLY_CONNECTED &&
           bench_format(text, size, "%d-%d", l->input_channels, l->output_channels);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const mbn_layer *l = c->layer;
    const mbn_kernels *k = c->kernels;
    const mbn_kernels *vectors = bench_vectors(k);
    bench_memory memory = {0};
    const mbn_fully_connected_args args = {
        .input = bench_input_plane(&memory, vectors, l->input_channels, 1, 1).data,
        .output = bench_output_plane(&memory, vectors, l->output_channels, 1, 1).data,
        .operands =
            bench_packed_operands(&memory, k, l->output_channels, l->input_channels, 1, 1, 0),
        .finish = bench_finish(&memory, k, l),
        .input_channels = l->input_channels,
        .output_channels = l->output_channels,
        .blocking = k->blocking,
    };
    const mbn_range range = bench_whole(1, l->output_channels, k->blocking.block);
    while (bench_keep_running(state)) k->fully_connected(&args, range);
    bench_report(state, c, 2.0 * (double)l->multiply_adds, bench_layer_bytes(k, l));
    bench_memory_free(&memory);
}

const bench_family bench_fully_connected = {"fully_connected", 0, shape, run};
