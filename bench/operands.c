#include "operands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

void bench_memory_free(bench_memory *memory) {
    for (int i = 0; i < memory->count; i++) free(memory->buffers[i]);
    memory->count = 0;
}

void *bench_bytes(bench_memory *memory, size_t bytes) {
    const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *data = memory->count < BENCH_MAX_BUFFERS ? aligned_alloc(ALIGNMENT, rounded) : NULL;
    if (data == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memory->buffers[memory->count++] = data;
    memset(data, 0, rounded);
    return data;
}

float *bench_floats(bench_memory *memory, size_t count) {
    return bench_bytes(memory, count * sizeof(float));
}

float *bench_random(bench_memory *memory, size_t count) {
    float *data = bench_floats(memory, count);
    uint64_t x = memory->random;
    for (size_t i = 0; i < count; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        data[i] = (float)(int32_t)(x >> 32) * 0x1p-31f;
    }
    memory->random = x;
    return data;
}

const void *bench_weights(bench_memory *memory, const mbn_kernels *kernels, size_t count) {
    const float *floats = bench_random(memory, count);
    if (kernels->element != MBN_ELEMENT_Q8) return floats;
    int16_t *weights = bench_bytes(memory, count * sizeof *weights);
    for (size_t i = 0; i < count; i++) weights[i] = (int16_t)(127.0f * floats[i]);
    return weights;
}

const mbn_quantization bench_quantization = {1.0f / 128, 128, 128, MBN_QUANTIZE_INVERSE};

/* The multiplier for which sums of so many products fill the bytes. */
static float multiplier_for(int32_t products) {
    return 1.0f / (128.0f * sqrtf((float)products));
}

/* Any table will do: which one, no kernel's time depends on. */
static const uint8_t *random_lookup(bench_memory *memory) {
    enum { BYTES = 256 };
    const float *floats = bench_random(memory, BYTES);
    uint8_t *lookup = bench_bytes(memory, BYTES);
    for (int i = 0; i < BYTES; i++) lookup[i] = (uint8_t)(128.0f + 127.0f * floats[i]);
    return lookup;
}

mbn_finish bench_finish(bench_memory *memory, const mbn_kernels *kernels, const mbn_layer *layer) {
    if (kernels->element != MBN_ELEMENT_Q8) return (mbn_finish){.activation = layer->activation};
    const int32_t zero = bench_quantization.zero;
    const mbn_byte_range all = {(uint8_t)zero, 0, 255};
    mbn_q8_finish *finish = bench_bytes(memory, sizeof *finish);
    *finish = (mbn_q8_finish){
        .multiplier = {.real = multiplier_for(1)},
        .input_zero = zero,
        .gate_zero = zero,
        .range = all,
        .mean = {.kind = MBN_MEAN_FLOAT,
                 .input_scale = bench_quantization.scale,
                 .output_scale = bench_quantization.scale,
                 .origin = 128},
    };
    const mbn_activation_kind activation = layer->activation.kind;
    if (activation == MBN_ACTIVATION_HARD_SWISH || activation == MBN_ACTIVATION_HARD_SIGMOID) {
        finish->lookup = random_lookup(memory);
    }
    if (activation == MBN_ACTIVATION_RELU || activation == MBN_ACTIVATION_RELU6) {
        finish->range.zero = 0; /* as those have that are clamped there */
    }
    if (layer->residual >= 0) {
        mbn_q8_add *add = bench_bytes(memory, sizeof *add);
        *add = (mbn_q8_add){
            .multiplier = {{.fixed = 700001}, {.fixed = 600001}},
            .output = {.shift = 20},
            .zero = {zero, zero},
            .range = all,
        };
        finish->add = add;
    }
    return (mbn_finish){.q8 = finish};
}

mbn_plane bench_output_plane(bench_memory *memory, const mbn_kernels *kernels, int32_t channels,
                             int32_t height, int32_t width) {
    const int32_t block = kernels->blocking.block;
    const ptrdiff_t row = (ptrdiff_t)width * block * kernels->element_bytes;
    const size_t bytes = (size_t)mbn_block_count(channels, block) * (size_t)(height * row);
    return (mbn_plane){bench_bytes(memory, bytes), row, height * row};
}

/* Random values, converted by the table itself to planes of so many channels side by side. */
static void fill(bench_memory *memory, const mbn_kernels *kernels, mbn_plane plane, int32_t block,
                 int32_t channels, int32_t height, int32_t width) {
    const mbn_layout_args args = {
        .blocked = plane,
        .strided = bench_random(memory, (size_t)height * (size_t)width * (size_t)channels),
        .channel_stride = 1,
        .strided_row_stride = (ptrdiff_t)width * channels,
        .pixel_stride = channels,
        .height = height,
        .width = width,
        .channels = channels,
        .blocking = {block, kernels->blocking.panel, kernels->blocking.depth},
        .quantization = bench_quantization,
    };
    kernels->to_blocked(&args, bench_whole(height, channels, block));
    free(memory->buffers[--memory->count]);
}

mbn_plane bench_input_plane(bench_memory *memory, const mbn_kernels *kernels, int32_t channels,
                            int32_t height, int32_t width) {
    const mbn_plane plane = bench_output_plane(memory, kernels, channels, height, width);
    fill(memory, kernels, plane, kernels->blocking.block, channels, height, width);
    return plane;
}

int32_t bench_image_block(const mbn_kernels *kernels, const mbn_layer *layer) {
    if (kernels->reads_floats) return layer->input_channels;
    return mbn_image_block(kernels, layer->input_channels, layer->kernel_height,
                           layer->kernel_width, layer->stride_horizontal);
}

mbn_plane bench_image_plane(bench_memory *memory, const mbn_kernels *kernels,
                            const mbn_layer *layer, int32_t height, int32_t width) {
    const int32_t block = bench_image_block(kernels, layer);
    const size_t count = (size_t)height * (size_t)width * (size_t)block;
    const int32_t bytes = kernels->reads_floats ? (int32_t)sizeof(float) : kernels->element_bytes;
    const ptrdiff_t row = (ptrdiff_t)width * block * bytes;
    if (kernels->reads_floats) return (mbn_plane){bench_random(memory, count), row, height * row};
    const mbn_plane plane = {bench_bytes(memory, count * (size_t)bytes), row, height * row};
    fill(memory, kernels, plane, block, layer->input_channels, height, width);
    return plane;
}

/* The layer's input, its padding around it as zeros. */
static mbn_plane haloed_plane(bench_memory *memory, const mbn_kernels *kernels,
                              const mbn_layer *layer) {
    const int32_t height = layer->pad_top + layer->input_height + layer->pad_bottom;
    const int32_t width = layer->pad_left + layer->input_width + layer->pad_right;
    const mbn_plane plane =
        bench_output_plane(memory, kernels, layer->input_channels, height, width);
    const ptrdiff_t pixel = (ptrdiff_t)kernels->blocking.block * kernels->element_bytes;
    mbn_plane inside = plane;
    inside.data = (char *)plane.data + layer->pad_top * plane.row_stride + layer->pad_left * pixel;
    fill(memory, kernels, inside, kernels->blocking.block, layer->input_channels,
         layer->input_height, layer->input_width);
    return plane;
}

/* The plane that a layer adds to its output, or none. */
static mbn_plane residual_plane(bench_memory *memory, const mbn_kernels *kernels,
                                const mbn_layer *layer) {
    if (layer->residual < 0) return (mbn_plane){0};
    return bench_input_plane(memory, kernels, layer->output_channels, layer->output_height,
                             layer->output_width);
}

const mbn_kernels *bench_vectors(const mbn_kernels *kernels) {
    return kernels->vectors != NULL ? kernels->vectors : kernels;
}

/* What q8 has for each channel: no bias, and a multiplier. */
static const void *packed_channels(bench_memory *memory, const mbn_kernels *kernels,
                                   int32_t channels, int32_t products, size_t *bytes) {
    int32_t *bias = bench_bytes(memory, (size_t)channels * sizeof *bias);
    mbn_multiplier *multipliers = bench_bytes(memory, (size_t)channels * sizeof *multipliers);
    for (int32_t c = 0; c < channels; c++) multipliers[c].real = multiplier_for(products);
    const mbn_pack_channels_args args = {
        .bias = bias,
        .multipliers = multipliers,
        .channels = channels,
        .blocking = kernels->blocking,
    };
    *bytes = kernels->pack_channels(&args, NULL);
    void *packed = bench_bytes(memory, *bytes);
    kernels->pack_channels(&args, packed);
    return packed;
}

/* A random bias. */
static const void *packed_bias(bench_memory *memory, const mbn_kernels *kernels, int32_t channels,
                               size_t *bytes) {
    const int32_t block = kernels->blocking.block;
    const size_t count = (size_t)mbn_block_count(channels, block) * (size_t)block;
    float *bias = bench_floats(memory, count);
    mbn_pack_vector(bench_random(memory, (size_t)channels), channels, block, bias);
    *bytes = count * sizeof *bias;
    return bias;
}

/* Packed weights of so many bytes, and what goes with them.  products: of one output. */
static mbn_operands operands_of(bench_memory *memory, const mbn_kernels *kernels,
                                const void *weights, size_t bytes, int32_t channels,
                                int32_t products) {
    const size_t blocks = (size_t)mbn_block_count(channels, kernels->blocking.block);
    size_t bias_bytes;
    const void *bias = kernels->element == MBN_ELEMENT_Q8
                           ? packed_channels(memory, kernels, channels, products, &bias_bytes)
                           : packed_bias(memory, kernels, channels, &bias_bytes);
    return (mbn_operands){
        .weights = weights,
        .bias = bias,
        .weights_stride = (ptrdiff_t)(bytes / blocks),
        .bias_stride = (ptrdiff_t)(bias_bytes / blocks),
    };
}

mbn_operands bench_packed_operands(bench_memory *memory, const mbn_kernels *kernels,
                                   int32_t output_channels, int32_t input_channels,
                                   int32_t kernel_height, int32_t kernel_width,
                                   int32_t input_block) {
    const ptrdiff_t taps = (ptrdiff_t)kernel_height * kernel_width;
    const mbn_pack_convolution_args args = {
        .weights =
            bench_weights(memory, kernels, (size_t)(output_channels * input_channels * taps)),
        .output_stride = input_channels * taps,
        .input_stride = taps,
        .row_stride = kernel_width,
        .column_stride = 1,
        .output_channels = output_channels,
        .input_channels = input_channels,
        .kernel_height = kernel_height,
        .kernel_width = kernel_width,
        .blocking = kernels->blocking,
        .input_block = input_block,
    };
    const size_t bytes = kernels->pack_convolution(&args, NULL);
    void *packed = bench_bytes(memory, bytes);
    kernels->pack_convolution(&args, packed);
    return operands_of(memory, kernels, packed, bytes, output_channels,
                       (int32_t)taps * input_channels);
}

static mbn_operands packed_depthwise(bench_memory *memory, const mbn_kernels *kernels,
                                     const mbn_layer *layer) {
    const ptrdiff_t taps = (ptrdiff_t)layer->kernel_height * layer->kernel_width;
    const mbn_pack_depthwise_args args = {
        .weights = bench_weights(memory, kernels, (size_t)(layer->input_channels * taps)),
        .channel_stride = taps,
        .row_stride = layer->kernel_width,
        .column_stride = 1,
        .channels = layer->input_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .blocking = kernels->blocking,
    };
    const size_t bytes = kernels->pack_depthwise(&args, NULL);
    void *packed = bench_bytes(memory, bytes);
    kernels->pack_depthwise(&args, packed);
    return operands_of(memory, kernels, packed, bytes, layer->output_channels, (int32_t)taps);
}

mbn_range bench_whole(int32_t height, int32_t channels, int32_t block) {
    return (mbn_range){0, height, 0, mbn_block_count(channels, block)};
}

mbn_pointwise_args bench_pointwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer) {
    const int32_t height = layer->output_height, width = layer->output_width;
    return (mbn_pointwise_args){
        .input = bench_input_plane(memory, kernels, layer->input_channels, height, width),
        .residual = residual_plane(memory, kernels, layer),
        .output = bench_output_plane(memory, kernels, layer->output_channels, height, width),
        .operands = bench_packed_operands(memory, kernels, layer->output_channels,
                                          layer->input_channels, 1, 1, 0),
        .finish = bench_finish(memory, kernels, layer),
        .height = height,
        .width = width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .blocking = kernels->blocking,
    };
}

