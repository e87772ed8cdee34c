/* What the tests of networks share. */
#ifndef MBN_TESTS_NETWORKS_H
#define MBN_TESTS_NETWORKS_H

#include <mobilenet.h>

/* The network, or a failed test. */
mbn_network *make_network(const mbn_network_options *options);

/* The first layer of that role in a block (-1: outside of blocks), or a failed test. */
const mbn_layer *find_layer(const mbn_network *network, int32_t block, mbn_layer_role role);

/* The number of layers of that role. */
int32_t count_layers(const mbn_network *network, mbn_layer_role role);

#endif
