/* Conversion between blocked and strided planes over a vec.h: whole blocks of interleaved channels
 * (channel_stride 1) move as vectors, whole blocks of planes (pixel_stride 1) as transposed squares,
 * the rest by lane. */
#include "epilogue.h"

/* Channels [channel, channel + lanes) of pixels [x_begin, x_end) of row y, one float at a time. */
MBN_INLINE void convert_lanes(const mbn_layout_args *args, bool to_blocked, int32_t block,
                              int32_t y, int32_t x_begin, int32_t x_end) {
    const int32_t channel = block * VEC_WIDTH;
    const int32_t left = args->channels - channel;
    const int32_t lanes = left < VEC_WIDTH ? left : VEC_WIDTH;
    for (int32_t x = x_begin; x < x_end; x++) {
        float *blocked = args->blocked + block * args->blocked_block_stride +
                         y * args->blocked_row_stride + (ptrdiff_t)x * VEC_WIDTH;
        float *strided = args->strided + channel * args->channel_stride +
                         y * args->strided_row_stride + x * args->pixel_stride;
        for (int32_t i = 0; i < lanes; i++) {
            if (to_blocked) {
                blocked[i] = strided[i * args->channel_stride];
            } else {
                strided[i * args->channel_stride] = blocked[i];
            }
        }
        for (int32_t i = lanes; to_blocked && i < VEC_WIDTH; i++) blocked[i] = 0.0F;
    }
}

/* One row of one whole block; returns the pixels done. */
MBN_INLINE int32_t convert_vectors(const mbn_layout_args *args, bool to_blocked, int32_t block,
                                   int32_t y) {
    float *blocked =
        args->blocked + block * args->blocked_block_stride + y * args->blocked_row_stride;
    float *strided = args->strided + (ptrdiff_t)block * VEC_WIDTH * args->channel_stride +
                     y * args->strided_row_stride;
    int32_t x = 0;
    if (args->channel_stride == 1) {
        for (; x < args->width; x++) {
            float *b = blocked + (ptrdiff_t)x * VEC_WIDTH, *s = strided + x * args->pixel_stride;
            if (to_blocked) {
                vec_store(b, vec_load(s));
            } else {
                vec_store(s, vec_load(b));
            }
        }
    } else if (args->pixel_stride == 1) {
        vec square[VEC_WIDTH];
        for (; x + VEC_WIDTH <= args->width; x += VEC_WIDTH) {
            float *b = blocked + (ptrdiff_t)x * VEC_WIDTH, *s = strided + x;
            const ptrdiff_t from = to_blocked ? args->channel_stride : VEC_WIDTH;
            const ptrdiff_t to = to_blocked ? VEC_WIDTH : args->channel_stride;
            MBN_UNROLL
            for (int32_t i = 0; i < VEC_WIDTH; i++) {
                square[i] = vec_load((to_blocked ? s : b) + i * from);
            }
            vec_transpose(square);
            MBN_UNROLL
            for (int32_t i = 0; i < VEC_WIDTH; i++)
                vec_store((to_blocked ? b : s) + i * to, square[i]);
        }
    }
    return x;
}

MBN_INLINE void convert(const mbn_layout_args *args, mbn_range range, bool to_blocked) {
    assert(args->block == VEC_WIDTH);
    for (int32_t block = range.block_begin; block < range.block_end; block++) {
        const bool whole = args->channels - block * VEC_WIDTH >= VEC_WIDTH;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const int32_t done = whole ? convert_vectors(args, to_blocked, block, y) : 0;
            convert_lanes(args, to_blocked, block, y, done, args->width);
        }
    }
}

void MBN_ISA_NAME(to_blocked)(const mbn_layout_args *args, mbn_range range) {
    convert(args, range, true);
}

void MBN_ISA_NAME(from_blocked)(const mbn_layout_args *args, mbn_range range) {
    convert(args, range, false);
}
