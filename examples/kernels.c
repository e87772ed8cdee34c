/* kernels: a depthwise-separable pair (3x3 depthwise, then 1x1) from the table of kernels alone,
 * without a network, beside the same in plain loops, on every instruction set that this machine
 * has.
 *
 * Kernels work on channel-blocked planes and packed weights (mobilenet/kernels.h); here both are
 * made from NHWC images and PyTorch's weights. */
#include <mobilenet/kernels.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEIGHT = 28, WIDTH = 28, INPUTS = 40, OUTPUTS = 72, PLANE = HEIGHT * WIDTH };

static const mbn_activation relu6 = {MBN_ACTIVATION_RELU6, 0.0F, 0.0F};

/* In the layouts of the frameworks. */
struct pair {
    float image[PLANE * INPUTS];       /* [height][width][channels] */
    float depthwise[INPUTS * 9];       /* [channels][3][3] */
    float pointwise[OUTPUTS * INPUTS]; /* [outputs][inputs] */
    float bias[OUTPUTS];
};

static void fill(float *values, int count, unsigned *state) {
    for (int i = 0; i < count; i++) {
        *state = *state * 1664525u + 1013904223u;
        values[i] = (float)(*state >> 8) * 0x1p-23F - 1.0F; /* -1 to 1 */
    }
}

static float clamp(float x) {
    return x < 0.0F ? 0.0F : x > 6.0F ? 6.0F : x;
}

/* The definition. */
static void compute_plainly(const struct pair *p, float *output) {
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++, output += OUTPUTS) {
            float filtered[INPUTS];
            for (int c = 0; c < INPUTS; c++) {
                float sum = 0.0F;
                for (int ky = 0; ky < 3; ky++) {
                    for (int kx = 0; kx < 3; kx++) {
                        const int row = y + ky - 1, column = x + kx - 1;
                        if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH) continue;
                        sum += p->image[(row * WIDTH + column) * INPUTS + c] *
                               p->depthwise[c * 9 + ky * 3 + kx];
                    }
                }
                filtered[c] = clamp(sum);
            }
            for (int n = 0; n < OUTPUTS; n++) {
                float sum = p->bias[n];
                for (int c = 0; c < INPUTS; c++) sum += filtered[c] * p->pointwise[n * INPUTS + c];
                output[n] = clamp(sum);
            }
        }
    }
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) abort();
    return memory;
}

/* Without a halo.  Strides are in bytes. */
static mbn_plane new_plane(const mbn_kernels *kernels, int channels) {
    const int block = kernels->blocking.block;
    const ptrdiff_t row = WIDTH * block * kernels->element_bytes;
    const int32_t blocks = mbn_block_count(channels, block);
    return (mbn_plane){allocate((size_t)(blocks * HEIGHT * row)), row, HEIGHT * row};
}

static float *pack_bias(const mbn_kernels *kernels, const float *values, int channels) {
    const int32_t block = kernels->blocking.block, blocks = mbn_block_count(channels, block);
    float *bias = allocate((size_t)(blocks * block) * sizeof *bias);
    mbn_pack_vector(values, channels, block, bias);
    return bias;
}

/* Packed weights of so many bytes and a bias: what a channel block has of them is a stride. */
static mbn_operands operands_of(const mbn_kernels *kernels, const void *weights, size_t bytes,
                                const float *bias, int channels) {
    const int32_t block = kernels->blocking.block;
    return (mbn_operands){
        .weights = weights,
        .bias = bias,
        .weights_stride = (ptrdiff_t)(bytes / (size_t)mbn_block_count(channels, block)),
        .bias_stride = block * (ptrdiff_t)sizeof *bias,
    };
}

/* Packing is done once.  Without memory to write to, a packer returns the bytes that it needs. */
static mbn_operands pack_depthwise(const mbn_kernels *kernels, const struct pair *p) {
    const mbn_pack_depthwise_args args = {
        .weights = p->depthwise,
        .channel_stride = 9,
        .row_stride = 3,
        .column_stride = 1,
        .channels = INPUTS,
        .kernel_height = 3,
        .kernel_width = 3,
        .blocking = kernels->blocking,
    };
    const size_t bytes = kernels->pack_depthwise(&args, NULL);
    void *weights = allocate(bytes);
    kernels->pack_depthwise(&args, weights);
    return operands_of(kernels, weights, bytes, pack_bias(kernels, NULL, INPUTS), INPUTS);
}

