#include "kernels/contract.h"
#include "row.h"
#include "scalar.h"

static void depthwise_row(const mbn_depthwise_args *args, int32_t b, int32_t oy) {
    int32_t block = args->blocking.block;
    const float *weights = weights_of(&args->operands, b);
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
            row_add_products(row + (ptrdiff_t)s.begin * block,
                             floats_at(&args->input, b, iy) + (ptrdiff_t)ix * block,
                             (ptrdiff_t)args->stride_horizontal * block, 1,
                             weights + (ptrdiff_t)(ky * args->kernel_width + kx) * block,
                             s.end - s.begin, block);
        }
    }
    row_end(row, NULL, args->output_width * block, args->finish.activation);
}

void mbn_scalar_f32_depthwise(const mbn_depthwise_args *args, mbn_range range) {
    mbn_assert_depthwise(args, range, sizeof(float));
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) depthwise_row(args, b, oy);
    }
}
