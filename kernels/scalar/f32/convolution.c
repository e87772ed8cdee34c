#include "kernels/contract.h"
#include "row.h"
#include "scalar.h"

/* weights: those of input channel 0 at tap (0, 0) for the block's lanes; the next input channel's
 * are `panel_lanes` further. */
static void convolution_row(const mbn_convolution_args *args, const float *weights,
                            int32_t panel_lanes, int32_t b, int32_t oy) {
    int32_t block = args->blocking.block;
    float *row = floats_at(&args->output, b, oy);

    row_begin(row, bias_of(&args->operands, b), args->output_width, block);
    for (int32_t ky = 0; ky < args->kernel_height; ky++) {
        int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
        if (iy < 0 || iy >= args->input_height) continue;
        for (int32_t kx = 0; kx < args->kernel_width; kx++) {
            int32_t offset = kx - args->pad_left;
            span s = outputs_inside(offset, args->stride_horizontal, args->input_width,
                                    args->output_width);
            if (s.begin >= s.end) continue;
            int32_t ix = s.begin * args->stride_horizontal + offset;
            ptrdiff_t tap = ((ptrdiff_t)ky * args->kernel_width + kx) * args->input_channels;
            for (int32_t c = 0; c < args->input_channels; c++) {
                const float *line = floats_at(&args->input, c / args->input_block, iy);
                row_add_products(row + (ptrdiff_t)s.begin * block,
                                 line + (ptrdiff_t)ix * args->input_block + c % args->input_block,
                                 (ptrdiff_t)args->stride_horizontal * args->input_block, 0,
                                 weights + (tap + c) * panel_lanes, s.end - s.begin, block);
            }
        }
    }
    const float *residual = args->residual.data == NULL ? NULL : floats_at(&args->residual, b, oy);
    row_end(row, residual, args->output_width * block, args->finish.activation);
}

void mbn_scalar_f32_convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, sizeof(float), sizeof(float));
    assert(args->blocking.depth == 1);
    int32_t blocks = mbn_block_count(args->output_channels, args->blocking.block);
    for (int32_t first = range.block_begin, width; first < range.block_end; first += width) {
        width = mbn_panel_width(blocks - first, args->blocking.panel);
        const float *weights = weights_of(&args->operands, first);
        for (int32_t b = first; b < first + width; b++, weights += args->blocking.block) {
            for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
                convolution_row(args, weights, width * args->blocking.block, b, oy);
            }
        }
    }
}
