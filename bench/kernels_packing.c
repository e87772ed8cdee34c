#include "operands.h"
#include "suite.h"

/* Packing happens once, when a model is loaded.  It is portable code: a kernel table only says
 * which, and how many channels a block and a panel have. */
static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    if (l->weights == 0) return false;
    return bench_format(text, size, "%s/%dx%dx%d-%d",
                        l->kind == MBN_LAYER_DEPTHWISE ? "depthwise" : "convolution",
                        l->kernel_height, l->kernel_width, l->input_channels, l->output_channels);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const mbn_layer *l = c->layer;
    const mbn_kernels *k = c->kernels;
    const ptrdiff_t taps = (ptrdiff_t)l->kernel_height * l->kernel_width;
    bench_memory memory = {0};
    const void *weights = bench_weights(&memory, k, (size_t)l->weights);
    const float *scale = bench_random(&memory, (size_t)l->output_channels);
    if (l->kind == MBN_LAYER_DEPTHWISE) {
        const mbn_pack_depthwise_args args = {
            .weights = weights,
            .channel_stride = taps,
            .row_stride = l->kernel_width,
            .column_stride = 1,
            .scale = scale,
            .channels = l->input_channels,
            .kernel_height = l->kernel_height,
            .kernel_width = l->kernel_width,
            .blocking = k->blocking,
        };
        void *packed = bench_bytes(&memory, k->pack_depthwise(&args, NULL));
        while (bench_keep_running(state)) k->pack_depthwise(&args, packed);
    } else {
        const mbn_pack_convolution_args args = {
            .weights = weights,
            .output_stride = l->input_channels * taps,
            .input_stride = taps,
            .row_stride = l->kernel_width,
            .column_stride = 1,
            .scale = scale,
            .output_channels = l->output_channels,
            .input_channels = l->input_channels,
            .kernel_height = l->kernel_height,
            .kernel_width = l->kernel_width,
            .blocking = k->blocking,
        };
        void *packed = bench_bytes(&memory, k->pack_convolution(&args, NULL));
        while (bench_keep_running(state)) k->pack_convolution(&args, packed);
    }
    bench_report(state, c, 0, ((double)sizeof(float) + k->element_bytes) * (double)l->weights);
    bench_memory_free(&memory);
}

const bench_family bench_packing = {"packing", 0, shape, run};
