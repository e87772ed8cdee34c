#include "network_shapes.h"

#include "../brief.h"

#include <criterion/criterion.h>
#include <string.h>

/* Multiply-adds that a case may cost: the expected values are computed slowly, and slower still
 * without optimisation or under an emulator. */
static int64_t most_multiply_adds(void) {
#if defined(TESTS_ARE_EMULATED)
    return 50000;
#elif defined(NDEBUG)
    return tests_are_brief() ? 400000 : 3000000;
#else
    return 400000;
#endif
}

/* The inputs that `outputs` outputs along an axis reach, of `size`. */
static int32_t reach(int32_t outputs, int32_t stride, int32_t kernel, int32_t pad, int32_t size) {
    int32_t end = (outputs - 1) * stride + kernel - pad;
    return end < size ? end : size;
}

/* Rows beyond the first few repeat what those did; so do columns, where a row is too much
 * already. */
static void cut(convolution_case *c) {
    int64_t per_output =
        (int64_t)c->outputs * c->kernel_height * c->kernel_width * (c->depthwise ? 1 : c->channels);
    int64_t columns = most_multiply_adds() / per_output + 1;
    if (c->output_width > columns) c->output_width = (int32_t)columns;
    int64_t rows = columns / c->output_width;
    if (c->output_height > rows) c->output_height = (int32_t)rows;
    c->height =
        reach(c->output_height, c->stride_vertical, c->kernel_height, c->pad_top, c->height);
    c->width = reach(c->output_width, c->stride_horizontal, c->kernel_width, c->pad_left, c->width);
}

static convolution_case case_of(const mbn_layer *layer) {
    convolution_case c;
    memset(&c, 0, sizeof c); /* padding too: cases are compared as bytes */
    c.channels = layer->input_channels;
    c.height = layer->input_height;
    c.width = layer->input_width;
    c.outputs = layer->output_channels;
    c.output_height = layer->output_height;
    c.output_width = layer->output_width;
    c.depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
    c.kernel_height = layer->kernel_height;
    c.kernel_width = layer->kernel_width;
    c.stride_vertical = layer->stride_vertical;
    c.stride_horizontal = layer->stride_horizontal;
    c.pad_top = layer->pad_top;
    c.pad_left = layer->pad_left;
    c.residual = layer->residual >= 0;
    c.activation = layer->activation.kind;
    if (layer->kind == MBN_LAYER_FULLY_CONNECTED) {
        c.height = c.width = c.output_height = c.output_width = 1;
        c.kernel_height = c.kernel_width = c.stride_vertical = c.stride_horizontal = 1;
        c.pad_top = c.pad_left = 0;
    }
    if (layer->weights > 0) cut(&c);
    return c;
}

static int32_t add_case(const convolution_case *c, convolution_case *cases, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (memcmp(c, cases + i, sizeof *c) == 0) return count;
    }
    cr_assert(count < NETWORK_CASES_MAX);
    cases[count] = *c;
    return count + 1;
}

int32_t network_cases(mbn_layer_kind kind, bool standard,
                      convolution_case cases[NETWORK_CASES_MAX]) {
    static const int32_t sizes[][2] = {{224, 224}, {97, 131}};
    int32_t count = 0;
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
            const mbn_network_options options = {
                .network = mbn_network_name(i),
                .input_height = sizes[size][0],
                .input_width = sizes[size][1],
                .standard_convolution = standard,
            };
            mbn_network *network;
            mbn_error error;
            cr_assert(mbn_network_create(&options, &network, &error) == MBN_OK, "%s",
                      error.message);
            for (int32_t l = 0; l < network->layer_count; l++) {
                if (network->layers[l].kind != kind) continue;
                convolution_case c = case_of(network->layers + l);
                count = add_case(&c, cases, count);
            }
            mbn_network_free(network);
        }
    }
    return count;
}
