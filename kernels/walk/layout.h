/* Conversion between planes and strided floats: row by row of every channel block.
 *
 * The body gives convert_row. */
#ifndef MBN_KERNELS_WALK_LAYOUT_H
#define MBN_KERNELS_WALK_LAYOUT_H

#include "kernels/inline.h"

MBN_INLINE void convert(const mbn_layout_args *args, mbn_range range, bool to_blocked) {
    mbn_assert_layout(args, range, ELEMENT_BYTES);
    assert(args->blocking.block == BLOCK || (to_blocked && !READS_FLOATS));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            convert_row(args, to_blocked, b, y);
        }
    }
}

static void to_blocked(const mbn_layout_args *args, mbn_range range) {
    convert(args, range, true);
}

static void from_blocked(const mbn_layout_args *args, mbn_range range) {
    convert(args, range, false);
}

#endif
