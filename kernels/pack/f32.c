/* Weights from a framework's layout to the float32 kernels' (mobilenet/kernels.h), for any
 * blocking. */
#include <mobilenet/kernels.h>

#include <assert.h>

/* What one step of packing covers: input channels, a cache line of a framework's [N][K] and a
 * multiple of every depth, by output channels, as many as every compiler makes a vector of. */
enum { PACK_CHANNELS = 16, PACK_LANES = 4 };

/* Input channels whose row in a framework's [K][N] is fetched ahead: it is far from the last
 * one. */
enum { ROWS_AHEAD = 8 };

static int32_t round_up(int32_t count, int32_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/* The part of a panel that belongs to one tap: [input channel / depth][lane][depth]. */
typedef struct tap {
    const float *weights; /* of the first lane */
    ptrdiff_t output_stride, input_stride;
    const float *scale; /* of the first lane, or NULL */
    int32_t channels, depth;
    int32_t lanes, existing; /* those past the existing ones are zeros */
} tap;

/* Channels [begin, end) of one lane; those past the tap's are zeros. */
static void pack_lane(const tap *t, int32_t lane, int32_t begin, int32_t end, float *packed) {
    const ptrdiff_t step = (ptrdiff_t)t->lanes * t->depth;
    float *out = packed + (ptrdiff_t)begin * t->lanes + (ptrdiff_t)lane * t->depth;
    const bool exists = lane < t->existing;
    const float scale = exists && t->scale != NULL ? t->scale[lane] : 1.0f;
    for (int32_t c = begin; c < end; c++) {
        const ptrdiff_t from = lane * t->output_stride + c * t->input_stride;
        out[c % t->depth] = exists && c < t->channels ? t->weights[from] * scale : 0.0f;
        if ((c + 1) % t->depth == 0) out += step;
    }
}

/* PACK_LANES lanes of a few channels, where depth is 1.  Each lane's weights are in a place of
 * their own, more places than hardware fetches ahead in, so their next lines are fetched here: from
 * memory that is twice as fast. */
static void interleave(const tap *t, const float *restrict in, const float *restrict scale,
                       int32_t count, float *restrict out) {
    const ptrdiff_t stride = t->output_stride;
    for (int32_t i = 0; i < PACK_LANES; i++) {
        __builtin_prefetch(in + i * stride + PACK_CHANNELS * t->input_stride);
    }
    for (int32_t c = 0; c < count; c++, in += t->input_stride, out += t->lanes) {
        for (int32_t i = 0; i < PACK_LANES; i++) out[i] = in[i * stride] * scale[i];
    }
}

/* A framework's [N][K]. */
static void pack_columns(const tap *t, float *packed) {
    static const float one[PACK_LANES] = {1.0f, 1.0f, 1.0f, 1.0f};
    const int32_t channels = round_up(t->channels, t->depth);
    /* As many channels at first as there are in the line that the weights begin in. */
    const uintptr_t at = (uintptr_t)t->weights / sizeof(float);
    int32_t end = t->depth == 1 ? PACK_CHANNELS - (int32_t)(at % PACK_CHANNELS) : PACK_CHANNELS;
    for (int32_t begin = 0; begin < channels; begin = end, end += PACK_CHANNELS) {
        if (end > channels) end = channels;
        int32_t lane = 0;
        for (; t->depth == 1 && lane + PACK_LANES <= t->existing; lane += PACK_LANES) {
            interleave(t, t->weights + lane * t->output_stride + begin * t->input_stride,
                       t->scale != NULL ? t->scale + lane : one, end - begin,
                       packed + (ptrdiff_t)begin * t->lanes + lane);
        }
        for (; lane < t->lanes; lane++) pack_lane(t, lane, begin, end, packed);
    }
}

/* A framework's [K][N], where all lanes of a channel lie side by side, and depth is 1. */
static void pack_rows(const tap *t, float *packed) {
    const float *in = t->weights;
    for (int32_t c = 0; c < t->channels; c++, in += t->input_stride, packed += t->lanes) {
        const float *restrict row = in;
        float *restrict out = packed;
        for (int32_t i = 0; i < t->existing; i += PACK_CHANNELS) {
            __builtin_prefetch(row + i + ROWS_AHEAD * t->input_stride);
        }
        for (int32_t i = 0; i < t->existing; i++) {
            out[i] = t->scale != NULL ? row[i] * t->scale[i] : row[i];
        }
        for (int32_t i = t->existing; i < t->lanes; i++) out[i] = 0.0f;
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
        const int32_t first = b * blocking.block, left = args->output_channels - first;
        tap t = {
            .output_stride = args->output_stride,
            .input_stride = args->input_stride,
            .scale = args->scale != NULL ? args->scale + first : NULL,
            .channels = args->input_channels,
            .depth = blocking.depth,
            .lanes = width * blocking.block,
        };
        t.existing = left < t.lanes ? left : t.lanes;
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                t.weights = args->weights + first * args->output_stride + ky * args->row_stride +
                            kx * args->column_stride;
                if (t.depth == 1 && t.output_stride == 1) {
                    pack_rows(&t, out);
                } else {
                    pack_columns(&t, out);
                }
                out += (ptrdiff_t)t.lanes * tap_channels;
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
