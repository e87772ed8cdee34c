#include "operands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

void bench_memory_free(bench_memory *memory) {
    for (int i = 0; i < memory->count; i++) free(memory->buffers[i]);
    memory->count = 0;
}

float *bench_floats(bench_memory *memory, size_t count) {
    const size_t bytes = (count * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    float *data = memory->count < BENCH_MAX_BUFFERS ? aligned_alloc(ALIGNMENT, bytes) : NULL;
    if (data == NULL) {
        fprintf(stderr, "no memory for %zu floats\n", count);
        exit(1);
    }
    memory->buffers[memory->count++] = data;
    memset(data, 0, bytes);
    return data;
}

static void fill(bench_memory *memory, float *data, size_t count) {
    uint64_t x = memory->random;
    for (size_t i = 0; i < count; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        data[i] = (float)(int32_t)(x >> 32) * 0x1p-31f;
    }
    memory->random = x;
}

float *bench_random(bench_memory *memory, size_t count) {
    float *data = bench_floats(memory, count);
    fill(memory, data, count);
    return data;
}

static size_t plane_floats(int32_t channels, int32_t height, int32_t width, int32_t block) {
    return (size_t)mbn_block_count(channels, block) * (size_t)block * (size_t)height *
           (size_t)width;
}

bench_plane bench_output_plane(bench_memory *memory, int32_t channels, int32_t height,
                               int32_t width, int32_t block) {
    return (bench_plane){bench_floats(memory, plane_floats(channels, height, width, block)),
                         (ptrdiff_t)width * block, (ptrdiff_t)height * width * block};
}

bench_plane bench_input_plane(bench_memory *memory, int32_t channels, int32_t height, int32_t width,
                              int32_t block) {
    bench_plane plane = bench_output_plane(memory, channels, height, width, block);
    fill(memory, plane.data, plane_floats(channels, height, width, block));
    return plane;
}

/* The layer's input, its padding around it as zeros. */
static bench_plane haloed_plane(bench_memory *memory, const mbn_layer *layer, int32_t block) {
    const int32_t height = layer->pad_top + layer->input_height + layer->pad_bottom;
    const int32_t width = layer->pad_left + layer->input_width + layer->pad_right;
    bench_plane plane = bench_output_plane(memory, layer->input_channels, height, width, block);
    const int32_t blocks = mbn_block_count(layer->input_channels, block);
    for (int32_t b = 0; b < blocks; b++) {
        for (int32_t y = layer->pad_top; y < layer->pad_top + layer->input_height; y++) {
            fill(memory,
                 plane.data + b * plane.block_stride + y * plane.row_stride +
                     (ptrdiff_t)layer->pad_left * block,
                 (size_t)layer->input_width * (size_t)block);
        }
    }
    return plane;
}

/* The plane that a layer adds to its output, or NULL. */
static bench_plane residual_plane(bench_memory *memory, const mbn_layer *layer, int32_t block) {
    if (layer->residual < 0) return (bench_plane){0};
    return bench_input_plane(memory, layer->output_channels, layer->output_height,
                             layer->output_width, block);
}

float *bench_packed_weights(bench_memory *memory, const mbn_kernels *kernels,
                            int32_t output_channels, int32_t input_channels, int32_t kernel_height,
                            int32_t kernel_width) {
    const ptrdiff_t taps = (ptrdiff_t)kernel_height * kernel_width;
    const mbn_pack_convolution_args args = {
        .weights = bench_random(memory, (size_t)(output_channels * input_channels * taps)),
        .output_stride = input_channels * taps,
        .input_stride = taps,
        .row_stride = kernel_width,
        .column_stride = 1,
        .output_channels = output_channels,
        .input_channels = input_channels,
        .kernel_height = kernel_height,
        .kernel_width = kernel_width,
        .block = kernels->block,
        .panel = kernels->panel,
    };
    float *packed = bench_floats(memory, mbn_packed_convolution_size(output_channels,
                                                                     input_channels, kernel_height,
                                                                     kernel_width, kernels->block));
    mbn_pack_convolution(&args, packed);
    return packed;
}

float *bench_packed_vector(bench_memory *memory, const mbn_kernels *kernels, int32_t channels) {
    float *packed = bench_floats(memory, plane_floats(channels, 1, 1, kernels->block));
    mbn_pack_vector(bench_random(memory, (size_t)channels), channels, kernels->block, packed);
    return packed;
}

mbn_range bench_whole(int32_t height, int32_t channels, int32_t block) {
    return (mbn_range){0, height, 0, mbn_block_count(channels, block)};
}

mbn_pointwise_args bench_pointwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer) {
    const int32_t height = layer->output_height, width = layer->output_width;
    const int32_t block = kernels->block;
    const bench_plane input =
        bench_input_plane(memory, layer->input_channels, height, width, block);
    const bench_plane output =
        bench_output_plane(memory, layer->output_channels, height, width, block);
    const bench_plane residual = residual_plane(memory, layer, block);
    return (mbn_pointwise_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .weights = bench_packed_weights(memory, kernels, layer->output_channels,
                                        layer->input_channels, 1, 1),
        .bias = bench_packed_vector(memory, kernels, layer->output_channels),
        .residual = residual.data,
        .residual_row_stride = residual.row_stride,
        .residual_block_stride = residual.block_stride,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .height = height,
        .width = width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .block = block,
        .panel = kernels->panel,
        .activation = layer->activation,
    };
}

