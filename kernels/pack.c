/* Weights and batch norms from a framework's layout to the kernels' (mobilenet/kernels.h). */
#include <mobilenet/kernels.h>

#include <assert.h>
#include <math.h>

int32_t mbn_block_count(int32_t channels, int32_t block) {
    assert(channels >= 0 && block >= 1);
    return channels / block + (channels % block != 0);
}

int32_t mbn_panel_width(int32_t remaining, int32_t panel) {
    assert(remaining >= 1 && (panel == 1 || panel == 2 || panel == 4));
    if (panel > 1 && remaining == panel + 1) return 3;
    return remaining < panel ? remaining : panel;
}

static size_t padded(int32_t channels, int32_t block) {
    return (size_t)mbn_block_count(channels, block) * (size_t)block;
}

size_t mbn_packed_convolution_size(int32_t output_channels, int32_t input_channels,
                                   int32_t kernel_height, int32_t kernel_width, int32_t block) {
    return padded(output_channels, block) * (size_t)kernel_height * (size_t)kernel_width *
           (size_t)input_channels;
}

/* Input channels that are packed together: a cache line of a framework's [N][K], and few enough
 * lines of its [K][N] to stay in L1 whatever the stride. */
enum { PACK_CHANNELS = 16 };

/* The part of a panel that belongs to one tap, [input channel][lane]: the weights of the output
 * channels [first, first + lanes). */
static void pack_tap(const mbn_pack_convolution_args *args, const float *tap, int32_t first,
                     int32_t lanes, float *packed) {
    const int32_t channels = args->input_channels;
    for (int32_t begin = 0; begin < channels; begin += PACK_CHANNELS) {
        const int32_t end = channels - begin < PACK_CHANNELS ? channels : begin + PACK_CHANNELS;
        for (int32_t lane = 0; lane < lanes; lane++) {
            const int32_t n = first + lane;
            float *out = packed + (ptrdiff_t)begin * lanes + lane;
            if (n < args->output_channels) {
                const float scale = args->scale != NULL ? args->scale[n] : 1.0f;
                const float *in = tap + n * args->output_stride + begin * args->input_stride;
                for (int32_t c = begin; c < end; c++, in += args->input_stride, out += lanes) {
                    *out = *in * scale;
                }
            } else {
                for (int32_t c = begin; c < end; c++, out += lanes) *out = 0.0f;
            }
        }
    }
}

void mbn_pack_convolution(const mbn_pack_convolution_args *args, float *packed) {
    int32_t blocks = mbn_block_count(args->output_channels, args->block);
    for (int32_t b = 0, width; b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, args->panel);
        const int32_t lanes = width * args->block;
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                const float *tap = args->weights + ky * args->row_stride + kx * args->column_stride;
                pack_tap(args, tap, b * args->block, lanes, packed);
                packed += (ptrdiff_t)lanes * args->input_channels;
            }
        }
    }
}

size_t mbn_packed_depthwise_size(int32_t channels, int32_t kernel_height, int32_t kernel_width,
                                 int32_t block) {
    return padded(channels, block) * (size_t)kernel_height * (size_t)kernel_width;
}

void mbn_pack_depthwise(const mbn_pack_depthwise_args *args, float *packed) {
    int32_t padded_channels = mbn_block_count(args->channels, args->block) * args->block;
    for (int32_t first = 0; first < padded_channels; first += args->block) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                for (int32_t c = first; c < first + args->block; c++) {
                    float weight = 0.0f;
                    if (c < args->channels) {
                        weight = args->weights[c * args->channel_stride + ky * args->row_stride +
                                               kx * args->column_stride];
                        if (args->scale != NULL) weight *= args->scale[c];
                    }
                    *packed++ = weight;
                }
            }
        }
    }
}

void mbn_pack_vector(const float *values, int32_t channels, int32_t block, float *packed) {
    int32_t padded_channels = mbn_block_count(channels, block) * block;
    for (int32_t c = 0; c < padded_channels; c++) {
        packed[c] = values != NULL && c < channels ? values[c] : 0.0f;
    }
}

void mbn_fold_batch_norm(int32_t channels, const float *gamma, const float *beta, const float *mean,
                         const float *variance, const float *bias, double epsilon, float *scale,
                         float *shift) {
    for (int32_t c = 0; c < channels; c++) {
        double s = (gamma != NULL ? gamma[c] : 1.0) / sqrt(variance[c] + epsilon);
        double b = (bias != NULL ? bias[c] : 0.0) - mean[c];
        scale[c] = (float)s;
        shift[c] = (float)((beta != NULL ? beta[c] : 0.0) + b * s);
    }
}
