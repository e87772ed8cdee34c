#include "kernels/contract.h"
#include "row.h"

static void depthwise_row(const mbn_depthwise_args *args, int32_t b, int32_t oy) {
    const int16_t *weights = (const void *)mbn_weights_at(&args->operands, b);
    run r;
    for (int32_t ox = 0; ox < args->output_width; ox = r.pixels.end) {
        run_begin(&r, &args->operands, args->finish.q8, b, ox, args->output_width);
        for (int32_t t = 0; t < args->kernel_height * args->kernel_width; t++) {
            const int32_t ky = t / args->kernel_width, kx = t % args->kernel_width;
            const int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
            const bool inside = 0 <= iy && iy < args->input_height;
            run_add(&r, inside ? row_at(&args->input, b, iy) : NULL, kx - args->pad_left,
                    args->stride_horizontal, args->input_width, LANES, 1, weights + t * LANES, 1);
        }
        run_end(&r, NULL, row_at(&args->output, b, oy));
    }
}

static void depthwise(const mbn_depthwise_args *args, mbn_range range) {
    mbn_assert_depthwise(args, range, sizeof(element));
    mbn_assert_q8_finish(args->finish.q8, false);
    assert(args->blocking.block == LANES);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) depthwise_row(args, b, oy);
    }
}
