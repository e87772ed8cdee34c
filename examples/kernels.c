/* kernels: a depthwise-separable pair (3x3 depthwise, then 1x1) from the table of kernels alone,
 * without a network, beside the same in plain loops, on every instruction set that this machine has.
 *
 * Kernels work on channel-blocked planes and packed weights (mobilenet/kernels.h); here both are made
 * from NHWC images and PyTorch's weights. */
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

static float *allocate(size_t floats) {
    float *values = malloc(floats * sizeof *values);
    if (values == NULL) abort();
    return values;
}

/* Floats of a blocked plane, or of a packed vector with one pixel. */
static size_t blocked_floats(int channels, int pixels, int block) {
    return (size_t)(mbn_block_count(channels, block) * block * pixels);
}

/* What is done once: packing. */
struct packed {
    float *depthwise, *no_bias, *pointwise, *bias;
};

static struct packed pack(const mbn_kernels *kernels, const struct pair *p) {
    const int block = kernels->block;
    const struct packed packed = {
        .depthwise = allocate(mbn_packed_depthwise_size(INPUTS, 3, 3, block)),
        .no_bias = allocate(blocked_floats(INPUTS, 1, block)),
        .pointwise = allocate(mbn_packed_convolution_size(OUTPUTS, INPUTS, 1, 1, block)),
        .bias = allocate(blocked_floats(OUTPUTS, 1, block)),
    };
    mbn_pack_depthwise(&(mbn_pack_depthwise_args){.weights = p->depthwise,
                                                  .channel_stride = 9,
                                                  .row_stride = 3,
                                                  .column_stride = 1,
                                                  .channels = INPUTS,
                                                  .kernel_height = 3,
                                                  .kernel_width = 3,
                                                  .block = block},
                       packed.depthwise);
    mbn_pack_vector(NULL, INPUTS, block, packed.no_bias);
    mbn_pack_convolution(&(mbn_pack_convolution_args){.weights = p->pointwise,
                                                      .output_stride = INPUTS,
                                                      .input_stride = 1,
                                                      .output_channels = OUTPUTS,
                                                      .input_channels = INPUTS,
                                                      .kernel_height = 1,
                                                      .kernel_width = 1,
                                                      .block = block,
                                                      .panel = kernels->panel},
                         packed.pointwise);
    mbn_pack_vector(p->bias, OUTPUTS, block, packed.bias);
    return packed;
}

/* Between [height][width][channels] and the blocked plane. */
static mbn_layout_args layout_of(float *blocked, float *image, int channels, int block) {
    return (mbn_layout_args){
        .blocked = blocked,
        .blocked_row_stride = WIDTH * block,
        .blocked_block_stride = PLANE * block,
        .strided = image,
        .channel_stride = 1,
        .strided_row_stride = WIDTH * channels,
        .pixel_stride = channels,
        .height = HEIGHT,
        .width = WIDTH,
        .channels = channels,
        .block = block,
    };
}

/* All rows and channel blocks at once; threads would take a part of the range each. */
static mbn_range whole(int channels, int block) {
    return (mbn_range){0, HEIGHT, 0, mbn_block_count(channels, block)};
}

static void compute_with(const mbn_kernels *kernels, struct pair *p, float *output) {
    const int block = kernels->block;
    const struct packed packed = pack(kernels, p);
    float *input = allocate(blocked_floats(INPUTS, PLANE, block));
    float *filtered = allocate(blocked_floats(INPUTS, PLANE, block));
    float *result = allocate(blocked_floats(OUTPUTS, PLANE, block));

    const mbn_layout_args in = layout_of(input, p->image, INPUTS, block);
    kernels->to_blocked(&in, whole(INPUTS, block));

    const mbn_depthwise_args depthwise = {
        .input = input,
        .input_row_stride = WIDTH * block,
        .input_block_stride = PLANE * block,
        .weights = packed.depthwise,
        .bias = packed.no_bias,
        .output = filtered,
        .output_row_stride = WIDTH * block,
        .output_block_stride = PLANE * block,
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
        .block = block,
        .activation = relu6,
    };
    /* [3x3][stride 1 down][stride 1 across] */
    kernels->depthwise[0][0][0](&depthwise, whole(INPUTS, block));

    const mbn_pointwise_args pointwise = {
        .input = filtered,
        .input_row_stride = WIDTH * block,
        .input_block_stride = PLANE * block,
        .weights = packed.pointwise,
        .bias = packed.bias,
        .output = result,
        .output_row_stride = WIDTH * block,
        .output_block_stride = PLANE * block,
        .height = HEIGHT,
        .width = WIDTH,
        .input_channels = INPUTS,
        .output_channels = OUTPUTS,
        .block = block,
        .panel = kernels->panel,
        .activation = relu6,
    };
    kernels->pointwise(&pointwise, whole(OUTPUTS, block));

    const mbn_layout_args out = layout_of(result, output, OUTPUTS, block);
    kernels->from_blocked(&out, whole(OUTPUTS, block));

    free(result);
    free(filtered);
    free(input);
    free(packed.bias);
    free(packed.pointwise);
    free(packed.no_bias);
    free(packed.depthwise);
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
        if ((mbn_isa_usable() >> isa & 1u) == 0) continue;
        const mbn_kernels *kernels = mbn_kernels_for((mbn_isa)isa);
        compute_with(kernels, &p, output);
        double worst = 0;
        for (int i = 0; i < PLANE * OUTPUTS; i++) {
            const double difference = fabs((double)output[i] - (double)expected[i]);
            if (!(difference <= worst)) worst = difference;
        }
        printf("%-7s  blocks of %2d channels, off by at most %.1e\n", kernels->name,
               (int)kernels->block, worst);
        if (!(worst < 1e-4)) failures++;
    }
    return failures == 0 ? 0 : 1;
}
