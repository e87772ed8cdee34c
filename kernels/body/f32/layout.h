/* Conversion between planes and strided floats: whole blocks of interleaved channels
 * (channel_stride 1) move as vectors, whole blocks of planes (pixel_stride 1) as transposed
 * squares, the rest by lane. */
#include "epilogue.h"

/* Pixels [x_begin, x_end) of row y, one float at a time. */
MBN_INLINE void convert_lanes(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y,
                              int32_t x_begin, int32_t x_end) {
    const int32_t channel = b * VEC_WIDTH;
    const int32_t left = args->channels - channel;
    const int32_t lanes = left < VEC_WIDTH ? left : VEC_WIDTH;
    float *row = (float *)(void *)mbn_row_at(&args->blocked, b, y);
    for (int32_t x = x_begin; x < x_end; x++) {
        float *blocked = row + (ptrdiff_t)x * VEC_WIDTH;
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

/* Row y of a whole block; returns the pixels done. */
MBN_INLINE int32_t convert_vectors(const mbn_layout_args *args, bool to_blocked, int32_t b,
                                   int32_t y) {
    char *blocked = mbn_row_at(&args->blocked, b, y);
    float *strided = args->strided + (ptrdiff_t)b * VEC_WIDTH * args->channel_stride +
                     y * args->strided_row_stride;
    int32_t x = 0;
    if (args->channel_stride == 1) {
        for (; x < args->width; x++, blocked += PIXEL_BYTES) {
            float *s = strided + x * args->pixel_stride;
            if (to_blocked) {
                vec_store(blocked, vec_load(s));
            } else {
                vec_store(s, vec_load(blocked));
            }
        }
    } else if (args->pixel_stride == 1) {
        const ptrdiff_t plane = args->channel_stride;
        vec square[VEC_WIDTH];
        for (; x + VEC_WIDTH <= args->width; x += VEC_WIDTH, blocked += VEC_WIDTH * PIXEL_BYTES) {
            float *s = strided + x;
            MBN_UNROLL
            for (int32_t i = 0; i < VEC_WIDTH; i++) {
                square[i] =
                    to_blocked ? vec_load(s + i * plane) : vec_load(blocked + i * PIXEL_BYTES);
            }
            vec_transpose(square);
            MBN_UNROLL
            for (int32_t i = 0; i < VEC_WIDTH; i++) {
                if (to_blocked) {
                    vec_store(blocked + i * PIXEL_BYTES, square[i]);
                } else {
                    vec_store(s + i * plane, square[i]);
                }
            }
        }
    }
    return x;
}

MBN_INLINE void convert_row(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y) {
    const bool whole = args->channels - b * VEC_WIDTH >= VEC_WIDTH;
    const int32_t done = whole ? convert_vectors(args, to_blocked, b, y) : 0;
    convert_lanes(args, to_blocked, b, y, done, args->width);
}

#include "kernels/walk/layout.h"
