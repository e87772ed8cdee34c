/* Conversion between planes and strided floats: whole blocks of interleaved channels
 * (channel_stride 1) move as vectors, whole blocks of planes (pixel_stride 1) as transposed
 * squares, the rest by lane; images, whose channels all stand in one block, by runs of pixels. */
#include "epilogue.h"

#include <string.h>

/* Pixels [x_begin, x_end) of row y, one by one. */
MBN_INLINE void convert_lanes(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y,
                              int32_t x_begin, int32_t x_end) {
    const int32_t channel = b * VEC_WIDTH;
    const int32_t left = args->channels - channel;
    const int32_t lanes = left < VEC_WIDTH ? left : VEC_WIDTH;
    char *row = mbn_row_at(&args->blocked, b, y);
    for (int32_t x = x_begin; x < x_end; x++) {
        char *blocked = row + (ptrdiff_t)x * PIXEL_BYTES;
        float *strided = args->strided + channel * args->channel_stride +
                         y * args->strided_row_stride + x * args->pixel_stride;
        float values[VEC_WIDTH] = {0.0F};
        if (!to_blocked) vec_store(values, element_load(blocked));
        for (int32_t i = 0; i < lanes; i++) {
            if (to_blocked) {
                values[i] = strided[i * args->channel_stride];
            } else {
                strided[i * args->channel_stride] = values[i];
            }
        }
        if (to_blocked) element_store(blocked, vec_load(values));
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
                element_store(blocked, vec_load(s));
            } else {
                vec_store(s, element_load(blocked));
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
                    to_blocked ? vec_load(s + i * plane) : element_load(blocked + i * PIXEL_BYTES);
            }
            vec_transpose(square);
            MBN_UNROLL
            for (int32_t i = 0; i < VEC_WIDTH; i++) {
                if (to_blocked) {
                    element_store(blocked + i * PIXEL_BYTES, square[i]);
                } else {
                    vec_store(s + i * plane, square[i]);
                }
            }
        }
    }
    return x;
}

#if !READS_FLOATS
/* An image's pixel as the stem reads it is one word: three channels, and zero. */
enum { IMAGE_PIXELS = 64, IMAGE_WORD = 8 };

/* Row y of an image of three channels, whose floats lie side by side, or in planes. */
static void convert_rgb_row(const mbn_layout_args *args, int32_t y) {
    const bool interleaved = args->channel_stride == 1;
    const float *from = args->strided + y * args->strided_row_stride;
    char *blocked = mbn_row_at(&args->blocked, 0, y);
    int32_t x = 0;
#ifdef VEC_SPREAD
    enum { SPREAD_PIXELS = BLOCK / IMAGE_BLOCK };
    if (interleaved) {
        for (; 3 * (args->width - x) >= BLOCK; x += SPREAD_PIXELS, from += 3 * SPREAD_PIXELS) {
            element_store(blocked + (ptrdiff_t)x * IMAGE_WORD, vec_spread(vec_load(from)));
        }
    }
#endif
    for (int32_t pixels; x < args->width; x += pixels) {
        pixels = args->width - x < IMAGE_PIXELS ? args->width - x : IMAGE_PIXELS;
        uint16_t elements[3][IMAGE_PIXELS + IMAGE_WORD];
        if (interleaved) {
            element_convert(from, 3 * pixels, elements);
            for (int32_t i = 0; i < pixels; i++) {
                uint64_t word; /* with the first channel of the next pixel */
                memcpy(&word, (const char *)elements + 3 * i * ELEMENT_BYTES, sizeof word);
                word &= 0xFFFFFFFFFFFF;
                memcpy(blocked + (ptrdiff_t)(x + i) * IMAGE_WORD, &word, sizeof word);
            }
        } else {
            for (int32_t c = 0; c < 3; c++) {
                element_convert(from + c * args->channel_stride, pixels, elements[c]);
            }
            for (int32_t i = 0; i < pixels; i++) {
                const uint64_t word = elements[0][i] | (uint64_t)elements[1][i] << 16 |
                                      (uint64_t)elements[2][i] << 32;
                memcpy(blocked + (ptrdiff_t)(x + i) * IMAGE_WORD, &word, sizeof word);
            }
        }
        from += pixels * args->pixel_stride;
    }
}

/* Row y of any image: all channels are in the first block. */
static void convert_image_row(const mbn_layout_args *args, int32_t y) {
    const int32_t block = args->blocking.block;
    const bool side_by_side = args->channel_stride == 1 && args->pixel_stride == 3;
    if (args->channels == 3 && block == IMAGE_BLOCK && (side_by_side || args->pixel_stride == 1)) {
        convert_rgb_row(args, y);
        return;
    }
    char *blocked = mbn_row_at(&args->blocked, 0, y);
    for (int32_t x = 0; x < args->width; x++) {
        for (int32_t c = 0; c < block; c++, blocked += ELEMENT_BYTES) {
            const float *value = args->strided + c * args->channel_stride +
                                 y * args->strided_row_stride + x * args->pixel_stride;
            const float zero = 0.0F;
            element_convert(c < args->channels ? value : &zero, 1, blocked);
        }
    }
}
#endif

MBN_INLINE void convert_row(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y) {
#if !READS_FLOATS
    if (args->blocking.block != BLOCK) {
        convert_image_row(args, y);
        return;
    }
#endif
    const bool whole = args->channels - b * VEC_WIDTH >= VEC_WIDTH;
    const int32_t done = whole ? convert_vectors(args, to_blocked, b, y) : 0;
    convert_lanes(args, to_blocked, b, y, done, args->width);
}

#include "kernels/walk/layout.h"
