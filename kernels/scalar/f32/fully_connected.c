#include "activation.h"
#include "kernels/contract.h"
#include "scalar.h"

void mbn_scalar_fully_connected(const mbn_fully_connected_args *args, mbn_range range) {
    mbn_assert_fully_connected(args, range);
    int32_t blocks = mbn_block_count(args->output_channels, args->block);
    for (int32_t b = range.block_begin, width; b < range.block_end; b += width) {
        width = mbn_panel_width(blocks - b, args->panel);
        ptrdiff_t first = (ptrdiff_t)b * args->block;
        int32_t lanes = width * args->block;
        const float *panel = args->weights + first * args->input_channels;
        for (int32_t lane = 0; lane < lanes; lane++) {
            float sum = args->bias[first + lane];
            for (int32_t k = 0; k < args->input_channels; k++) {
                sum += args->input[k] * panel[(ptrdiff_t)k * lanes + lane];
            }
            args->output[first + lane] = activate(sum, args->activation);
        }
    }
}
