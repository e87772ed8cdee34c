/* The places in a network that have a name: feature maps at a stride, blocks, the pool, layers. */
#include "arch/error.h"

#include <mobilenet.h>

#include <stdio.h>
#include <string.h>

/* Input pixels per pixel of a layer's output; 0 for what has no place in the image. */
typedef struct stride {
    int32_t vertical, horizontal;
} stride;

static bool is_vector(const mbn_layer *layer) {
    return layer->kind == MBN_LAYER_GLOBAL_POOL || layer->kind == MBN_LAYER_FULLY_CONNECTED ||
           layer->role == MBN_ROLE_HEAD_GLOBAL_MAX_POOL;
}

static stride stride_of(const mbn_network *network, int32_t i) {
    stride total = {1, 1};
    for (; i >= 0; i = network->layers[i].input) {
        const mbn_layer *layer = &network->layers[i];
        if (is_vector(layer)) return (stride){0, 0};
        total.vertical *= layer->stride_vertical;
        total.horizontal *= layer->stride_horizontal;
    }
    return total;
}

static int32_t larger_stride(const mbn_network *network, int32_t i) {
    const stride s = stride_of(network, i);
    return s.vertical > s.horizontal ? s.vertical : s.horizontal;
}

static void describe(const mbn_network *network, int32_t i, mbn_stage_info *stage) {
    const mbn_layer *layer = &network->layers[i];
    const stride s = stride_of(network, i);
    stage->layer = i;
    stage->height = layer->output_height;
    stage->width = layer->output_width;
    stage->channels = layer->output_channels;
    stage->stride_vertical = s.vertical;
    stage->stride_horizontal = s.horizontal;
}

/* The last map at its stride: vectors aside, the next layer's stride is another one. */
static bool ends_stride(const mbn_network *network, int32_t i) {
    const int32_t here = larger_stride(network, i);
    if (here == 0) return false;
    for (int32_t j = i + 1; j < network->layer_count; j++) {
        if (larger_stride(network, j) == here) return false;
    }
    return true;
}

static bool ends_block(const mbn_network *network, int32_t i) {
    const int32_t block = network->layers[i].block;
    return block >= 0 && network->layers[i + 1].block != block;
}

/* Passes over all stages in order; the families are: strides, blocks, the pool, layers. */
typedef enum family { STRIDE, BLOCK, POOL, LAYER, FAMILY_COUNT } family;

/* The name of layer i in a family; false if it has none there. */
static bool name_in(const mbn_network *network, family of, int32_t i, char name[64]) {
    const mbn_layer *layer = &network->layers[i];
    switch (of) {
    case STRIDE:
        snprintf(name, 64, "stride%d", (int)larger_stride(network, i));
        return ends_stride(network, i);
    case BLOCK: snprintf(name, 64, "block%d", (int)layer->block); return ends_block(network, i);
    case POOL: snprintf(name, 64, "pool"); return layer->role == MBN_ROLE_HEAD_POOL;
    case LAYER: snprintf(name, 64, "%s", layer->name); return true;
    case FAMILY_COUNT: break;
    }
    return false;
}

bool mbn_network_stage_at(const mbn_network *network, int32_t index, mbn_stage_info *stage) {
    if (index < 0) return false;
    for (int of = 0; of < FAMILY_COUNT; of++) {
        for (int32_t i = 0; i < network->layer_count; i++) {
            if (!name_in(network, (family)of, i, stage->name)) continue;
            if (index-- > 0) continue;
            describe(network, i, stage);
            return true;
        }
    }
    return false;
}

/* Strides, blocks and the pool by name, and where layers' names can be seen. */
static mbn_status fail_unknown(const mbn_network *network, const char *name, mbn_error *error) {
    char list[320] = "", found[64];
    for (int of = STRIDE; of <= POOL; of++) {
        for (int32_t i = 0; i < network->layer_count; i++) {
            if (!name_in(network, (family)of, i, found)) continue;
            const size_t length = strlen(list);
            snprintf(list + length, sizeof list - length, "%s, ", found);
        }
    }
    return mbn_fail(error, MBN_INVALID_ARGUMENT,
                    "%s has no stage '%.64s'; there are %sand layers such as %s", network->name,
                    name, list, network->layers[0].name);
}

mbn_status mbn_network_stage(const mbn_network *network, const char *name, mbn_stage_info *stage,
                             mbn_error *error) {
    const char *null = network == NULL ? "network"
                       : name == NULL  ? "name"
                       : stage == NULL ? "stage"
                                       : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    mbn_stage_info found;
    for (int of = 0; of < FAMILY_COUNT; of++) {
        for (int32_t i = 0; i < network->layer_count; i++) {
            if (!name_in(network, (family)of, i, found.name) || strcmp(found.name, name) != 0) {
                continue;
            }
            describe(network, i, &found);
            *stage = found;
            return MBN_OK;
        }
    }
    return fail_unknown(network, name, error);
}
