#include "networks.h"

#include <criterion/criterion.h>

mbn_network *make_network(const mbn_network_options *options) {
    mbn_network *network = NULL;
    mbn_error error;
    const mbn_status status = mbn_network_create(options, &network, &error);
    cr_assert_eq(status, MBN_OK, "%s: %s", options->network, error.message);
    cr_assert_not_null(network);
    return network;
}

const mbn_layer *find_layer(const mbn_network *network, int32_t block, mbn_layer_role role) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->block == block && layer->role == role) return layer;
    }
    cr_assert_fail("%s: no layer of role %d in block %d", network->name, (int)role, (int)block);
    return NULL;
}

int32_t count_layers(const mbn_network *network, mbn_layer_role role) {
    int32_t count = 0;
    for (int32_t i = 0; i < network->layer_count; i++) count += network->layers[i].role == role;
    return count;
}