static mbn_operands pack_pointwise(const mbn_kernels *kernels, const struct pair *p) {
    const mbn_pack_convolution_args args = {
        .weights = p->pointwise,
        .output_stride = INPUTS,
        .input_stride = 1,
        .output_channels = OUTPUTS,
        .input_channels = INPUTS,
        .kernel_height = 1,
        .kernel_width = 1,
        .blocking = kernels->blocking,
    };
    const size_t bytes = kernels->pack_convolution(&args, NULL);
    void *weights = allocate(bytes);
    kernels->pack_convolution(&args, weights);
    return operands_of(kernels, weights, bytes, pack_bias(kernels, p->bias, OUTPUTS), OUTPUTS);
}

/* Between [height][width][channels] and the blocked plane. */
static mbn_layout_args layout_of(const mbn_kernels *kernels, mbn_plane blocked, float *image,
                                 int channels) {
    return (mbn_layout_args){
        .blocked = blocked,
        .strided = image,
        .channel_stride = 1,
        .strided_row_stride = WIDTH * channels,
        .pixel_stride = channels,
        .height = HEIGHT,
        .width = WIDTH,
        .channels = channels,
        .blocking = kernels->blocking,
    };
}

/* All rows and channel blocks at once; threads would take a part of the range each. */
static mbn_range whole(const mbn_kernels *kernels, int channels) {
    return (mbn_range){0, HEIGHT, 0, mbn_block_count(channels, kernels->blocking.block)};
}

static void compute_with(const mbn_kernels *kernels, struct pair *p, float *output) {
    const mbn_plane input = new_plane(kernels, INPUTS), filtered = new_plane(kernels, INPUTS);
    const mbn_plane result = new_plane(kernels, OUTPUTS);

    const mbn_layout_args in = layout_of(kernels, input, p->image, INPUTS);
    kernels->to_blocked(&in, whole(kernels, INPUTS));

    const mbn_depthwise_args depthwise = {
        .input = input,
        .output = filtered,
        .operands = pack_depthwise(kernels, p),
        .finish = {.activation = relu6},
        .input_height = HEIGHT,
        .input_width = WIDTH,
        .output_height = HEIGHT,
        .output_width = WIDTH,
        .channels = INPUTS,
        .kernel_height = 3,
        .kernel_width = 3,
        .stride_vertical = 1,
        .stride_horizontal = 1,
        .pad_top = 1,
        .pad_left = 1,
        .blocking = kernels->blocking,
    };
    /* [3x3][stride 1 down][stride 1 across] */
    kernels->depthwise[0][0][0](&depthwise, whole(kernels, INPUTS));

    const mbn_pointwise_args pointwise = {
        .input = filtered,
        .output = result,
        .operands = pack_pointwise(kernels, p),
        .finish = {.activation = relu6},
        .height = HEIGHT,
        .width = WIDTH,
        .input_channels = INPUTS,
        .output_channels = OUTPUTS,
        .blocking = kernels->blocking,
    };
    kernels->pointwise(&pointwise, whole(kernels, OUTPUTS));

    const mbn_layout_args out = layout_of(kernels, result, output, OUTPUTS);
    kernels->from_blocked(&out, whole(kernels, OUTPUTS));

    const mbn_operands *const packed[] = {&depthwise.operands, &pointwise.operands};
    for (int i = 0; i < 2; i++) {
        free((void *)packed[i]->weights);
        free((void *)packed[i]->bias);
    }
    free(result.data);
    free(filtered.data);
    free(input.data);
}

int main(void) {
    static struct pair p;
    static float expected[PLANE * OUTPUTS], output[PLANE * OUTPUTS];
    unsigned state = 1;
    fill(p.image, PLANE * INPUTS, &state);
    fill(p.depthwise, INPUTS * 9, &state);
    fill(p.pointwise, OUTPUTS * INPUTS, &state);
    fill(p.bias, OUTPUTS, &state);
    compute_plainly(&p, expected);

    int failures = 0;
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        const mbn_kernels *kernels = mbn_kernels_for(MBN_ELEMENT_F32, (mbn_isa)isa);
        if (kernels == NULL || (mbn_isa_usable() >> isa & 1u) == 0) continue;
        compute_with(kernels, &p, output);
        double worst = 0;
        for (int i = 0; i < PLANE * OUTPUTS; i++) {
            const double difference = fabs((double)output[i] - (double)expected[i]);
            if (!(difference <= worst)) worst = difference;
        }
        printf("%-7s  blocks of %2d channels, off by at most %.1e\n", kernels->name,
               (int)kernels->blocking.block, worst);
        if (!(worst < 1e-4)) failures++;
    }
    return failures == 0 ? 0 : 1;
}
