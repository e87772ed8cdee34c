/* A network beside the same one with standard convolutions: pairs of depthwise and pointwise
 * convolution against the one convolution that could stand in their place. */
#ifndef MBN_TOOLS_COUNT_COMPARE_H
#define MBN_TOOLS_COUNT_COMPARE_H

#include <mobilenet.h>

#include <jansson.h>

/* `standard` was made from the options of `separable` with standard_convolution set. */
void mbn_compare_print(const mbn_network *separable, const mbn_network *standard);

/* NULL when out of memory. */
json_t *mbn_compare_json(const mbn_network *separable, const mbn_network *standard);

#endif
