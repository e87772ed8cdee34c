#include "operands.h"
#include "peer.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;

/* One thread, whatever the CPUs: what is timed is this thread. */
static bool start(void) {
    omp_set_num_threads(1);
    return dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success &&
           dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success;
}

static void version(char *text, size_t size) {
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, "%d.%d.%d", v->major, v->minor, v->patch);
}

/* ---- One layer ------------------------------------------------------------------------------- */

enum { SOURCE, WEIGHTS, BIAS, DESTINATION, OPERANDS };

typedef struct operation {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[OPERANDS];
} operation;

static dnnl_memory_desc_t any_layout(int dimensions, const dnnl_dims_t sizes) {
    dnnl_memory_desc_t description;
    dnnl_memory_desc_init_by_tag(&description, dimensions, sizes, dnnl_f32, dnnl_format_tag_any);
    return description;
}

static dnnl_status_t describe_convolution(const mbn_layer *l,
                                          dnnl_convolution_desc_t *convolution) {
    const bool depthwise = l->kind == MBN_LAYER_DEPTHWISE;
    const dnnl_dims_t source = {1, l->input_channels, l->input_height, l->input_width};
    const dnnl_dims_t destination = {1, l->output_channels, l->output_height, l->output_width};
    const dnnl_dims_t grouped = {l->input_channels, 1, 1, l->kernel_height, l->kernel_width};
    const dnnl_dims_t plain = {l->output_channels, l->input_channels, l->kernel_height,
                               l->kernel_width};
    const dnnl_dims_t bias = {l->output_channels};
    const dnnl_dims_t strides = {l->stride_vertical, l->stride_horizontal};
    const dnnl_dims_t before = {l->pad_top, l->pad_left}, after = {l->pad_bottom, l->pad_right};
    const dnnl_memory_desc_t operands[OPERANDS] = {
        any_layout(4, source),
        depthwise ? any_layout(5, grouped) : any_layout(4, plain),
        any_layout(1, bias),
        any_layout(4, destination),
    };
    return dnnl_convolution_forward_desc_init(
        convolution, dnnl_forward_inference, dnnl_convolution_direct, &operands[SOURCE],
        &operands[WEIGHTS], &operands[BIAS], &operands[DESTINATION], strides, before, after);
}

static dnnl_status_t describe_inner_product(const mbn_layer *l,
                                            dnnl_inner_product_desc_t *product) {
    const dnnl_dims_t source = {1, l->input_channels}, destination = {1, l->output_channels};
    const dnnl_dims_t weights = {l->output_channels, l->input_channels};
    const dnnl_dims_t bias = {l->output_channels};
    const dnnl_memory_desc_t operands[OPERANDS] = {any_layout(2, source), any_layout(2, weights),
                                                   any_layout(1, bias), any_layout(2, destination)};
    return dnnl_inner_product_forward_desc_init(product, dnnl_forward_inference, &operands[SOURCE],
                                                &operands[WEIGHTS], &operands[BIAS],
                                                &operands[DESTINATION]);
}

/* The residual and the activation, fused. */
static void append_epilogue(const mbn_layer *l, dnnl_post_ops_t operations) {
    const mbn_activation *a = &l->activation;
    if (l->residual >= 0) dnnl_post_ops_append_sum(operations, 1.0f);
    switch (a->kind) {
    case MBN_ACTIVATION_NONE: break;
    case MBN_ACTIVATION_RELU:
        dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
        break;
    case MBN_ACTIVATION_RELU6:
        dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_clip, 0.0f, 6.0f);
        break;
    case MBN_ACTIVATION_HARD_SIGMOID:
        dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_linear, a->slope, a->offset);
        dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_clip, 0.0f, 1.0f);
        break;
    case MBN_ACTIVATION_HARD_SWISH:
        dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_hardswish, 0.0f, 0.0f);
        break;
    }
}

static dnnl_status_t describe(const mbn_layer *l, dnnl_primitive_desc_t *description) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t operations = NULL;
    dnnl_primitive_attr_create(&attributes);
    dnnl_post_ops_create(&operations);
    append_epilogue(l, operations);
    dnnl_primitive_attr_set_post_ops(attributes, operations);
    union {
        dnnl_convolution_desc_t convolution;
        dnnl_inner_product_desc_t product;
    } wanted;
    dnnl_status_t status = l->kind == MBN_LAYER_FULLY_CONNECTED
                               ? describe_inner_product(l, &wanted.product)
                               : describe_convolution(l, &wanted.convolution);
    if (status == dnnl_success) {
        status = dnnl_primitive_desc_create(description, &wanted, attributes, engine, NULL);
    }
    dnnl_post_ops_destroy(operations);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static dnnl_status_t create(const mbn_layer *l, bench_memory *memory, operation *op) {
    static const dnnl_query_t queries[OPERANDS] = {dnnl_query_src_md, dnnl_query_weights_md,
                                                   dnnl_query_weights_md, dnnl_query_dst_md};
    dnnl_status_t status = describe(l, &op->description);
    for (int i = 0; status == dnnl_success && i < OPERANDS; i++) {
        const dnnl_memory_desc_t *layout =
            dnnl_primitive_desc_query_md(op->description, queries[i], i == BIAS ? 1 : 0);
        float *data = bench_random(memory, dnnl_memory_desc_get_size(layout) / sizeof(float));
        status = dnnl_memory_create(&op->memory[i], layout, engine, data);
    }
    return status == dnnl_success ? dnnl_primitive_create(&op->primitive, op->description) : status;
}

static void destroy(operation *op) {
    for (int i = 0; i < OPERANDS; i++) dnnl_memory_destroy(op->memory[i]);
    dnnl_primitive_destroy(op->primitive);
    dnnl_primitive_desc_destroy(op->description);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    operation op = {0};
    if (create(c->layer, &memory, &op) != dnnl_success) {
        bench_skip_with_error(state, "oneDNN refuses this shape");
    }
    const dnnl_exec_arg_t operands[OPERANDS] = {{DNNL_ARG_SRC, op.memory[SOURCE]},
                                                {DNNL_ARG_WEIGHTS, op.memory[WEIGHTS]},
                                                {DNNL_ARG_BIAS, op.memory[BIAS]},
                                                {DNNL_ARG_DST, op.memory[DESTINATION]}};
    while (bench_keep_running(state)) {
        if (dnnl_primitive_execute(op.primitive, stream, OPERANDS, operands) != dnnl_success) {
            bench_skip_with_error(state, "oneDNN failed");
        }
    }
    bench_report(state, c, 2.0 * (double)c->layer->multiply_adds,
                 bench_layer_bytes(c->kernels, c->layer));
    destroy(&op);
    bench_memory_free(&memory);
}

const bench_peer bench_onednn = {"onednn", start, version, run};
