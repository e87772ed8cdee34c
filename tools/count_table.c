#include "count_table.h"

#include "report.h"

#include <mobilenet.h>
#include <string.h>

static const char *activation_name(const mbn_layer *layer) {
    static const char *const names[] = {
        [MBN_ACTIVATION_NONE] = "none",
        [MBN_ACTIVATION_RELU] = "relu",
        [MBN_ACTIVATION_RELU6] = "relu6",
        [MBN_ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
        [MBN_ACTIVATION_HARD_SWISH] = "hard_swish",
    };
    return names[layer->activation.kind];
}

/* The layer of that role in a row (-1: outside of rows), or NULL. */
static const mbn_layer *find(const mbn_network *network, int32_t row, mbn_layer_role role) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->block == row && layer->role == role) return layer;
    }
    return NULL;
}

static json_t *with_channels(json_t *object, const char *key, const mbn_layer *layer) {
    return layer == NULL ? object
                         : mbn_json_with(object, key, json_integer(layer->output_channels));
}

static json_t *row_json(const mbn_network *network, int32_t row) {
    const mbn_layer *depthwise = find(network, row, MBN_ROLE_DEPTHWISE);
    const mbn_layer *project = find(network, row, MBN_ROLE_PROJECT);
    const bool separable = project->activation.kind != MBN_ACTIVATION_NONE;
    json_t *json =
        json_pack("{s:i, s:[i,i], s:i, s:s}", "kernel", depthwise->kernel_height, "strides",
                  depthwise->stride_vertical, depthwise->stride_horizontal, "channels",
                  project->output_channels, "activation", activation_name(depthwise));
    if (separable) json = mbn_json_with(json, "kind", json_string("separable"));
    json = with_channels(json, "expand", find(network, row, MBN_ROLE_EXPAND));
    return with_channels(json, "squeeze", find(network, row, MBN_ROLE_SQUEEZE));
}

static json_t *rows_json(const mbn_network *network) {
    json_t *rows = json_array();
    for (int32_t row = 0; find(network, row, MBN_ROLE_DEPTHWISE) != NULL; row++) {
        mbn_json_append(&rows, row_json(network, row));
    }
    return rows;
}

static json_t *gate_json(const mbn_layer *excite) {
    json_t *json = json_pack("{s:s}", "activation", activation_name(excite));
    if (excite->activation.kind != MBN_ACTIVATION_HARD_SIGMOID) return json;
    json = mbn_json_with(json, "slope", json_real((double)excite->activation.slope));
    return mbn_json_with(json, "offset", json_real((double)excite->activation.offset));
}

static json_t *layer_json(const mbn_layer *layer) {
    return json_pack("{s:i, s:s}", "channels", layer->output_channels, "activation",
                     activation_name(layer));
}

static json_t *table_json(const mbn_network *network) {
    const mbn_layer *stem = find(network, -1, MBN_ROLE_STEM);
    const mbn_layer *head = find(network, -1, MBN_ROLE_HEAD);
    const mbn_layer *hidden = find(network, -1, MBN_ROLE_HIDDEN);
    json_t *json =
        json_pack("{s:{s:i, s:[i,i], s:s}, s:o}", "stem", "channels", stem->output_channels,
                  "strides", stem->stride_vertical, stem->stride_horizontal, "activation",
                  activation_name(stem), "rows", rows_json(network));
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *excite = &network->layers[i];
        if (excite->role != MBN_ROLE_EXCITE) continue;
        const mbn_layer *squeeze = find(network, excite->block, MBN_ROLE_SQUEEZE);
        json = mbn_json_with(json, "squeeze_activation", json_string(activation_name(squeeze)));
        json = mbn_json_with(json, "gate", gate_json(excite));
        break; /* they are all alike */
    }
    if (head != NULL) json = mbn_json_with(json, "head", layer_json(head));
    if (hidden != NULL) json = mbn_json_with(json, "hidden", json_pack("[o]", layer_json(hidden)));
    return stem->bias ? mbn_json_with(json, "convolution_bias", json_true()) : json;
}

json_t *mbn_tables_json(void) {
    json_t *tables = json_object();
    const char *name;
    for (int32_t i = 0; (name = mbn_network_name(i)) != NULL; i++) {
        const mbn_network_options options = {.network = name};
        mbn_network *network = NULL;
        if (mbn_network_create(&options, &network, NULL) != MBN_OK) {
            json_decref(tables);
            return NULL;
        }
        tables = mbn_json_with(tables, name, table_json(network));
        mbn_network_free(network);
    }
    return tables;
}
