#include "suite.h"

#include "machine.h"
#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 128 };

struct allocation {
    struct allocation *next;
    max_align_t data[];
};

struct bench_suite {
    uint32_t isas;
    mbn_network **networks;
    int network_count;
    mbn_network squares;
    mbn_layer *square_layers;
    struct allocation *allocations;
};

/* ---- Squares --------------------------------------------------------------------------------- */

/* Beside the networks' shapes, each kernel runs square ones: powers of two everywhere, so no tail
 * in any vector or tile, and strides that fall on the same cache sets.  64 Ki values each; the
 * deeper, the more of the traffic is weights. */
static const struct { int32_t size, channels; } squares[] = {{32, 64}, {16, 256}, {8, 1024}};

static const mbn_layer_kind square_kinds[] = {
    MBN_LAYER_CONVOLUTION, MBN_LAYER_DEPTHWISE,       MBN_LAYER_POINTWISE,    MBN_LAYER_MAX_POOL,
    MBN_LAYER_GLOBAL_POOL, MBN_LAYER_FULLY_CONNECTED, MBN_LAYER_CHANNEL_SCALE};

enum {
    SQUARES = sizeof squares / sizeof squares[0],
    SQUARE_KINDS = sizeof square_kinds / sizeof square_kinds[0]
};

static mbn_layer square_layer(mbn_layer_kind kind, int32_t size, int32_t channels) {
    mbn_layer layer = {
        .kind = kind,
        .role = MBN_ROLE_PROJECT,
        .block = -1,
        .input = -1,
        .gate = -1,
        .residual = -1,
        .input_height = size,
        .input_width = size,
        .input_channels = channels,
        .output_height = size,
        .output_width = size,
        .output_channels = channels,
        .kernel_height = 1,
        .kernel_width = 1,
        .stride_vertical = 1,
        .stride_horizontal = 1,
        .activation = {.kind = MBN_ACTIVATION_RELU},
    };
    snprintf(layer.name, sizeof layer.name, "%dx%dx%d", size, size, channels);
    const int64_t pixels = (int64_t)size * size;
    switch (kind) {
    case MBN_LAYER_CONVOLUTION:
    case MBN_LAYER_DEPTHWISE:
        layer.kernel_height = layer.kernel_width = 3;
        layer.pad_top = layer.pad_left = layer.pad_bottom = layer.pad_right = 1;
        layer.weights = 9 * (int64_t)channels * (kind == MBN_LAYER_DEPTHWISE ? 1 : channels);
        layer.multiply_adds = layer.weights * pixels;
        break;
    case MBN_LAYER_POINTWISE:
        layer.weights = (int64_t)channels * channels;
        layer.multiply_adds = layer.weights * pixels;
        break;
    case MBN_LAYER_FULLY_CONNECTED:
        layer.input_height = layer.input_width = layer.output_height = layer.output_width = 1;
        layer.weights = layer.multiply_adds = (int64_t)channels * channels;
        break;
    case MBN_LAYER_MAX_POOL:
        layer.kernel_height = layer.kernel_width = 2;
        layer.stride_vertical = layer.stride_horizontal = 2;
        layer.output_height = layer.output_width = size / 2;
        break;
    case MBN_LAYER_GLOBAL_POOL:
        layer.kernel_height = layer.kernel_width = size;
        layer.output_height = layer.output_width = 1;
        break;
    case MBN_LAYER_CHANNEL_SCALE: break;
    }
    return layer;
}

static bool create_squares(bench_suite *suite) {
    mbn_layer *layers = calloc(SQUARES * SQUARE_KINDS, sizeof *layers);
    if (layers == NULL) return false;
    for (int i = 0; i < SQUARES * SQUARE_KINDS; i++) {
        layers[i] = square_layer(square_kinds[i / SQUARES], squares[i % SQUARES].size,
                                 squares[i % SQUARES].channels);
    }
    suite->square_layers = layers;
    suite->squares =
        (mbn_network){.name = "square", .layer_count = SQUARES * SQUARE_KINDS, .layers = layers};
    return true;
}

/* ---- Suite ----------------------------------------------------------------------------------- */

