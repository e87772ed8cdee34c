/* The model's network as JSON: what bench/peers/network.py builds the other runtimes' models
 * from. */
#include "runner.h"

#include <jansson.h>
#include <stdio.h>

static const char *const roles[] = {
    [MBN_ROLE_STEM] = "stem",           [MBN_ROLE_EXPAND] = "expand",
    [MBN_ROLE_DEPTHWISE] = "depthwise", [MBN_ROLE_SQUEEZE_POOL] = "squeeze_pool",
    [MBN_ROLE_SQUEEZE] = "squeeze",     [MBN_ROLE_EXCITE] = "excite",
    [MBN_ROLE_SCALE] = "scale",         [MBN_ROLE_PROJECT] = "project",
    [MBN_ROLE_HEAD] = "head",           [MBN_ROLE_HEAD_MAX_POOL] = "head_max_pool",
    [MBN_ROLE_HEAD_POOL] = "head_pool", [MBN_ROLE_HIDDEN] = "hidden",
    [MBN_ROLE_LOGITS] = "logits",       [MBN_ROLE_HEAD_GLOBAL_MAX_POOL] = "head_global_max_pool",
};

static const char *const activations[] = {
    [MBN_ACTIVATION_NONE] = "none",
    [MBN_ACTIVATION_RELU] = "relu",
    [MBN_ACTIVATION_RELU6] = "relu6",
    [MBN_ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
    [MBN_ACTIVATION_HARD_SWISH] = "hard_swish",
};

static json_t *activation_json(const mbn_activation *activation) {
    return json_pack("{s:s, s:f, s:f}", "kind", activations[activation->kind], "slope",
                     (double)activation->slope, "offset", (double)activation->offset);
}

static json_t *layer_json(const mbn_layer *l) {
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[i,i,i], s:[i,i,i], s:[i,i], s:[i,i], s:[i,i,i,i],"
        " s:b, s:o}",
        "name", l->name, "batch_norm", l->batch_norm_name, "kind", mbn_layer_kind_name(l->kind),
        "role", roles[l->role], "input", l->input, "gate", l->gate, "residual", l->residual,
        "input_shape", l->input_height, l->input_width, l->input_channels, "output_shape",
        l->output_height, l->output_width, l->output_channels, "kernel", l->kernel_height,
        l->kernel_width, "stride", l->stride_vertical, l->stride_horizontal, "pads", l->pad_top,
        l->pad_left, l->pad_bottom, l->pad_right, "bias", l->bias, "activation",
        activation_json(&l->activation));
}

static json_t *network_json(const mbn_network *network, const char *isa) {
    json_t *layers = json_array();
    for (int32_t i = 0; i < network->layer_count; i++)
        json_array_append_new(layers, layer_json(&network->layers[i]));
    return json_pack(
        "{s:s, s:s, s:f, s:[i,i,i], s:i, s:I, s:I, s:s, s:s, s:o}", "name", network->name, "source",
        network->source == MBN_SOURCE_TORCHVISION ? "torchvision" : "keras", "batch_norm_epsilon",
        network->batch_norm_epsilon, "input_shape", network->input_height, network->input_width, 3,
        "classes", network->classes, "multiply_adds", (json_int_t)network->multiply_adds,
        "parameters", (json_int_t)network->parameters, "isa", isa, "version", mbn_version(),
        "layers", layers);
}

bool runner_describe(const char *dtype, const char *model) {
    mbn_model *loaded = runner_load_model(dtype, model);
    if (loaded == NULL) return false;
    json_t *network =
        network_json(mbn_model_network(loaded), mbn_isa_name(mbn_model_kernels(loaded)->isa));
    const bool printed = network != NULL && json_dumpf(network, stdout, JSON_INDENT(1)) == 0;
    json_decref(network);
    mbn_model_free(loaded);
    return printed;
}
