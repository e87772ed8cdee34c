/* Models to classify with; tensors from .npy files as a network's input. */
#ifndef MBN_TOOLS_INPUT_H
#define MBN_TOOLS_INPUT_H

#include "npy.h"

/* mbn_model_load, which fails for a model without a classifier. */
mbn_status mbn_load_classifier(const char *path, const mbn_model_options *options,
                               mbn_model **model, mbn_error *error);

/* Checks that the array is (N, height, width, 3), and creates a context of its size with the other
 * options. */
mbn_status mbn_input_context(const mbn_model *model, const mbn_npy *input,
                             const mbn_context_options *options, mbn_context **context,
                             mbn_error *error);

#endif
