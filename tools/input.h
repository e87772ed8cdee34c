/* Tensors from .npy files as a network's input. */
#ifndef MBN_TOOLS_INPUT_H
#define MBN_TOOLS_INPUT_H

#include "npy.h"

/* Checks that the array is (N, height, width, 3), and creates a context of its size with the other
 * options. */
mbn_status mbn_input_context(const mbn_model *model, const mbn_npy *input,
                             const mbn_context_options *options, mbn_context **context,
                             mbn_error *error);

#endif
