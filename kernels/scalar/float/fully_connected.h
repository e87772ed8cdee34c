#include "activation.h"
#include "kernels/contract.h"
#include "plane.h"

static void fully_connected(const mbn_fully_connected_args *args, mbn_range range) {
    mbn_assert_fully_connected(args, range);
    const int32_t depth = args->blocking.depth;
    const float *input = args->input;
    const int32_t blocks = mbn_block_count(args->output_channels, args->blocking.block);
    for (int32_t b = range.block_begin, width; b < range.block_end; b += width) {
        width = mbn_panel_width(blocks - b, args->blocking.panel);
        const int32_t lanes = width * args->blocking.block;
        const element *panel = weights_of(&args->operands, b);
        const float *bias = bias_of(&args->operands, b);
        float *output = (float *)args->output + (ptrdiff_t)b * args->blocking.block;
        for (int32_t lane = 0; lane < lanes; lane++) {
            float sum = bias[lane];
            for (int32_t i = 0; i < args->input_channels; i++) {
                const int32_t k = in_turn(i, args->input_channels);
                const ptrdiff_t at = ((ptrdiff_t)(k / depth) * lanes + lane) * depth + k % depth;
                sum += to_float(from_float(input[k])) * to_float(panel[at]);
            }
            output[lane] = activate(sum, args->finish.activation);
        }
    }
}
