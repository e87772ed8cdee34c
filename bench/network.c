/* Whole networks with random weights, as a caller of the library runs them. */
#include "machine.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

struct network_case {
    const char *network;
    const mbn_kernels *kernels;
    int threads;
};

struct loaded {
    mbn_model *model;
    mbn_context *context;
    float *input, *output;
};

static void unload(struct loaded *l) {
    mbn_context_free(l->context);
    mbn_model_free(l->model);
    free(l->input);
    free(l->output);
}

static mbn_status load_model(const struct network_case *c, mbn_model **model, mbn_error *error) {
    const mbn_network_options options = {.network = c->network};
    const mbn_model_options only = {
        .isa_mask = 1u << c->kernels->isa,
        .precision = c->kernels->element == MBN_ELEMENT_BF16 ? MBN_PRECISION_BFLOAT16
                                                             : MBN_PRECISION_FLOAT32,
    };
    size_t size = 0;
    mbn_status status = mbn_network_init(&options, 1, NULL, &size, error);
    if (status != MBN_OK) return status;
    void *file = malloc(size);
    if (file == NULL) {
        snprintf(error->message, sizeof error->message, "no memory for a model file");
        return MBN_OUT_OF_MEMORY;
    }
    status = mbn_network_init(&options, 1, file, &size, error);
    if (status == MBN_OK) status = mbn_model_load_memory(file, size, &only, model, error);
    free(file);
    return status;
}

static mbn_status load(const struct network_case *c, struct loaded *l, mbn_error *error) {
    mbn_status status = load_model(c, &l->model, error);
    if (status != MBN_OK) return status;
    const mbn_context_options options = {.threads = c->threads};
    status = mbn_context_create(l->model, &options, &l->context, error);
    if (status != MBN_OK) return status;
    const mbn_network *network = mbn_model_network(l->model);
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width;
    l->input = malloc(3 * pixels * sizeof(float));
    l->output = malloc((size_t)network->classes * sizeof(float));
    if (l->input == NULL || l->output == NULL) {
        snprintf(error->message, sizeof error->message, "no memory for an image");
        return MBN_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < 3 * pixels; i++) l->input[i] = (float)(i * 37 % 255) / 127.5f - 1.0f;
    return MBN_OK;
}

static void run(bench_state *state, const void *context) {
    const struct network_case *c = context;
    struct loaded l = {0};
    mbn_error error = {0};
    mbn_status status = load(c, &l, &error);
    if (status != MBN_OK) bench_skip_with_error(state, error.message);
    while (bench_keep_running(state)) {
        status = mbn_run(l.context, l.input, MBN_NHWC, 1, MBN_LOGITS, l.output, &error);
        if (status != MBN_OK) bench_skip_with_error(state, error.message);
    }
    if (status == MBN_OK) {
        const double flops = 2.0 * (double)mbn_model_network(l.model)->multiply_adds;
        const double peak = machine_peak(c->kernels) * c->threads;
        bench_rate(state, "images/s", 1);
        bench_rate(state, "GFLOP/s", 1e-9 * flops);
        bench_rate(state, "%peak", 100 * flops / peak);
        bench_counter(state, "peak_GFLOP/s", 1e-9 * peak);
        bench_counter(state, "floor_ms", 1e3 * flops / peak);
    }
    unload(&l);
}

static void register_table(bench_suite *suite, const mbn_kernels *kernels, const char *network) {
    const int cpus = machine_cpus();
    for (int threads = 1; threads <= cpus; threads += cpus > 1 ? cpus - 1 : 1) {
        struct network_case *context = bench_suite_allocate(suite, sizeof *context);
        *context = (struct network_case){network, kernels, threads};
        char name[128];
        bench_format(name, sizeof name, "network/%s/%s/threads:%d", machine_name(kernels).text,
                     network, threads);
        bench_entry *entry = bench_register(name, run, context);
        bench_in_milliseconds(entry);
        if (threads > 1) bench_by_wall_clock(entry);
    }
}

void bench_register_networks(bench_suite *suite) {
    const char *network;
    for (int32_t i = 0; (network = mbn_network_name(i)) != NULL; i++) {
        const mbn_kernels *kernels;
        for (int t = 0; (kernels = machine_table(bench_suite_isas(suite), t)) != NULL; t++) {
            /* Random weights are floats: whole networks of integers are peers/compare's. */
            if (kernels->element != MBN_ELEMENT_Q8) register_table(suite, kernels, network);
        }
    }
}
