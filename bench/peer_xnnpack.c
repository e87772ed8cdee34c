#include "operands.h"
#include "peer.h"

#include <math.h>
#include <stdio.h>
#include <xnnpack.h>

static bool start(void) {
    return xnn_initialize(NULL) == xnn_status_success;
}

/* The library does not know its version: this is the package's. */
static void version(char *text, size_t size) {
    snprintf(text, size, "%s", BENCH_XNNPACK_VERSION);
}

/* The hard activations are operators of their own there. */
static void clamp_of(const mbn_activation *activation, float *low, float *high) {
    const bool relu6 = activation->kind == MBN_ACTIVATION_RELU6;
    *low = relu6 || activation->kind == MBN_ACTIVATION_RELU ? 0.0f : -INFINITY;
    *high = relu6 ? 6.0f : INFINITY;
}

static float *readable(bench_memory *memory, size_t count) {
    return bench_random(memory, count + XNN_EXTRA_BYTES / sizeof(float));
}

static size_t pixels_of(int32_t height, int32_t width) {
    return (size_t)height * (size_t)width;
}

static enum xnn_status create_convolution(const mbn_layer *l, const float *weights,
                                          const float *bias, xnn_operator_t *op) {
    const bool depthwise = l->kind == MBN_LAYER_DEPTHWISE;
    const size_t inputs = (size_t)l->input_channels, outputs = (size_t)l->output_channels;
    float low, high;
    clamp_of(&l->activation, &low, &high);
    return xnn_create_convolution2d_nhwc_f32(
        (uint32_t)l->pad_top, (uint32_t)l->pad_right, (uint32_t)l->pad_bottom,
        (uint32_t)l->pad_left, (uint32_t)l->kernel_height, (uint32_t)l->kernel_width,
        (uint32_t)l->stride_vertical, (uint32_t)l->stride_horizontal, 1, 1,
        depthwise ? (uint32_t)inputs : 1, depthwise ? 1 : inputs, depthwise ? 1 : outputs, inputs,
        outputs, weights, bias, low, high, 0, op);
}

static enum xnn_status create(const mbn_layer *l, bench_memory *memory, xnn_operator_t *op) {
    const size_t inputs = (size_t)l->input_channels, outputs = (size_t)l->output_channels;
    const float *weights = readable(memory, (size_t)l->weights);
    const float *bias = readable(memory, outputs);
    const float *input = readable(memory, inputs * pixels_of(l->input_height, l->input_width));
    float *output = bench_floats(memory, outputs * pixels_of(l->output_height, l->output_width));
    enum xnn_status status;
    if (l->kind == MBN_LAYER_FULLY_CONNECTED) {
        float low, high;
        clamp_of(&l->activation, &low, &high);
        status = xnn_create_fully_connected_nc_f32(inputs, outputs, inputs, outputs, weights, bias,
                                                   low, high, 0, op);
        if (status != xnn_status_success) return status;
        return xnn_setup_fully_connected_nc_f32(*op, 1, input, output, NULL);
    }
    status = create_convolution(l, weights, bias, op);
    if (status != xnn_status_success) return status;
    return xnn_setup_convolution2d_nhwc_f32(*op, 1, (size_t)l->input_height, (size_t)l->input_width,
                                            input, output, NULL);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    bench_memory memory = {0};
    xnn_operator_t op = NULL;
    if (create(c->layer, &memory, &op) != xnn_status_success) {
        bench_skip_with_error(state, "XNNPACK refuses this shape");
    }
    while (bench_keep_running(state)) {
        if (xnn_run_operator(op, NULL) != xnn_status_success) {
            bench_skip_with_error(state, "XNNPACK failed");
        }
    }
    bench_report(state, c, 2.0 * (double)c->layer->multiply_adds,
                 bench_layer_bytes(c->kernels, c->layer));
    if (op != NULL) xnn_delete_operator(op);
    bench_memory_free(&memory);
}

const bench_peer bench_xnnpack = {"xnnpack", start, version, run};
