/* The same by an instruction that sums products of pairs: two taps of a row at a time, with the
 * last one of three or five alone.  A pixel is in two pairs, as the first and as the second, so
 * each has to be put together from memory once for every column. */

/* Arguments as of the tile above; weights: [kernel][pairs of taps]. */
MBN_INLINE void depthwise_tile(int32_t rows, int32_t columns, int32_t kernel, int32_t vertical,
                               int32_t horizontal, const char *input, ptrdiff_t input_row_stride,
                               const depthwise_block *block, const epilogue *e, char *output,
                               ptrdiff_t output_row_stride) {
    const int32_t last = kernel - 1;                               /* the tap that is alone */
    const int32_t whole = (columns - 1) * horizontal + kernel - 3; /* the last whole pair */
    vec acc[2][16][4]; /* a tile of one vector for each row */
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) acc[r][c][0] = block->bias;
    }
    MBN_UNROLL
    for (int32_t iy = 0; iy < (rows - 1) * vertical + kernel; iy++) {
        const char *line = input + iy * input_row_stride;
        operand pairs[17], single[16];
        MBN_UNROLL
        for (int32_t x = 0; x <= whole; x += horizontal) {
            pairs[x] = pair_load(line + x * PIXEL_BYTES);
        }
        MBN_UNROLL
        for (int32_t c = 0; c < columns; c++) {
            const int32_t x = c * horizontal + last;
            single[c] = x <= whole ? pair_first(pairs[x]) : pair_load_first(line + x * PIXEL_BYTES);
        }
        MBN_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            const int32_t ky = iy - r * vertical;
            if (ky < 0 || ky >= kernel) continue;
            MBN_UNROLL
            for (int32_t kx = 0; kx < kernel; kx += 2) {
                const operand w =
                    operand_load(block->weights + (ky * steps_of(kernel) + kx / 2) * STEP_BYTES);
                MBN_UNROLL
                for (int32_t c = 0; c < columns; c++) {
                    const operand x = kx == last ? single[c] : pairs[c * horizontal + kx];
                    acc[r][c][0] = operand_dot(x, w, acc[r][c][0]);
                }
            }
        }
    }
    MBN_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        store_tile(e, false, columns, 0, 1, acc[r], output + r * output_row_stride, 0);
    }
}
