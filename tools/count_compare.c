#include "count_compare.h"

#include "report.h"

#include <stdio.h>

/* A depthwise-separable pair, and what stands for it. */
struct pair {
    const mbn_layer *depthwise, *pointwise, *standard;
    int64_t parameters, multiply_adds; /* of depthwise and pointwise together */
    double formula;
};

/* Howard et al. 2017: a pair costs 1/N + 1/k^2 of a standard convolution with N outputs and a
 * kernel of k x k.  Exact for weights and multiply-adds; batch norm comes on top, once more in a
 * pair. */
static double formula(int32_t outputs, int32_t taps) {
    return 1.0 / outputs + 1.0 / taps;
}

static double ratio(int64_t separable, int64_t standard) {
    return (double)separable / (double)standard;
}

static const mbn_layer *find(const mbn_network *network, mbn_layer_role role, int32_t block) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->role == role && layer->block == block) return layer;
    }
    return NULL;
}

/* The pair that begins at this layer; false if none does. */
static bool find_pair(const mbn_network *separable, const mbn_network *standard, int32_t index,
                      struct pair *pair) {
    const mbn_layer *depthwise = &separable->layers[index];
    if (depthwise->role != MBN_ROLE_DEPTHWISE) return false;
    const mbn_layer *pointwise = find(separable, MBN_ROLE_PROJECT, depthwise->block);
    const mbn_layer *whole = find(standard, MBN_ROLE_PROJECT, depthwise->block);
    if (pointwise == NULL || whole == NULL) return false;
    *pair = (struct pair){
        .depthwise = depthwise,
        .pointwise = pointwise,
        .standard = whole,
        .parameters = depthwise->parameters + pointwise->parameters,
        .multiply_adds = depthwise->multiply_adds + pointwise->multiply_adds,
        .formula =
            formula(pointwise->output_channels, depthwise->kernel_height * depthwise->kernel_width),
    };
    return true;
}

/* The smallest example of the idea, without batch norm or bias. */
struct example {
    int32_t inputs, outputs, kernel;
    int64_t standard, depthwise, pointwise;
};

static struct example example(void) {
    struct example e = {.inputs = 3, .outputs = 4, .kernel = 3};
    const int32_t taps = e.kernel * e.kernel;
    e.standard = e.outputs * e.inputs * taps;
    e.depthwise = e.inputs * taps;
    e.pointwise = e.outputs * e.inputs;
    return e;
}

static void print_pair(const struct pair *pair) {
    char shape[64];
    snprintf(shape, sizeof shape, "%dx%d, %d -> %d", pair->depthwise->kernel_height,
             pair->depthwise->kernel_width, pair->depthwise->input_channels,
             pair->pointwise->output_channels);
    printf("%-18s %11s %11s %7.4f %13s %13s %7.4f %8.4f\n", shape,
           mbn_digits_of(pair->parameters).text, mbn_digits_of(pair->standard->parameters).text,
           ratio(pair->parameters, pair->standard->parameters),
           mbn_digits_of(pair->multiply_adds).text,
           mbn_digits_of(pair->standard->multiply_adds).text,
           ratio(pair->multiply_adds, pair->standard->multiply_adds), pair->formula);
}

static void print_example(void) {
    struct example e = example();
    int64_t separable = e.depthwise + e.pointwise;
    printf(
        "\nFor example, %d channels in and %d out, %dx%d: %s weights in a standard convolution,\n"
        "%s in a separable pair (%s depthwise and %s pointwise): %.4f = 1/%d + 1/%d.\n",
        e.inputs, e.outputs, e.kernel, e.kernel, mbn_digits_of(e.standard).text,
        mbn_digits_of(separable).text, mbn_digits_of(e.depthwise).text,
        mbn_digits_of(e.pointwise).text, formula(e.outputs, e.kernel * e.kernel), e.outputs,
        e.kernel * e.kernel);
}

void mbn_compare_print(const mbn_network *separable, const mbn_network *standard) {
    puts("\nSeparable pairs (depthwise, then pointwise) beside standard convolutions of the same\n"
         "kernel, stride, inputs and outputs; the ratio is separable / standard:\n");
    printf("%-18s %31s %35s %8s\n", "", "parameters", "multiply-adds", "");
    printf("%-18s %11s %11s %7s %13s %13s %7s %8s\n", "pair", "separable", "standard", "ratio",
           "separable", "standard", "ratio", "1/N+1/k2");
    for (int32_t i = 0; i < separable->layer_count; i++) {
        struct pair pair;
        if (find_pair(separable, standard, i, &pair)) print_pair(&pair);
    }
    printf("%-18s %11s %11s %7.4f %13s %13s %7.4f\n", "whole network",
           mbn_digits_of(separable->parameters).text, mbn_digits_of(standard->parameters).text,
           ratio(separable->parameters, standard->parameters),
           mbn_digits_of(separable->multiply_adds).text,
           mbn_digits_of(standard->multiply_adds).text,
           ratio(separable->multiply_adds, standard->multiply_adds));
    puts("\nThe formula is exact for weights and multiply-adds.  Parameters (trainable ones here)\n"
         "include batch norm's, which a pair has once more.");
    print_example();
}

static json_t *pair_json(const struct pair *pair) {
    const mbn_layer *depthwise = pair->depthwise;
    const mbn_layer *standard = pair->standard;
    return json_pack(
        "{s:s, s:s, s:[i,i], s:i, s:i, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:f, s:f, s:f}",
        "depthwise", depthwise->name, "pointwise", pair->pointwise->name, "kernel",
        depthwise->kernel_height, depthwise->kernel_width, "input_channels",
        depthwise->input_channels, "output_channels", pair->pointwise->output_channels, "separable",
        "weights", (json_int_t)(depthwise->weights + pair->pointwise->weights), "parameters",
        (json_int_t)pair->parameters, "multiply_adds", (json_int_t)pair->multiply_adds, "standard",
        "weights", (json_int_t)standard->weights, "parameters", (json_int_t)standard->parameters,
        "multiply_adds", (json_int_t)standard->multiply_adds, "parameters_ratio",
        ratio(pair->parameters, standard->parameters), "multiply_adds_ratio",
        ratio(pair->multiply_adds, standard->multiply_adds), "formula", pair->formula);
}

json_t *mbn_compare_json(const mbn_network *separable, const mbn_network *standard) {
    json_t *pairs = json_array();
    for (int32_t i = 0; i < separable->layer_count; i++) {
        struct pair pair;
        if (find_pair(separable, standard, i, &pair)) mbn_json_append(&pairs, pair_json(&pair));
    }
    struct example e = example();
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:{s:i, s:i, s:i, s:I, s:I}}",
                     "parameters", (json_int_t)standard->parameters, "batch_norm_statistics",
                     (json_int_t)standard->batch_norm_statistics, "multiply_adds",
                     (json_int_t)standard->multiply_adds, "flops",
                     (json_int_t)(2 * standard->multiply_adds), "parameters_ratio",
                     ratio(separable->parameters, standard->parameters), "multiply_adds_ratio",
                     ratio(separable->multiply_adds, standard->multiply_adds), "pairs", pairs,
                     "example", "input_channels", e.inputs, "output_channels", e.outputs, "kernel",
                     e.kernel, "standard_weights", (json_int_t)e.standard, "separable_weights",
                     (json_int_t)(e.depthwise + e.pointwise));
}
