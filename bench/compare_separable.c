/* A standard convolution against the depthwise-separable pair that does its job: same kernel,
 * stride, inputs and outputs.  Both run in turns inside one benchmark, so that whatever the machine
 * does meanwhile happens to both. */
#include "clock.h"
#include "machine.h"
#include "operands.h"
#include "suite.h"

/* The pointwise half of a depthwise layer's pair; NULL if there is none. */
static const mbn_layer *pointwise_of(const bench_case *c) {
    const mbn_network *network = c->network;
    if (c->layer->kind != MBN_LAYER_DEPTHWISE || c->layer->block < 0) return NULL;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *l = &network->layers[i];
        if (l->block == c->layer->block && l->role == MBN_ROLE_PROJECT) return l;
    }
    return NULL;
}

static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *depthwise = c->layer, *pointwise = pointwise_of(c);
    return pointwise != NULL &&
           bench_format(text, size, "%dx%ds%d/%dx%dx%d-%d", depthwise->kernel_height,
                        depthwise->kernel_width, depthwise->stride_vertical,
                        depthwise->input_height, depthwise->input_width, depthwise->input_channels,
                        pointwise->output_channels);
}

static mbn_layer standard_layer(const mbn_layer *depthwise, const mbn_layer *pointwise) {
    mbn_layer layer = *depthwise;
    layer.kind = MBN_LAYER_CONVOLUTION;
    layer.output_channels = pointwise->output_channels;
    layer.activation = pointwise->activation;
    layer.weights = depthwise->weights * pointwise->output_channels;
    layer.multiply_adds = layer.weights * layer.output_height * layer.output_width;
    return layer;
}

/* Runs of the pair between two looks at the clock, which itself takes some 200 ns. */
static int repeats_for(int64_t multiply_adds) {
    enum { ENOUGH = 20 * 1000 * 1000 };
    return multiply_adds >= ENOUGH ? 1 : (int)(ENOUGH / multiply_adds);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const mbn_kernels *k = c->kernels;
    const mbn_layer *depthwise = c->layer;
    mbn_layer pointwise = *pointwise_of(c);
    pointwise.residual = -1;
    const mbn_layer standard = standard_layer(depthwise, &pointwise);

    bench_memory memory = {0};
    const mbn_convolution_args convolution = bench_convolution_args(&memory, k, &standard);
    const mbn_depthwise_args first = bench_depthwise_args(&memory, k, depthwise, true);
    mbn_pointwise_args second = bench_pointwise_args(&memory, k, &pointwise);
    second.input = first.output;
    mbn_depthwise_fn *depthwise_function = bench_depthwise_function(k, depthwise);
    const mbn_range outputs =
        bench_whole(standard.output_height, standard.output_channels, k->blocking.block);
    const mbn_range middle = bench_whole(first.output_height, first.channels, k->blocking.block);

    const int64_t separable_work = depthwise->multiply_adds + pointwise.multiply_adds;
    const int repeats = repeats_for(separable_work);
    double separable_seconds = 0, standard_seconds = 0;
    while (bench_keep_running(state)) {
        const double start = bench_seconds();
        for (int i = 0; i < repeats; i++) {
            depthwise_function(&first, middle);
            k->pointwise(&second, outputs);
        }
        const double between = bench_seconds();
        k->convolution(&convolution, outputs);
        separable_seconds += (between - start) / repeats;
        standard_seconds += bench_seconds() - between;
    }

    const double runs = (double)bench_iterations(state);
    separable_seconds /= runs;
    standard_seconds /= runs;
    const double standard_work = (double)standard.multiply_adds;
    const double peak = machine_peak(k), percent = 100 * 2 / peak;
    bench_counter(state, "peak_GFLOP/s", 1e-9 * peak);
    bench_counter(state, "us_separable", 1e6 * separable_seconds);
    bench_counter(state, "us_standard", 1e6 * standard_seconds);
    bench_counter(state, "%peak_separable", percent * (double)separable_work / separable_seconds);
    bench_counter(state, "%peak_standard", percent * standard_work / standard_seconds);
    bench_counter(state, "parameters_separable", (double)(depthwise->weights + pointwise.weights));
    bench_counter(state, "parameters_standard", (double)standard.weights);
    bench_counter(state, "macs_separable", (double)separable_work);
    bench_counter(state, "macs_standard", standard_work);
    bench_counter(state, "macs_ratio", standard_work / (double)separable_work);
    bench_counter(state, "time_ratio", standard_seconds / separable_seconds);
    bench_label(state, depthwise->name);
    bench_memory_free(&memory);
}

const bench_family bench_compare_separable = {"compare_separable", 0, shape, run};
