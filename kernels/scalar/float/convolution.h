#include "kernels/contract.h"
#include "row.h"

/* Adds one tap's products to a run.  weights: of the block's first lane, input channel 0; offset:
 * of the tap from the first column of an output's. */
static void add_tap(const mbn_convolution_args *args, int32_t iy, int32_t offset,
                    const element *weights, int32_t panel_lanes, run *r) {
    const int32_t depth = args->blocking.depth, block = args->input_block;
    const int32_t stride = args->stride_horizontal;
    const span reached = outputs_inside(offset, stride, args->input_width, r->pixels);
    if (reached.begin >= reached.end) return;
    const ptrdiff_t column = ((ptrdiff_t)reached.begin * stride + offset) * block;
    for (int32_t i = 0; i < args->input_channels; i++) {
        const int32_t c = in_turn(i, args->input_channels);
        run_add(r, reached, row_at(&args->input, c / block, iy) + column + c % block,
                (ptrdiff_t)stride * block, 0,
                weights + (ptrdiff_t)(c / depth) * panel_lanes * depth + c % depth, depth);
    }
}

static void convolution_row(const mbn_convolution_args *args, const element *weights,
                            int32_t panel_lanes, int32_t b, int32_t oy) {
    const int32_t depth = args->blocking.depth;
    const ptrdiff_t tap = (ptrdiff_t)mbn_block_count(args->input_channels, depth) * depth;
    const element *residual = args->residual.data == NULL ? NULL : row_at(&args->residual, b, oy);
    run r;
    for (int32_t ox = 0; ox < args->output_width; ox = r.pixels.end) {
        run_begin(&r, bias_of(&args->operands, b), ox, args->output_width, args->blocking.block);
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            const int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
            if (iy < 0 || iy >= args->input_height) continue;
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                add_tap(args, iy, kx - args->pad_left,
                        weights + (ky * args->kernel_width + kx) * tap * panel_lanes, panel_lanes,
                        &r);
            }
        }
        run_end(&r, residual, args->finish.activation, row_at(&args->output, b, oy));
    }
}

static void convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, sizeof(element), sizeof(element));
    const int32_t blocks = mbn_block_count(args->output_channels, args->blocking.block);
    const ptrdiff_t block_weights = (ptrdiff_t)args->blocking.block * args->blocking.depth;
    for (int32_t first = range.block_begin, width; first < range.block_end; first += width) {
        width = mbn_panel_width(blocks - first, args->blocking.panel);
        const element *weights = weights_of(&args->operands, first);
        for (int32_t b = first; b < first + width; b++, weights += block_weights) {
            for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
                convolution_row(args, weights, width * args->blocking.block, b, oy);
            }
        }
    }
}
