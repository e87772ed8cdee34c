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

/* Rows of `width` pixels of `pixel_bytes` do not run into each other. */
static inline bool mbn_valid_plane(const mbn_plane *plane, int32_t height, int32_t width,
                                   int32_t pixel_bytes) {
    return plane->data != NULL && height >= 1 && width >= 1 &&
           (height == 1 || plane->row_stride >= (ptrdiff_t)width * pixel_bytes);
}

static inline bool mbn_valid_operands(const mbn_operands *operands) {
    return operands->weights != NULL && operands->bias != NULL && operands->weights_stride > 0 &&
           operands->bias_stride > 0;
}

/* Arguments of a table whose panels are `blocking`; a kernel of any layout passes its arguments'
 * own. */
static inline bool mbn_same_blocking(mbn_blocking a, mbn_blocking b) {
    return a.block == b.block && a.panel == b.panel && a.depth == b.depth;
}

static inline void mbn_assert_pointwise(const mbn_pointwise_args *args, mbn_range range,
                                        int32_t element_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(mbn_valid_plane(&args->input, args->height, args->width, pixel));
    assert(mbn_valid_plane(&args->output, args->height, args->width, pixel));
    assert(args->residual.data == NULL ||
           mbn_valid_plane(&args->residual, args->height, args->width, pixel));
    assert(mbn_valid_operands(&args->operands) && args->input_channels >= 1);
    assert(mbn_valid_rows(range, args->height));
    assert(
        mbn_valid_panels(range, args->output_channels, args->blocking.block, args->blocking.panel));
    assert(mbn_valid_activation(args->finish.activation));
    (void)args, (void)range, (void)pixel;
}

static inline void mbn_assert_depthwise(const mbn_depthwise_args *args, mbn_range range,
                                        int32_t element_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(mbn_valid_plane(&args->input, args->input_height, args->input_width, pixel));
    assert(mbn_valid_plane(&args->output, args->output_height, args->output_width, pixel));
    assert(mbn_valid_operands(&args->operands));
    assert(args->kernel_height >= 1 && args->kernel_width >= 1);
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    assert(args->pad_top >= 0 && args->pad_left >= 0);
    assert(mbn_valid_rows(range, args->output_height));
    assert(mbn_valid_blocks(range, args->channels, args->blocking.block));
    assert(mbn_valid_activation(args->finish.activation));
    (void)args, (void)range, (void)pixel;
}

/* input_bytes: of an element of the input, which may be the image's floats. */
static inline void mbn_assert_convolution(const mbn_convolution_args *args, mbn_range range,
                                          int32_t element_bytes, int32_t input_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(args->input_block >= 1);
    assert(mbn_valid_plane(&args->input, args->input_height, args->input_width,
                           args->input_block * input_bytes));
    assert(mbn_valid_plane(&args->output, args->output_height, args->output_width, pixel));
    assert(args->residual.data == NULL ||
           mbn_valid_plane(&args->residual, args->output_height, args->output_width, pixel));
    assert(mbn_valid_operands(&args->operands) && args->input_channels >= 1);
    assert(args->kernel_height >= 1 && args->kernel_width >= 1);
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    assert(mbn_valid_rows(range, args->output_height));
    assert(
        mbn_valid_panels(range, args->output_channels, args->blocking.block, args->blocking.panel));
    assert(mbn_valid_activation(args->finish.activation));
    (void)args, (void)range, (void)pixel, (void)input_bytes;
}

/* The operands that only some elementwise kernels have are theirs to assert. */
static inline void mbn_assert_elementwise(const mbn_elementwise_args *args, mbn_range range,
                                          int32_t element_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(mbn_valid_plane(&args->input, args->height, args->width, pixel));
    assert(mbn_valid_plane(&args->output, args->height, args->width, pixel));
    assert(mbn_valid_rows(range, args->height));
    assert(mbn_valid_blocks(range, args->channels, args->blocking.block));
    (void)args, (void)range, (void)pixel;
}

