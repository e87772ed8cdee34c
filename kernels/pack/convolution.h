/* Weights from a framework's layout to the kernels' (mobilenet/kernels.h), for any blocking.  The
 * element type's file includes it behind `source`, of a framework's weights, which are exact as
 * floats, `element`, of packed ones, and from_float. */
#include <mobilenet/kernels.h>

#include "kernels/inline.h"

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
    const source *weights; /* of the first lane */
    ptrdiff_t output_stride, input_stride;
    const float *scale; /* of the first lane, or NULL */
    int32_t channels;
    int32_t lanes, existing; /* those past the existing ones are zeros */
} tap;

/* Channels [begin, end) of one lane; those past the tap's are zeros.  depth: here as below a
 * constant, by which there is a division per weight. */
static inline void pack_lane(const tap *t, int32_t depth, int32_t lane, int32_t begin, int32_t end,
                             element *packed) {
    const bool exists = lane < t->existing;
    const float scale = exists && t->scale != NULL ? t->scale[lane] : 1.0f;
    for (int32_t c = begin; c < end; c++) {
        const ptrdiff_t from = lane * t->output_stride + c * t->input_stride;
        const ptrdiff_t to = ((ptrdiff_t)(c / depth) * t->lanes + lane) * depth + c % depth;
        packed[to] = from_float(exists && c < t->channels ? t->weights[from] * scale : 0.0f);
    }
}

/* PACK_LANES lanes of `count` channels, a multiple of depth.  Each lane's weights are in a place of
 * their own, more places than hardware fetches ahead in, so their next lines are fetched here: from
 * memory that is twice as fast. */
MBN_INLINE void interleave(const tap *t, int32_t depth, const source *restrict in,
                           const float *restrict scale, int32_t count, element *restrict out) {
    const ptrdiff_t stride = t->output_stride;
    for (int32_t i = 0; i < PACK_LANES; i++) {
        __builtin_prefetch(in + i * stride + PACK_CHANNELS * t->input_stride);
    }
    for (int32_t c = 0; c < count; c += depth, out += (ptrdiff_t)t->lanes * depth) {
        const source *at = in + c * t->input_stride;
        /* Else gcc makes vectors of a lane's channels, which are stored one by one. */
        if (depth == 1) __asm__("" : "+r"(at));
        MBN_UNROLL
        for (int32_t i = 0; i < PACK_LANES; i++) {
            MBN_UNROLL
            for (int32_t d = 0; d < depth; d++) {
                out[i * depth + d] = from_float(at[i * stride + d * t->input_stride] * scale[i]);
            }
        }
    }
}

/* A framework's [N][K]. */
MBN_INLINE void pack_columns(const tap *t, int32_t depth, element *packed) {
    static const float one[PACK_LANES] = {1.0f, 1.0f, 1.0f, 1.0f};
    const int32_t channels = round_up(t->channels, depth);
    /* As many channels at first as there are in the line that the weights begin in. */
    const uintptr_t at = (uintptr_t)t->weights / sizeof(source);
    int32_t end = PACK_CHANNELS - (int32_t)(at % PACK_CHANNELS) / depth * depth;
    for (int32_t begin = 0; begin < channels; begin = end, end += PACK_CHANNELS) {
        if (end > channels) end = channels;
        const bool whole = end <= t->channels;
        int32_t lane = 0;
        for (; whole && lane + PACK_LANES <= t->existing; lane += PACK_LANES) {
            interleave(t, depth, t->weights + lane * t->output_stride + begin * t->input_stride,
                       t->scale != NULL ? t->scale + lane : one, end - begin,
                       packed + (ptrdiff_t)begin * t->lanes + (ptrdiff_t)lane * depth);
        }
        for (; lane < t->lanes; lane++) pack_lane(t, depth, lane, begin, end, packed);
    }
}

/* A framework's [K][N], where all lanes of a channel lie side by side. */
MBN_INLINE void pack_rows(const tap *t, int32_t depth, element *packed) {
    const int32_t channels = round_up(t->channels, depth);
    for (int32_t c = 0; c < channels; c++) {
        const source *restrict row = t->weights + c * t->input_stride;
        element *restrict out = packed + (ptrdiff_t)(c / depth) * t->lanes * depth + c % depth;
        const int32_t existing = c < t->channels ? t->existing : 0;
        for (int32_t i = 0; i < existing; i += PACK_CHANNELS) {
            __builtin_prefetch(row + i + ROWS_AHEAD * t->input_stride);
        }
        for (int32_t i = 0; i < existing; i++) {
            out[i * depth] = from_float(t->scale != NULL ? row[i] * t->scale[i] : row[i]);
        }
        for (int32_t i = existing; i < t->lanes; i++) out[i * depth] = from_float(0.0f);
    }
}

MBN_INLINE void pack_tap_of_depth(const tap *t, int32_t depth, element *packed) {
    if (t->output_stride == 1) {
        pack_rows(t, depth, packed);
    } else {
        pack_columns(t, depth, packed);
    }
}

static void pack_tap(const tap *t, int32_t depth, element *packed) {
    switch (depth) {
    case 1: pack_tap_of_depth(t, 1, packed); break;
    case 2: pack_tap_of_depth(t, 2, packed); break;
    case 4: pack_tap_of_depth(t, 4, packed); break;
    default: /* of no table here */
        for (int32_t lane = 0; lane < t->lanes; lane++) {
            pack_lane(t, depth, lane, 0, round_up(t->channels, depth), packed);
        }
    }
}

static size_t pack_convolution(const mbn_pack_convolution_args *args, void *packed) {
    const mbn_blocking blocking = args->blocking;
    assert(blocking.block >= 1 && blocking.depth >= 1 && PACK_CHANNELS % blocking.depth == 0);
    const int32_t blocks = mbn_block_count(args->output_channels, blocking.block);
    const int32_t tap_channels = round_up(args->input_channels, blocking.depth);
    element *out = packed;
    for (int32_t b = 0, width; packed != NULL && b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, blocking.panel);
        const int32_t first = b * blocking.block, left = args->output_channels - first;
        tap t = {
            .output_stride = args->output_stride,
            .input_stride = args->input_stride,
            .scale = args->scale != NULL ? args->scale + first : NULL,
            .channels = args->input_channels,
            .lanes = width * blocking.block,
        };
        t.existing = left < t.lanes ? left : t.lanes;
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                t.weights = (const source *)args->weights + first * args->output_stride +
                            ky * args->row_stride + kx * args->column_stride;
                pack_tap(&t, blocking.depth, out);
                out += (ptrdiff_t)t.lanes * tap_channels;
            }
        }
    }
    return (size_t)blocks * (size_t)blocking.block * (size_t)args->kernel_height *
           (size_t)args->kernel_width * (size_t)tap_channels * sizeof(element);
}
