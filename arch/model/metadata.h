/* A model file's metadata (docs/model-format.md). */
#ifndef MBN_ARCH_METADATA_H
#define MBN_ARCH_METADATA_H

#include "arch/network/architecture.h"
#include "safetensors.h"

#include <jansson.h>

typedef struct mbn_metadata {
    char network[64];
    mbn_network_options options; /* .network points to `network` */
    mbn_preprocessing preprocessing;
    mbn_probability_kind probabilities;
    bool integers;           /* tensors are 8-bit integers, with ... */
    mbn_rescaling rescaling; /* ... MBN_RESCALE_FLOAT or MBN_RESCALE_FIXED, ... */
    mbn_quantizing quantizing;
    mbn_architecture *architecture; /* NULL: the one that the library has of that name */
    json_t *labels;                 /* array of options.classes strings, or NULL */
} mbn_metadata;

/* Free what it read with mbn_metadata_free, after a failure too. */
mbn_status mbn_metadata_read(const mbn_safetensors *file, mbn_metadata *metadata, mbn_error *error);
void mbn_metadata_free(mbn_metadata *metadata);

#endif
