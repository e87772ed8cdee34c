#include "kernels/contract.h"
#include "row.h"

static void depthwise_row(const mbn_depthwise_args *args, int32_t b, int32_t oy) {
    const int32_t block = args->blocking.block, stride = args->stride_horizontal;
    const element *weights = weights_of(&args->operands, b);
    run r;
    for (int32_t ox = 0; ox < args->output_width; ox = r.pixels.end) {
        run_begin(&r, bias_of(&args->operands, b), ox, args->output_width, block);
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            const int32_t iy = oy * args->stride_vertical + ky - args->pad_top;
            if (iy < 0 || iy >= args->input_height) continue;
            for (int32_t i = 0; i < args->kernel_width; i++) {
                const int32_t kx = in_turn(i, args->kernel_width);
                const int32_t offset = kx - args->pad_left;
                const span reached = outputs_inside(offset, stride, args->input_width, r.pixels);
                if (reached.begin >= reached.end) continue;
                const ptrdiff_t column = (ptrdiff_t)reached.begin * stride + offset;
                run_add(&r, reached, row_at(&args->input, b, iy) + column * block,
                        (ptrdiff_t)stride * block, 1,
                        weights + (ptrdiff_t)(ky * args->kernel_width + kx) * block, 1);
            }
        }
        run_end(&r, NULL, args->finish.activation, row_at(&args->output, b, oy));
    }
}

static void depthwise(const mbn_depthwise_args *args, mbn_range range) {
    mbn_assert_depthwise(args, range, sizeof(element));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) depthwise_row(args, b, oy);
    }
}
