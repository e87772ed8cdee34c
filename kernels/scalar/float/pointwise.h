/* Behind convolution.h. */
#include "kernels/contract.h"

/* A convolution whose kernel is one pixel, and whose input is blocked like its output. */
static void pointwise(const mbn_pointwise_args *args, mbn_range range) {
    mbn_assert_pointwise(args, range, sizeof(element));
    convolution(
        &(mbn_convolution_args){
            .input = args->input,
            .residual = args->residual,
            .output = args->output,
            .operands = args->operands,
            .finish = args->finish,
            .input_block = args->blocking.block,
            .input_height = args->height,
            .input_width = args->width,
            .output_height = args->height,
            .output_width = args->width,
            .input_channels = args->input_channels,
            .output_channels = args->output_channels,
            .kernel_height = 1,
            .kernel_width = 1,
            .stride_vertical = 1,
            .stride_horizontal = 1,
            .blocking = args->blocking,
        },
        range);
}
