#include "kernels/contract.h"
#include "row.h"
#include "scalar.h"

/* weights: those of input channel 0 at tap (0, 0) for the block's lanes; the next input channel's
 * are `panel_lanes` further. */
static void convolution_row(const mbn_convolution_args *args, const float *weights,
                            int32_t panel_lanes, int32_t b, int32_t oy) {
    int32_t block = args->block;
    float *row = args->output + b * args->output_block_stride + oy * args->output_row_stride;

    row_begin(row, args->bias + (ptrdiff_t)b * block, args->output_width, block);
    for (int32_t ky = 0; ky < args->kernel_height; ky++) {
        int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
        if (iy < 0 || iy >= args->input_height) continue;
        for (int32_t kx = 0; kx < args->kernel_width; kx++) {
            int32_t offset = kx - args->pad_left;
            span s = outputs_inside(offset, args->stride_horizontal, args->input_width,
                                    args->output_width);
            if (s.begin >= s.end) continue;
            int32_t ix = s.begin * args->stride_horizontal + offset;
            const float *pixel =
                args->input + iy * args->input_row_stride + (ptrdiff_t)ix * args->input_block;
            ptrdiff_t tap = ((ptrdiff_t)ky * args->kernel_width + kx) * args->input_channels;
            for (int32_t c = 0; c < args->input_channels; c++) {
                row_add_products(row + (ptrdiff_t)s.begin * block,
                                 pixel + c / args->input_block * args->input_block_stride +
                                     c % args->input_block,
                                 (ptrdiff_t)args->stride_horizontal * args->input_block, 0,
                                 weights + (tap + c) * panel_lanes, s.end - s.begin, block);
            }
        }
    }
    const float *residual =
        args->residual == NULL
            ? NULL
            : args->residual + b * args->residual_block_stride + oy * args->residual_row_stride;
    row_end(row, residual, args->output_width * block, args->activation);
}

void mbn_scalar_convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range);
    int32_t blocks = mbn_block_count(args->output_channels, args->block);
    ptrdiff_t depth = (ptrdiff_t)args->kernel_height * args->kernel_width * args->input_channels;
    for (int32_t first = range.block_begin, width; first < range.block_end; first += width) {
        width = mbn_panel_width(blocks - first, args->panel);
        const float *weights = args->weights + first * args->block * depth;
        for (int32_t b = first; b < first + width; b++, weights += args->block) {
            for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
                convolution_row(args, weights, width * args->block, b, oy);
            }
        }
    }
}
