/* Fully connected layer: panel by panel.
 *
 * The body gives fully_connected_panel. */
#ifndef MBN_KERNELS_WALK_FULLY_CONNECTED_H
#define MBN_KERNELS_WALK_FULLY_CONNECTED_H

#include "kernels/inline.h"

static void fully_connected(const mbn_fully_connected_args *args, mbn_range range) {
    mbn_assert_fully_connected(args, range);
    assert(mbn_same_blocking(args->blocking, (mbn_blocking){BLOCK, PANEL, DEPTH}));
    const epilogue e = epilogue_of(&args->finish);
    const int32_t blocks = mbn_block_count(args->output_channels, BLOCK);
    for (int32_t b = range.block_begin; b < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - b, PANEL);
        switch (vectors) {
        case 1: fully_connected_panel(args, &e, 1, b); break;
#if PANEL_MAX >= 3
        case 2: fully_connected_panel(args, &e, 2, b); break;
        case 3: fully_connected_panel(args, &e, 3, b); break;
#endif
#if PANEL_MAX >= 4
        case 4: fully_connected_panel(args, &e, 4, b); break;
#endif
        }
        b += vectors;
    }
}

#endif