static float *packed_depthwise(bench_memory *memory, const mbn_kernels *kernels,
                               const mbn_layer *layer) {
    const ptrdiff_t taps = (ptrdiff_t)layer->kernel_height * layer->kernel_width;
    const mbn_pack_depthwise_args args = {
        .weights = bench_random(memory, (size_t)(layer->input_channels * taps)),
        .channel_stride = taps,
        .row_stride = layer->kernel_width,
        .column_stride = 1,
        .channels = layer->input_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .block = kernels->block,
    };
    float *packed =
        bench_floats(memory, mbn_packed_depthwise_size(layer->input_channels, layer->kernel_height,
                                                       layer->kernel_width, kernels->block));
    mbn_pack_depthwise(&args, packed);
    return packed;
}

mbn_depthwise_args bench_depthwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer, bool halo) {
    const int32_t block = kernels->block;
    const bench_plane input =
        halo ? haloed_plane(memory, layer, block)
             : bench_input_plane(memory, layer->input_channels, layer->input_height,
                                 layer->input_width, block);
    const bench_plane output = bench_output_plane(memory, layer->output_channels,
                                                  layer->output_height, layer->output_width, block);
    return (mbn_depthwise_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .weights = packed_depthwise(memory, kernels, layer),
        .bias = bench_packed_vector(memory, kernels, layer->output_channels),
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = layer->input_height + (halo ? layer->pad_top + layer->pad_bottom : 0),
        .input_width = layer->input_width + (halo ? layer->pad_left + layer->pad_right : 0),
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .pad_top = halo ? 0 : layer->pad_top,
        .pad_left = halo ? 0 : layer->pad_left,
        .block = block,
        .activation = layer->activation,
    };
}

mbn_convolution_args bench_convolution_args(bench_memory *memory, const mbn_kernels *kernels,
                                            const mbn_layer *layer) {
    const int32_t block = kernels->block;
    const bool halo = layer->input_channels > 4;
    const int32_t input_block = halo ? block : layer->input_channels;
    const bench_plane input =
        halo ? haloed_plane(memory, layer, block)
             : bench_input_plane(memory, layer->input_channels, layer->input_height,
                                 layer->input_width, input_block);
    const bench_plane output = bench_output_plane(memory, layer->output_channels,
                                                  layer->output_height, layer->output_width, block);
    const bench_plane residual = residual_plane(memory, layer, block);
    return (mbn_convolution_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .input_block = input_block,
        .weights =
            bench_packed_weights(memory, kernels, layer->output_channels, layer->input_channels,
                                 layer->kernel_height, layer->kernel_width),
        .bias = bench_packed_vector(memory, kernels, layer->output_channels),
        .residual = residual.data,
        .residual_row_stride = residual.row_stride,
        .residual_block_stride = residual.block_stride,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = layer->input_height + (halo ? layer->pad_top + layer->pad_bottom : 0),
        .input_width = layer->input_width + (halo ? layer->pad_left + layer->pad_right : 0),
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .pad_top = halo ? 0 : layer->pad_top,
        .pad_left = halo ? 0 : layer->pad_left,
        .block = block,
        .panel = kernels->panel,
        .activation = layer->activation,
    };
}

mbn_depthwise_fn *bench_depthwise_function(const mbn_kernels *kernels, const mbn_layer *layer) {
    return kernels->depthwise[layer->kernel_height == 5][layer->stride_vertical - 1]
                             [layer->stride_horizontal - 1];
}

double bench_layer_bytes(const mbn_layer *layer) {
    const double input = (double)layer->input_height * layer->input_width * layer->input_channels;
    const double output =
        (double)layer->output_height * layer->output_width * layer->output_channels;
    const bool weighted = layer->weights > 0;
    return sizeof(float) * (input + output + (layer->residual >= 0 ? output : 0) +
                            (weighted ? (double)layer->weights + layer->output_channels : 0));
}
