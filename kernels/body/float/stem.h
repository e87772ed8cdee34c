/* The stem of v3: one vector of outputs, 3x3 taps at stride 2 over 3 channels, IMAGE_STEPS steps.
 * With a broadcast for every multiply-add it would be bound by loads, so what two pixels read is
 * loaded once: every other column is the last of one pixel's and the first of the next one's.  A
 * tile is four runs of four pixels side by side, whose multiply-adds do not wait for each other's;
 * the 9 weights of a row of taps stay in registers. */
enum { STEM_RUNS = 4, STEM_RUN = 4, STEM_PIXELS = STEM_RUNS * STEM_RUN };

/* column_stride: bytes between neighbouring inputs, a constant.  The first and the last column may
 * lie outside the plane. */
MBN_INLINE void stem_tile(const mbn_convolution_args *args, const epilogue *e,
                          ptrdiff_t column_stride, taps inside_taps, ptrdiff_t input_offset,
                          int32_t oy, int32_t ox) {
    const ptrdiff_t step_stride =
        column_stride == IMAGE_BYTES ? args->input.block_stride : OPERAND_BYTES;
    const char *weights = args->operands.weights;
    vec acc[16][4];
    MBN_UNROLL
    for (int32_t p = 0; p < STEM_PIXELS; p++) {
        acc[p][0] = vec_load(args->operands.bias);
    }
    for (int32_t ky = inside_taps.y_begin; ky < inside_taps.y_end; ky++) {
        const char *row = mbn_at(&args->input, input_offset + ky * args->input.row_stride);
        operand w[3][IMAGE_STEPS];
        MBN_UNROLL
        for (int32_t kx = 0; kx < 3; kx++) {
            MBN_UNROLL
            for (int32_t c = 0; c < IMAGE_STEPS; c++) {
                w[kx][c] = operand_load(weights + ((ky * 3 + kx) * IMAGE_STEPS + c) * STEP_BYTES);
            }
        }
        MBN_UNROLL
        for (int32_t j = 0; j <= 2 * STEM_RUN; j++) {
            const int32_t p = j / 2;
            MBN_UNROLL
            for (int32_t c = 0; c < IMAGE_STEPS; c++) {
                MBN_UNROLL
                for (int32_t run = 0; run < STEM_RUNS; run++) {
                    vec(*const sum)[4] = acc + run * STEM_RUN + p;
                    if (j == 0 && run == 0 && inside_taps.x_begin > 0) continue;
                    if (j == 2 * STEM_RUN && run == STEM_RUNS - 1 && inside_taps.x_end < 3)
                        continue;
                    const operand x = operand_broadcast(
                        row + (2 * STEM_RUN * run + j) * column_stride + c * step_stride);
                    if (j % 2 == 1) {
                        sum[0][0] = operand_dot(x, w[1][c], sum[0][0]);
                    } else {
                        if (j > 0) sum[-1][0] = operand_dot(x, w[2][c], sum[-1][0]);
                        if (p < STEM_RUN) sum[0][0] = operand_dot(x, w[0][c], sum[0][0]);
                    }
                }
            }
        }
    }
    finish_convolution(args, e, true, STEM_PIXELS, 1, acc, 0, oy, ox);
}
