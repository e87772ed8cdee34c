/* What kernels assert of their arguments in debug builds, shared by every instruction set. */
#ifndef MBN_KERNELS_CONTRACT_H
#define MBN_KERNELS_CONTRACT_H

#include <mobilenet/kernels.h>

#include <assert.h>
#include <stdbool.h>

static inline bool mbn_valid_activation(mbn_activation activation) {
    return activation.kind >= MBN_ACTIVATION_NONE && activation.kind <= MBN_ACTIVATION_HARD_SWISH;
}

static inline bool mbn_valid_rows(mbn_range range, int32_t rows) {
    return 0 <= range.row_begin && range.row_begin <= range.row_end && range.row_end <= rows;
}

static inline bool mbn_valid_blocks(mbn_range range, int32_t channels, int32_t block) {
    return block >= 1 && 0 <= range.block_begin && range.block_begin <= range.block_end &&
           range.block_end <= mbn_block_count(channels, block);
}

/* Both ends of the range's blocks are borders of panels (the end of the last one included). */
static inline bool mbn_valid_panels(mbn_range range, int32_t channels, int32_t block,
                                    int32_t panel) {
    if (panel != 1 && panel != 2 && panel != 4) return false;
    if (!mbn_valid_blocks(range, channels, block)) return false;
    int32_t blocks = mbn_block_count(channels, block);
    int32_t b = 0;
    while (b < range.block_begin) b += mbn_panel_width(blocks - b, panel);
    if (b != range.block_begin) return false;
    while (b < range.block_end) b += mbn_panel_width(blocks - b, panel);
    return b == range.block_end;
}

/* Rows of `width` pixels of `block` channels do not run into each other. */
static inline bool mbn_valid_plane(const float *data, ptrdiff_t row_stride, int32_t height,
                                   int32_t width, int32_t block) {
    return data != NULL && height >= 1 && width >= 1 &&
           (height == 1 || row_stride >= (ptrdiff_t)width * block);
}

static inline void mbn_assert_pointwise(const mbn_pointwise_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->height, args->width,
                           args->block));
    assert(mbn_valid_plane(args->output, args->output_row_stride, args->height, args->width,
                           args->block));
    assert(args->residual == NULL || mbn_valid_plane(args->residual, args->residual_row_stride,
                                                     args->height, args->width, args->block));
    assert(args->weights != NULL && args->bias != NULL && args->input_channels >= 1);
    assert(mbn_valid_rows(range, args->height));
    assert(mbn_valid_panels(range, args->output_channels, args->block, args->panel));
    assert(mbn_valid_activation(args->activation));
    (void)args, (void)range;
}

static inline void mbn_assert_depthwise(const mbn_depthwise_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->input_height,
                           args->input_width, args->block));
    assert(mbn_valid_plane(args->output, args->output_row_stride, args->output_height,
                           args->output_width, args->block));
    assert(args->weights != NULL && args->bias != NULL);
    assert(args->kernel_height >= 1 && args->kernel_width >= 1);
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    assert(args->pad_top >= 0 && args->pad_left >= 0);
    assert(mbn_valid_rows(range, args->output_height));
    assert(mbn_valid_blocks(range, args->channels, args->block));
    assert(mbn_valid_activation(args->activation));
    (void)args, (void)range;
}

static inline void mbn_assert_convolution(const mbn_convolution_args *args, mbn_range range) {
    assert(args->input_block >= 1);
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->input_height,
                           args->input_width, args->input_block));
    assert(mbn_valid_plane(args->output, args->output_row_stride, args->output_height,
                           args->output_width, args->block));
    assert(args->residual == NULL ||
           mbn_valid_plane(args->residual, args->residual_row_stride, args->output_height,
                           args->output_width, args->block));
    assert(args->weights != NULL && args->bias != NULL && args->input_channels >= 1);
    assert(args->kernel_height >= 1 && args->kernel_width >= 1);
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    assert(mbn_valid_rows(range, args->output_height));
    assert(mbn_valid_panels(range, args->output_channels, args->block, args->panel));
    assert(mbn_valid_activation(args->activation));
    (void)args, (void)range;
}

/* The activation and the operands that only some elementwise kernels have are theirs to assert. */
static inline void mbn_assert_elementwise(const mbn_elementwise_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->height, args->width,
                           args->block));
    assert(mbn_valid_plane(args->output, args->output_row_stride, args->height, args->width,
                           args->block));
    assert(mbn_valid_rows(range, args->height));
    assert(mbn_valid_blocks(range, args->channels, args->block));
    (void)args, (void)range;
}

static inline void mbn_assert_global_average_pool(const mbn_pool_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->input_height,
                           args->input_width, args->block));
    assert(args->output != NULL);
    assert(mbn_valid_blocks(range, args->channels, args->block));
    (void)args, (void)range;
}

static inline void mbn_assert_max_pool(const mbn_pool_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->input, args->input_row_stride, args->input_height,
                           args->input_width, args->block));
    assert(mbn_valid_plane(args->output, args->output_row_stride, args->output_height,
                           args->output_width, args->block));
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    /* Every window reaches into the plane. */
    assert(0 <= args->pad_top && args->pad_top < args->window_height);
    assert(0 <= args->pad_left && args->pad_left < args->window_width);
    assert((args->output_height - 1) * args->stride_vertical - args->pad_top < args->input_height);
    assert((args->output_width - 1) * args->stride_horizontal - args->pad_left < args->input_width);
    assert(mbn_valid_rows(range, args->output_height));
    assert(mbn_valid_blocks(range, args->channels, args->block));
    (void)args, (void)range;
}

static inline void mbn_assert_fully_connected(const mbn_fully_connected_args *args,
                                              mbn_range range) {
    assert(args->input != NULL && args->output != NULL);
    assert(args->weights != NULL && args->bias != NULL && args->input_channels >= 1);
    assert(mbn_valid_panels(range, args->output_channels, args->block, args->panel));
    assert(mbn_valid_activation(args->activation));
    (void)args, (void)range;
}

static inline void mbn_assert_softmax(const mbn_softmax_args *args) {
    assert(args->input != NULL && args->output != NULL && args->count >= 1);
    (void)args;
}

static inline void mbn_assert_layout(const mbn_layout_args *args, mbn_range range) {
    assert(mbn_valid_plane(args->blocked, args->blocked_row_stride, args->height, args->width,
                           args->block));
    assert(args->strided != NULL);
    assert(mbn_valid_rows(range, args->height));
    assert(mbn_valid_blocks(range, args->channels, args->block));
    (void)args, (void)range;
}

#endif
