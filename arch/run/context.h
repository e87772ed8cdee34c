/* A context, from the inside. */
#ifndef MBN_ARCH_CONTEXT_H
#define MBN_ARCH_CONTEXT_H

#include "arch/plan/plan.h"
#include "arch/system/threads.h"

/* One allocation: this structure, the network at the context's size, the plan, the arena and
 * the preprocessed image.  For images side by side there are contexts inside, of one thread
 * each. */
struct mbn_context {
    const mbn_model *model;
    mbn_allocator allocator;
    size_t bytes, arena_bytes;
    mbn_network network;
    mbn_preprocessing preprocessing; /* for this size */
    mbn_value *values;
    mbn_step *steps;
    int32_t step_count;
    int32_t *stages; /* [stage_count] layers that mbn_features writes */
    int32_t stage_count;
    float *image;          /* mbn_input_floats: NHWC */
    void *scratch;         /* of preprocessing: the arena */
    mbn_threads *threads;  /* NULL: the caller's thread alone */
    mbn_context **singles; /* [single_count] contexts for images side by side */
    int32_t single_count;
};

/* Floats of one image inside the network. */
static inline size_t mbn_input_floats(const mbn_network *network) {
    return (size_t)network->input_height * (size_t)network->input_width *
           (size_t)network->input_channels;
}

/* What running, features and profile share. */
mbn_status mbn_check_run(const mbn_context *context, const void *input, int32_t batch,
                         const void *output, mbn_error *error);
void mbn_context_set_image(mbn_context *context, const float *image, mbn_tensor_layout layout);
mbn_layout_args mbn_context_export(const mbn_step *step, mbn_tensor_layout layout, float *output);
/* Calls body, which runs steps, once the context's threads are there for it. */
void mbn_context_gather(const mbn_context *context, void (*body)(void *argument), void *argument);
void mbn_context_run_step(const mbn_context *context, int32_t index);
mbn_status mbn_check_layout(mbn_tensor_layout layout, mbn_error *error);
mbn_status mbn_check_threads(const mbn_context *context, mbn_error *error);

#endif
