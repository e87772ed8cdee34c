#include "kernels/contract.h"
#include "scalar.h"

/* A convolution whose kernel is one pixel, and whose input is blocked like its output. */
void mbn_scalar_pointwise(const mbn_pointwise_args *args, mbn_range range) {
    mbn_assert_pointwise(args, range);
    mbn_scalar_convolution(
        &(mbn_convolution_args){
            .input = args->input,
            .input_row_stride = args->input_row_stride,
            .input_block_stride = args->input_block_stride,
            .input_block = args->block,
            .weights = args->weights,
            .bias = args->bias,
            .residual = args->residual,
            .residual_row_stride = args->residual_row_stride,
            .residual_block_stride = args->residual_block_stride,
            .output = args->output,
            .output_row_stride = args->output_row_stride,
            .output_block_stride = args->output_block_stride,
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
            .block = args->block,
            .panel = args->panel,
            .activation = args->activation,
        },
        range);
}
