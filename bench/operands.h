/* What kernels work on: aligned memory with random values in [-1, 1], weights through the public
 * packers, arguments made from a network's layer. */
#ifndef BENCH_OPERANDS_H
#define BENCH_OPERANDS_H

#include <mobilenet.h>

enum { BENCH_MAX_BUFFERS = 32 };

/* The buffers of one benchmark.  Starts as {0}.  Allocation never returns NULL: a benchmark without
 * memory ends the program. */
typedef struct bench_memory {
    void *buffers[BENCH_MAX_BUFFERS];
    int count;
    uint64_t random;
} bench_memory;

void bench_memory_free(bench_memory *memory);

void *bench_bytes(bench_memory *memory, size_t bytes);   /* zeros */
float *bench_floats(bench_memory *memory, size_t count); /* zeros */
float *bench_random(bench_memory *memory, size_t count);

/* Weights as the table's packers take them: floats, or of q8 -127 to 127. */
const void *bench_weights(bench_memory *memory, const mbn_kernels *kernels, size_t count);

/* What becomes of a layer's sums: its activation, or of q8 float rescaling, a look-up where the
 * activation is one, and a sum with the residual. */
mbn_finish bench_finish(bench_memory *memory, const mbn_kernels *kernels, const mbn_layer *layer);

/* What the bytes of the planes here stand for, of q8. */
extern const mbn_quantization bench_quantization;

/* Of the table's elements, random, or zeros for an output; without halo. */
mbn_plane bench_input_plane(bench_memory *memory, const mbn_kernels *kernels, int32_t channels,
                            int32_t height, int32_t width);
mbn_plane bench_output_plane(bench_memory *memory, const mbn_kernels *kernels, int32_t channels,
                             int32_t height, int32_t width);

/* Interleaved pixels, random, as a table's convolution reads an image: floats, or its own elements
 * with zeros up to whole steps of its depth, so many side by side. */
mbn_plane bench_image_plane(bench_memory *memory, const mbn_kernels *kernels,
                            const mbn_layer *layer, int32_t height, int32_t width);
int32_t bench_image_block(const mbn_kernels *kernels, const mbn_layer *layer);

/* The table whose elements the vectors of a table have. */
const mbn_kernels *bench_vectors(const mbn_kernels *kernels);

/* [output_channels][input_channels][kernel_height][kernel_width], packed, and a bias. */
mbn_operands bench_packed_operands(bench_memory *memory, const mbn_kernels *kernels,
                                   int32_t output_channels, int32_t input_channels,
                                   int32_t kernel_height, int32_t kernel_width,
                                   int32_t input_block);

/* All rows of the plane, all blocks of its channels. */
mbn_range bench_whole(int32_t height, int32_t channels, int32_t block);

/* Operands of a layer.  halo: the input lies in a plane with its padding around it, as networks
 * run; else the kernel does the borders.  A convolution of up to four channels (the stem) reads
 * interleaved pixels, without halo. */
mbn_pointwise_args bench_pointwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer);
mbn_depthwise_args bench_depthwise_args(bench_memory *memory, const mbn_kernels *kernels,
                                        const mbn_layer *layer, bool halo);
mbn_convolution_args bench_convolution_args(bench_memory *memory, const mbn_kernels *kernels,
                                            const mbn_layer *layer);

mbn_depthwise_fn *bench_depthwise_function(const mbn_kernels *kernels, const mbn_layer *layer);

/* Bytes that any implementation of the table's element types must move: input, weights, biases,
 * output, and the residual. */
double bench_layer_bytes(const mbn_kernels *kernels, const mbn_layer *layer);

#endif
