#include "kernels/contract.h"
#include "row.h"

static void convolution_row(const mbn_convolution_args *args, const int16_t *weights,
                            int32_t panel_lanes, int32_t b, int32_t oy) {
    const int32_t depth = args->blocking.depth, block = args->input_block;
    const ptrdiff_t tap = (ptrdiff_t)mbn_block_count(args->input_channels, depth) * depth;
    const element *residual = args->residual.data == NULL ? NULL : row_at(&args->residual, b, oy);
    run r;
    for (int32_t ox = 0; ox < args->output_width; ox = r.pixels.end) {
        run_begin(&r, &args->operands, args->finish.q8, b, ox, args->output_width);
        for (int32_t t = 0; t < args->kernel_height * args->kernel_width; t++) {
            const int32_t ky = t / args->kernel_width, kx = t % args->kernel_width;
            const int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
            const bool inside = 0 <= iy && iy < args->input_height;
            for (int32_t c = 0; c < args->input_channels; c++) {
                run_add(&r, inside ? row_at(&args->input, c / block, iy) + c % block : NULL,
                        kx - args->pad_left, args->stride_horizontal, args->input_width, block, 0,
                        weights + (t * tap + c / depth * depth) * panel_lanes + c % depth, depth);
            }
        }
        run_end(&r, residual, row_at(&args->output, b, oy));
    }
}

static void convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, sizeof(element), sizeof(element));
    mbn_assert_q8_finish(args->finish.q8, args->residual.data != NULL);
    assert(args->blocking.block == LANES);
    const int32_t blocks = mbn_block_count(args->output_channels, LANES);
    for (int32_t first = range.block_begin, width; first < range.block_end; first += width) {
        width = mbn_panel_width(blocks - first, args->blocking.panel);
        const int16_t *weights = (const void *)mbn_weights_at(&args->operands, first);
        for (int32_t b = first; b < first + width; b++, weights += LANES * args->blocking.depth) {
            for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
                convolution_row(args, weights, width * LANES, b, oy);
            }
        }
    }
}
