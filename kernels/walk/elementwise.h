/* Elementwise kernels: pixel by pixel of every channel block.
 *
 * The body gives elementwise_pixel and what the pixels of a block share. */
#ifndef MBN_KERNELS_WALK_ELEMENTWISE_H
#define MBN_KERNELS_WALK_ELEMENTWISE_H

#include "kernels/inline.h"

MBN_INLINE void elementwise(const mbn_elementwise_args *args, mbn_range range,
                            enum elementwise_kind kind) {
    assert(args->blocking.block == BLOCK);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const elementwise_block block = elementwise_block_of(args, kind, b);
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const char *input = mbn_row_at(&args->input, b, y);
            const char *other = kind == ADD ? mbn_row_at(&args->other, b, y) : input;
            char *output = mbn_row_at(&args->output, b, y);
            for (ptrdiff_t x = 0; x < (ptrdiff_t)args->width * PIXEL_BYTES; x += PIXEL_BYTES) {
                elementwise_pixel(&block, kind, input + x, other + x, output + x);
            }
        }
    }
}

static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_batch_norm(args, range, ELEMENT_BYTES);
    elementwise(args, range, BATCH_NORM);
}

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, ELEMENT_BYTES);
    elementwise(args, range, CHANNEL_SCALE);
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, ELEMENT_BYTES);
    elementwise(args, range, ADD);
}

#endif
