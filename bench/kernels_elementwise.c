#include "operands.h"
#include "suite.h"

enum { BATCH_NORM, CHANNEL_SCALE, ADD };

/* Networks fold batch norm and fuse residuals into convolutions; the planes are those where the
 * standalone kernels would stand. */
static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    const bool taken = c->variant == BATCH_NORM      ? l->kind == MBN_LAYER_DEPTHWISE
                       : c->variant == CHANNEL_SCALE ? l->kind == MBN_LAYER_CHANNEL_SCALE
                                                     : l->residual >= 0;
    return taken && bench_format(text, size, "%dx%dx%d", l->output_height, l->output_width,
                                 l->output_channels);
}

static mbn_elementwise_fn *function_of(const bench_case *c) {
    switch (c->variant) {
    case BATCH_NORM: return c->kernels->batch_norm;
    case CHANNEL_SCALE: return c->kernels->channel_scale;
    default: return c->kernels->add;
    }
}

/* Batch norm's is an activation of its own, of q8 a look-up whatever the layer has. */
static mbn_finish finish_of(bench_memory *memory, const bench_case *c) {
    mbn_layer layer = *c->layer;
    if (c->variant == BATCH_NORM && c->kernels->element == MBN_ELEMENT_Q8) {
        layer.activation.kind = MBN_ACTIVATION_HARD_SWISH;
    }
    return bench_finish(memory, c->kernels, &layer);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const mbn_layer *l = c->layer;
    const int32_t height = l->output_height, width = l->output_width, channels = l->output_channels;
    const mbn_kernels *k = c->kernels, *vectors = bench_vectors(k);
    bench_memory memory = {0};
    const mbn_elementwise_args args = {
        .input = bench_input_plane(&memory, k, channels, height, width),
        .other = bench_input_plane(&memory, k, channels, height, width),
        .output = bench_output_plane(&memory, k, channels, height, width),
        .scale = bench_input_plane(&memory, vectors, channels, 1, 1).data,
        .shift = bench_input_plane(&memory, vectors, channels, 1, 1).data,
        .finish = finish_of(&memory, c),
        .height = height,
        .width = width,
        .channels = channels,
        .blocking = k->blocking,
    };
    const mbn_range range = bench_whole(height, channels, k->blocking.block);
    mbn_elementwise_fn *function = function_of(c);
    while (bench_keep_running(state)) function(&args, range);
    const double elements = (double)height * width * channels;
    const int per_channel = (c->variant == BATCH_NORM) + (c->variant != ADD);
    bench_report(state, c, elements * (c->variant == BATCH_NORM ? 2 : 1),
                 k->element_bytes * elements * (c->variant == ADD ? 3 : 2) +
                     (double)vectors->element_bytes * per_channel * channels);
    bench_memory_free(&memory);
}

const bench_family bench_batch_norm = {"batch_norm", BATCH_NORM, shape, run};
const bench_family bench_channel_scale = {"channel_scale", CHANNEL_SCALE, shape, run};
const bench_family bench_add = {"add", ADD, shape, run};
