/* Behind convolution.h. */

/* A convolution of one pixel. */
static void fully_connected(const mbn_fully_connected_args *args, mbn_range range) {
    mbn_assert_fully_connected(args, range);
    const ptrdiff_t block = args->blocking.block;
    convolution(
        &(mbn_convolution_args){
            .input = {(void *)args->input, block, block}, /* which is not written to */
            .output = {args->output, block, block},
            .operands = args->operands,
            .finish = args->finish,
            .input_block = args->blocking.block,
            .input_height = 1,
            .input_width = 1,
            .output_height = 1,
            .output_width = 1,
            .input_channels = args->input_channels,
            .output_channels = args->output_channels,
            .kernel_height = 1,
            .kernel_width = 1,
            .stride_vertical = 1,
            .stride_horizontal = 1,
            .blocking = args->blocking,
        },
        (mbn_range){0, 1, range.block_begin, range.block_end});
}
