#include "operands.h"
#include "suite.h"

static bool shape(const bench_case *c, char *text, size_t size) {
    return c->layer->role == MBN_ROLE_LOGITS &&
           bench_format(text, size, "%d", c->layer->output_channels);
}

/* Operations are not counted: an exponential is as many as its polynomial has. */
static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const size_t count = (size_t)c->layer->output_channels;
    bench_memory memory = {0};
    const mbn_softmax_args args = {bench_random(&memory, count), bench_floats(&memory, count),
                                   (int32_t)count};
    while (bench_keep_running(state)) c->kernels->softmax(&args);
    bench_report(state, c, 0, 2.0 * sizeof(float) * (double)count);
    bench_memory_free(&memory);
}

const bench_family bench_softmax = {"softmax", 0, shape, run};
