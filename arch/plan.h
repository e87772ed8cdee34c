/* From layers to steps: where every layer's output lives, and which kernel computes it with which
 * arguments. */
#ifndef MBN_ARCH_PLAN_H
#define MBN_ARCH_PLAN_H

#include "model.h"

/* A layer's output in the arena: a blocked plane with the halo of zeros that its readers want. */
typedef struct mbn_value {
    int32_t owner; /* the layer whose memory it is: its own index, or that of the layer whose output
                      it is computed in place of */
    int32_t last_use; /* last layer that reads it; the network's last output is used for ever */
    int32_t height, width, channels;
    int32_t halo_top, halo_left, halo_bottom, halo_right;
    ptrdiff_t row_stride, block_stride; /* floats */
    size_t floats;
    size_t offset; /* of the halo's first float, in floats from the arena's start */
    bool placed;   /* offset is set */
} mbn_value;

/* A kernel with its arguments, and how its output is cut into tasks: row_tasks bands of rows times
 * block_tasks groups of channel blocks. */
typedef struct mbn_step {
    int32_t layer;
    mbn_layer_kind kind;
    int32_t rows, blocks;
    int32_t row_tasks, block_tasks;
    int32_t panel; /* block ranges are cut at borders of panels of this width */
    union {
        mbn_pointwise_fn *pointwise;
        mbn_depthwise_fn *depthwise;
        mbn_convolution_fn *convolution;
        mbn_elementwise_fn *elementwise;
        mbn_pool_fn *pool;
        mbn_fully_connected_fn *fully_connected;
    } run;
    union {
        mbn_pointwise_args pointwise;
        mbn_depthwise_args depthwise;
        mbn_convolution_args convolution;
        mbn_elementwise_args elementwise;
        mbn_pool_args pool;
        mbn_fully_connected_args fully_connected;
    } args;
    const mbn_value *output; /* its halo is cleared by the tasks that compute it */
    float *output_base;      /* the halo's first float */
} mbn_step;

/* Lays out values[layer_count] and returns the arena's size in floats. */
size_t mbn_plan_values(const mbn_network *network, const mbn_kernels *kernels, mbn_value *values);

/* Fills steps[layer_count], one per layer in order.  The arguments of the first layer lack the
 * image's address and strides, which change from run to run. */
void mbn_plan_steps(const mbn_network *network, const mbn_kernels *kernels,
                    const mbn_layer_weights *weights, const mbn_value *values, float *arena,
                    int32_t threads, mbn_step *steps);

/* The part of a step that task number `task` of row_tasks * block_tasks computes. */
mbn_range mbn_step_range(const mbn_step *step, size_t task);

#endif
