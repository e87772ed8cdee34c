/* A network's layers as the table of a model file. */
#include "quantizer.h"

#include <string.h>

/* Sets a member and returns the object; NULL where there is no memory for it, or was none for what
 * goes into it. */
static json_t *with(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) == 0) return object;
    json_decref(object);
    return NULL;
}

/* The same of an array. */
static json_t *appended(json_t *array, json_t *element) {
    if (json_array_append_new(array, element) == 0) return array;
    json_decref(array);
    return NULL;
}

static const char *activation_of(const mbn_layer *layer) {
    return mbn_activation_name(layer->activation.kind);
}

/* The first layer from `index` on with this role, in the same row; NULL if there is none. */
static const mbn_layer *in_row(const mbn_network *network, int32_t index, mbn_layer_role role) {
    for (int32_t i = index; i < network->layer_count; i++) {
        if (network->layers[i].block != network->layers[index].block) break;
        if (network->layers[i].role == role) return &network->layers[i];
    }
    return NULL;
}

static const mbn_layer *with_role(const mbn_network *network, mbn_layer_role role) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        if (network->layers[i].role == role) return &network->layers[i];
    }
    return NULL;
}

static json_t *strides_of(const mbn_layer *layer) {
    return json_pack("[i,i]", layer->stride_vertical, layer->stride_horizontal);
}

/* Of the row whose first layer is number `index`. */
static json_t *row_of(const mbn_network *network, int32_t index) {
    const mbn_layer *expand = in_row(network, index, MBN_ROLE_EXPAND);
    const mbn_layer *depthwise = in_row(network, index, MBN_ROLE_DEPTHWISE);
    const mbn_layer *squeeze = in_row(network, index, MBN_ROLE_SQUEEZE);
    const mbn_layer *project = in_row(network, index, MBN_ROLE_PROJECT);
    json_t *row = json_pack("{s:i, s:i, s:s, s:o}", "kernel", depthwise->kernel_height, "channels",
                            project->output_channels, "activation", activation_of(depthwise),
                            "strides", strides_of(depthwise));
    if (project->activation.kind != MBN_ACTIVATION_NONE) {
        row = with(row, "kind", json_string("separable"));
    } else if (project->residual < 0) {
        row = with(row, "residual", json_false());
    }
    if (expand != NULL) {
        row = with(row, "expand", json_integer(expand->output_channels));
    }
    if (squeeze != NULL) {
        row = with(row, "squeeze", json_integer(squeeze->output_channels));
        row = with(row, "squeeze_activation", json_string(activation_of(squeeze)));
    }
    return row;
}

static json_t *layer_of(const mbn_layer *layer) {
    return json_pack("{s:i, s:s}", "channels", layer->output_channels, "activation",
                     activation_of(layer));
}

static json_t *gate_of(const mbn_layer *excite) {
    const mbn_activation *gate = &excite->activation;
    json_t *json = json_pack("{s:s}", "activation", activation_of(excite));
    if (gate->kind == MBN_ACTIVATION_HARD_SIGMOID) {
        json = with(json, "slope", json_real((double)gate->slope));
        json = with(json, "offset", json_real((double)gate->offset));
    }
    return json;
}

json_t *mbn_table_of(const mbn_network *network, const mbn_naming *naming) {
    const mbn_layer *stem = &network->layers[0];
    const mbn_layer *excite = with_role(network, MBN_ROLE_EXCITE);
    const mbn_layer *head = with_role(network, MBN_ROLE_HEAD);
    const mbn_layer *max_pool = with_role(network, MBN_ROLE_HEAD_MAX_POOL);
    json_t *rows = json_array(), *hidden = json_array();
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->block >= 0 && layer->block != network->layers[i - 1].block) {
            rows = appended(rows, row_of(network, i));
        }
        if (layer->role == MBN_ROLE_HIDDEN) hidden = appended(hidden, layer_of(layer));
    }
    json_t *table = json_pack("{s:{s:i, s:o, s:s}, s:o, s:o, s:b, s:s}", "stem", "channels",
                              stem->output_channels, "strides", strides_of(stem), "activation",
                              activation_of(stem), "rows", rows, "hidden", hidden, "batch_norm", 0,
                              "names", mbn_naming_name(naming));
    if (excite != NULL) table = with(table, "gate", gate_of(excite));
    if (head != NULL) table = with(table, "head", layer_of(head));
    if (max_pool != NULL) {
        table = with(table, "max_pool",
                     json_pack("{s:i, s:i}", "window", max_pool->kernel_height, "stride",
                               max_pool->stride_vertical));
    }
    if (with_role(network, MBN_ROLE_HEAD_GLOBAL_MAX_POOL) != NULL) {
        table = with(table, "pool", json_string("max"));
    }
    if (network->classes == 0) table = with(table, "logits", json_false());
    return table;
}
