/* Weights from a framework's layout to the float32 kernels' (mobilenet/kernels.h), for any
 * blocking. */
#include <mobilenet/kernels.h>

#include <assert.h>

/* Input channels that are packed together: a cache line of a framework's [N][K], and few enough
 * lines of its [K][N] to stay in L1 whatever the stride.  A multiple of every depth. */
enum { PACK_CHANNELS = 16 };

static int32_t round_up(int32_t count, int32_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/* The part of a panel that belongs to one tap, [input channel / depth][lane][depth]: the weights of
 * the output channels [first, first + lanes). */
static void pack_tap(const mbn_pack_convolution_args *args, const float *tap, int32_t first,
                     int32_t lanes, float *packed) {
    const int32_t channels = args->input_channels, depth = args->blocking.depth;
    const int32_t rounded = round_up(channels, depth);
    for (int32_t begin = 0; begin < rounded; begin += PACK_CHANNELS) {
        const int32_t end = rounded - begin < PACK_CHANNELS ? rounded : begin + PACK_CHANNELS;
        const int32_t real_end = end < channels ? end : channels;
        for (int32_t lane = 0; lane < lanes; lane++) {
            const int32_t n = first + lane;
            float *out = packed + (ptrdiff_t)begin * lanes + (ptrdiff_t)lane * depth;
            int32_t c = begin;
            if (n < args->output_channels) {
                const float scale = args->scale != NULL ? args->scale[n] : 1.0f;
                const float *in = tap + n * args->output_stride + begin * args->input_stride;
                for (; c < real_end; c++, in += args->input_stride) {
                    out[c % depth] = *in * scale;
                    if ((c + 1) % depth == 0) out += (ptrdiff_t)lanes * depth;
                }
            }
            for (; c < end; c++) {
                out[c % depth] = 0.0f;
                if ((c + 1) % depth == 0) out += (ptrdiff_t)lanes * depth;
            }
        }
    }
}

size_t mbn_pack_convolution(const mbn_pack_convolution_args *args, void *packed) {
    const mbn_blocking blocking = args->blocking;
    assert(blocking.block >= 1 && blocking.depth >= 1 && PACK_CHANNELS % blocking.depth == 0);
    const int32_t blocks = mbn_block_count(args->output_channels, blocking.block);
    const int32_t tap_channels = round_up(args->input_channels, blocking.depth);
    float *out = packed;
    for (int32_t b = 0, width; packed != NULL && b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, blocking.panel);
        const int32_t lanes = width * blocking.block;
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                const float *tap = args->weights + ky * args->row_stride + kx * args->column_stride;
                pack_tap(args, tap, b * blocking.block, lanes, out);
                out += (ptrdiff_t)lanes * tap_channels;
            }
        }
    }
    return (size_t)blocks * (size_t)blocking.block * (size_t)args->kernel_height *
           (size_t)args->kernel_width * (size_t)tap_channels * sizeof(float);
}

size_t mbn_pack_depthwise(const mbn_pack_depthwise_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t padded_channels = mbn_block_count(args->channels, block) * block;
    float *out = packed;
    for (int32_t first = 0; packed != NULL && first < padded_channels; first += block) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                for (int32_t c = first; c < first + block; c++) {
                    float weight = 0.0f;
                    if (c < args->channels) {
                        weight = args->weights[c * args->channel_stride + ky * args->row_stride +
                                               kx * args->column_stride];
                        if (args->scale != NULL) weight *= args->scale[c];
                    }
                    *out++ = weight;
                }
            }
        }
    }
    return (size_t)padded_channels * (size_t)args->kernel_height * (size_t)args->kernel_width *
           sizeof(float);
}