static inline void mbn_assert_batch_norm(const mbn_elementwise_args *args, mbn_range range,
                                         int32_t element_bytes) {
    mbn_assert_elementwise(args, range, element_bytes);
    assert(args->scale != NULL && args->shift != NULL);
    assert(mbn_valid_activation(args->finish.activation));
}

static inline void mbn_assert_channel_scale(const mbn_elementwise_args *args, mbn_range range,
                                            int32_t element_bytes) {
    mbn_assert_elementwise(args, range, element_bytes);
    assert(args->scale != NULL);
}

static inline void mbn_assert_add(const mbn_elementwise_args *args, mbn_range range,
                                  int32_t element_bytes) {
    mbn_assert_elementwise(args, range, element_bytes);
    assert(mbn_valid_plane(&args->other, args->height, args->width,
                           args->blocking.block * element_bytes));
    assert(mbn_valid_activation(args->finish.activation));
}

static inline void mbn_assert_global_average_pool(const mbn_pool_args *args, mbn_range range,
                                                  int32_t element_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(mbn_valid_plane(&args->input, args->input_height, args->input_width, pixel));
    assert(args->output.data != NULL);
    assert(mbn_valid_blocks(range, args->channels, args->blocking.block));
    (void)args, (void)range, (void)pixel;
}

static inline void mbn_assert_max_pool(const mbn_pool_args *args, mbn_range range,
                                       int32_t element_bytes) {
    const int32_t pixel = args->blocking.block * element_bytes;
    assert(mbn_valid_plane(&args->input, args->input_height, args->input_width, pixel));
    assert(mbn_valid_plane(&args->output, args->output_height, args->output_width, pixel));
    assert(args->stride_vertical >= 1 && args->stride_horizontal >= 1);
    /* Every window reaches into the plane. */
    assert(0 <= args->pad_top && args->pad_top < args->window_height);
    assert(0 <= args->pad_left && args->pad_left < args->window_width);
    assert((args->output_height - 1) * args->stride_vertical - args->pad_top < args->input_height);
    assert((args->output_width - 1) * args->stride_horizontal - args->pad_left < args->input_width);
    assert(mbn_valid_rows(range, args->output_height));
    assert(mbn_valid_blocks(range, args->channels, args->blocking.block));
    (void)args, (void)range, (void)pixel;
}

static inline void mbn_assert_fully_connected(const mbn_fully_connected_args *args,
                                              mbn_range range) {
    assert(args->input != NULL && args->output != NULL);
    assert(mbn_valid_operands(&args->operands) && args->input_channels >= 1);
    assert(
        mbn_valid_panels(range, args->output_channels, args->blocking.block, args->blocking.panel));
    assert(mbn_valid_activation(args->finish.activation));
    (void)args, (void)range;
}

/* adds: the kernel has a residual or another plane. */
static inline void mbn_assert_q8_finish(const mbn_q8_finish *finish, bool adds) {
    assert(finish != NULL);
    assert(finish->rescaling <= MBN_RESCALE_DOUBLE && finish->range.low <= finish->range.high);
    assert(0 <= finish->input_zero && finish->input_zero <= 255);
    assert(!adds || (finish->add != NULL && finish->add->kind <= MBN_ADD_FIXED));
    (void)finish, (void)adds;
}

static inline void mbn_assert_softmax(const mbn_softmax_args *args) {
    assert(args->input != NULL && args->output != NULL && args->count >= 1);
    (void)args;
}

static inline void mbn_assert_layout(const mbn_layout_args *args, mbn_range range,
                                     int32_t element_bytes) {
    assert(mbn_valid_plane(&args->blocked, args->height, args->width,
                           args->blocking.block * element_bytes));
    assert(args->strided != NULL);
    assert(mbn_valid_rows(range, args->height));
    assert(mbn_valid_blocks(range, args->channels, args->blocking.block));
    (void)args, (void)range, (void)element_bytes;
}

#endif