static bool create_networks(bench_suite *suite) {
    int names = 0;
    while (mbn_network_name(names) != NULL) names++;
    suite->networks = calloc(2 * (size_t)names, sizeof(mbn_network *));
    if (suite->networks == NULL) return false;
    for (; suite->network_count < 2 * names; suite->network_count++) {
        const mbn_network_options options = {
            .network = mbn_network_name(suite->network_count / 2),
            .standard_convolution = suite->network_count % 2 != 0,
        };
        mbn_error error;
        if (mbn_network_create(&options, &suite->networks[suite->network_count], &error) !=
            MBN_OK) {
            fprintf(stderr, "%s: %s\n", options.network, error.message);
            return false;
        }
    }
    return true;
}

bench_suite *bench_suite_create(uint32_t isa_mask) {
    bench_suite *suite = calloc(1, sizeof *suite);
    if (suite == NULL) return NULL;
    suite->isas = isa_mask;
    if (!create_networks(suite) || !create_squares(suite)) {
        bench_suite_free(suite);
        return NULL;
    }
    return suite;
}

void bench_suite_free(bench_suite *suite) {
    if (suite == NULL) return;
    for (struct allocation *next, *a = suite->allocations; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    for (int i = 0; i < suite->network_count; i++) mbn_network_free(suite->networks[i]);
    free(suite->networks);
    free(suite->square_layers);
    free(suite);
}

void *bench_suite_allocate(bench_suite *suite, size_t size) {
    struct allocation *allocation = calloc(1, sizeof *allocation + size);
    if (allocation == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    allocation->next = suite->allocations;
    suite->allocations = allocation;
    return allocation->data;
}

uint32_t bench_suite_isas(const bench_suite *suite) {
    return suite->isas;
}

bool bench_format(char *text, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < size;
}

/* The shapes that one family has seen. */
struct names {
    char (*text)[MAX_NAME];
    int count;
};

static bool seen(const struct names *names, const char *text) {
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->text[i], text) == 0) return true;
    }
    return false;
}

/* As family/name/shape, with `run` in the place of the family's. */
static void register_layers(bench_suite *suite, const bench_family *family, const char *by,
                            bench_function *run, const mbn_kernels *kernels,
                            const mbn_network *network, struct names *names) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        bench_case c = {kernels, network, &network->layers[i], family->variant};
        char shape[MAX_NAME], name[2 * MAX_NAME];
        if (!family->shape(&c, shape, sizeof shape) || seen(names, shape)) continue;
        memcpy(names->text[names->count++], shape, sizeof shape);
        bench_case *context = bench_suite_allocate(suite, sizeof *context);
        *context = c;
        bench_format(name, sizeof name, "%s/%s/%s%s", family->name, by,
                     network == &suite->squares ? "square/" : "", shape);
        bench_register(name, run, context);
    }
}

static void register_shapes(bench_suite *suite, const bench_family *family, const char *by,
                            bench_function *run, const mbn_kernels *kernels) {
    int32_t layers = suite->squares.layer_count;
    for (int i = 0; i < suite->network_count; i++) layers += suite->networks[i]->layer_count;
    struct names names = {calloc((size_t)layers, sizeof *names.text), 0};
    if (names.text == NULL) return;
    for (int i = 0; i < suite->network_count; i++) {
        register_layers(suite, family, by, run, kernels, suite->networks[i], &names);
    }
    names.count = 0;
    register_layers(suite, family, by, run, kernels, &suite->squares, &names);
    free(names.text);
}

void bench_register_family(bench_suite *suite, const bench_family *family) {
    const mbn_kernels *kernels;
    for (int i = 0; (kernels = machine_table(suite->isas, i)) != NULL; i++) {
        register_shapes(suite, family, machine_name(kernels).text, family->run, kernels);
    }
}

void bench_register_peer(bench_suite *suite, const bench_family *family, const bench_peer *peer) {
    register_shapes(suite, family, peer->name, peer->run,
                    mbn_kernels_best(MBN_ELEMENT_F32, suite->isas));
}

void bench_report(bench_state *state, const bench_case *c, double flops, double bytes) {
    if (flops > 0) {
        const double peak = machine_peak(c->kernels);
        bench_rate(state, "GFLOP/s", 1e-9 * flops);
        bench_rate(state, "%peak", 100 * flops / peak);
        bench_counter(state, "peak_GFLOP/s", 1e-9 * peak);
    }
    bench_rate(state, "GB/s", 1e-9 * bytes);
    char label[MAX_NAME];
    bench_format(label, sizeof label, "%s %s", c->network->name, c->layer->name);
    bench_label(state, label);
}