mbn_depthwise_args bench_depthwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer, bool halo) {
    return (mbn_depthwise_args){
        .input = halo ? haloed_plane(memory, kernels, layer)
                      : bench_input_plane(memory, kernels, layer->input_channels,
                                          layer->input_height, layer->input_width),
        .output = bench_output_plane(memory, kernels, layer->output_channels, layer->output_height,
                                     layer->output_width),
        .operands = packed_depthwise(memory, kernels, layer),
        .finish = bench_finish(memory, kernels, layer),
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
        .blocking = kernels->blocking,
    };
}

mbn_convolution_args bench_convolution_args(bench_memory *memory, const mbn_kernels *kernels,
                                            const mbn_layer *layer) {
    const mbn_kernels *source =
        kernels->reads_floats ? mbn_kernels_best(MBN_ELEMENT_F32, 1u << kernels->isa) : kernels;
    const bool image = layer->input_channels <= 4;
    const bool halo = !image || kernels->element == MBN_ELEMENT_Q8; /* as in networks */
    const int32_t height = layer->input_height + (halo ? layer->pad_top + layer->pad_bottom : 0);
    const int32_t width = layer->input_width + (halo ? layer->pad_left + layer->pad_right : 0);
    const int32_t input_block = image ? bench_image_block(kernels, layer) : source->blocking.block;
    return (mbn_convolution_args){
        .input = image ? bench_image_plane(memory, kernels, layer, height, width)
                       : haloed_plane(memory, source, layer),
        .residual = residual_plane(memory, kernels, layer),
        .output = bench_output_plane(memory, kernels, layer->output_channels, layer->output_height,
                                     layer->output_width),
        .operands =
            bench_packed_operands(memory, kernels, layer->output_channels, layer->input_channels,
                                  layer->kernel_height, layer->kernel_width, input_block),
        .finish = bench_finish(memory, kernels, layer),
        .input_block = input_block,
        .input_height = height,
        .input_width = width,
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
        .blocking = kernels->blocking,
    };
}

mbn_depthwise_fn *bench_depthwise_function(const mbn_kernels *kernels, const mbn_layer *layer) {
    return kernels->depthwise[layer->kernel_height == 5][layer->stride_vertical - 1]
                             [layer->stride_horizontal - 1];
}

double bench_layer_bytes(const mbn_kernels *kernels, const mbn_layer *layer) {
    const double input = (double)layer->input_height * layer->input_width * layer->input_channels;
    const double output =
        (double)layer->output_height * layer->output_width * layer->output_channels;
    const double biases = layer->weights > 0 ? sizeof(float) * (double)layer->output_channels : 0;
    const double element = kernels->element_bytes;
    double reads = element, writes = element;
    if (layer->kind == MBN_LAYER_FULLY_CONNECTED) {
        reads = writes = bench_vectors(kernels)->element_bytes;
    } else if (layer->kind == MBN_LAYER_GLOBAL_POOL) {
        writes = bench_vectors(kernels)->element_bytes;
    } else if (layer->kind == MBN_LAYER_CONVOLUTION && kernels->reads_floats) {
        reads = sizeof(float);
    }
    return reads * input + writes * output + (layer->residual >= 0 ? element * output : 0) +
           element * (double)layer->weights + biases;
}
