/* Conversion between planes and strided floats.  Images of three channels, which come with every
 * run, are converted 16 pixels at a time, the rest one by one. */
#include "finish.h"

enum { IMAGE_PIXELS = BLOCK };

/* Pixels [x_begin, x_end) of row y, of block b. */
static void convert_pixels(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y,
                           int32_t x_begin, int32_t x_end) {
    const int32_t block = args->blocking.block, first = b * block;
    const mbn_quantization *q = &args->quantization;
    uint8_t *blocked = (uint8_t *)mbn_row_at(&args->blocked, b, y) + (ptrdiff_t)x_begin * block;
    for (int32_t x = x_begin; x < x_end; x++, blocked += block) {
        float *strided = args->strided + first * args->channel_stride +
                         y * args->strided_row_stride + x * args->pixel_stride;
        for (int32_t i = 0; i < block; i++) {
            const bool exists = first + i < args->channels;
            float *value = strided + i * args->channel_stride;
            if (to_blocked) {
                blocked[i] = exists ? mbn_quantize(*value, q) : (uint8_t)q->zero;
            } else if (exists) {
                *value = mbn_dequantize(blocked[i], q);
            }
        }
    }
}

/* Row y of an image of three channels, whose floats lie side by side, or in planes: whole runs of
 * pixels, as many as it returns. */
static int32_t convert_image(const mbn_layout_args *args, int32_t y) {
    const mbn_quantization *q = &args->quantization;
    const byte_limits limits = byte_limits_of((mbn_byte_range){(uint8_t)q->zero, 0, 255});
    const bool interleaved = args->channel_stride == 1;
    const ptrdiff_t vector = interleaved ? BLOCK : args->channel_stride;
    const float *from = args->strided + y * args->strided_row_stride;
    char *to = mbn_row_at(&args->blocked, 0, y);
    int32_t x = 0;
    for (; x + IMAGE_PIXELS <= args->width; x += IMAGE_PIXELS, to += IMAGE_PIXELS * IMAGE_BLOCK) {
        sums part[IMAGE_CHANNELS];
        MBN_UNROLL
        for (int32_t i = 0; i < IMAGE_CHANNELS; i++) {
            part[i] = quantize(from + i * vector, q->quantizing, q->scale);
        }
        const bytes64 all = bytes_of(&limits, part[0], part[1], part[2], sums_zero());
        bytes_store(to, interleaved ? bytes_spread(all) : bytes_interleave(all));
        from += IMAGE_PIXELS * args->pixel_stride;
    }
    return x;
}

#if IMAGE_TRIPLES
/* Floats that lie side by side, at least a step's. */
MBN_INLINE void quantize_run(const mbn_quantization *q, mbn_quantizing quantizing,
                             const float *from, int32_t count, char *to) {
    enum { STEP = QUAD * BLOCK };
    const byte_limits limits = byte_limits_of((mbn_byte_range){(uint8_t)q->zero, 0, 255});
    const float scale = q->scale;
    for (int32_t i = 0;; i += STEP) {
        if (i > count - STEP) i = count - STEP; /* the last one ends with the run */
        sums part[QUAD];
        MBN_UNROLL
        for (int32_t k = 0; k < QUAD; k++) {
            part[k] = quantize(from + i + k * BLOCK, quantizing, scale);
        }
        bytes_store(to + i, bytes_of_all(&limits, part[0], part[1], part[2], part[3]));
        if (i == count - STEP) break;
    }
}

/* Of planes whole runs of pixels; returns how many of them. */
static int32_t quantize_planes(const mbn_quantization *q, const float *from, ptrdiff_t plane,
                               int32_t width, char *to) {
    const byte_limits limits = byte_limits_of((mbn_byte_range){(uint8_t)q->zero, 0, 255});
    const mbn_quantizing quantizing = q->quantizing;
    const float scale = q->scale;
    int32_t x = 0;
    for (; x + IMAGE_PIXELS <= width; x += IMAGE_PIXELS) {
        sums part[IMAGE_CHANNELS];
        MBN_UNROLL
        for (int32_t i = 0; i < IMAGE_CHANNELS; i++) {
            part[i] = quantize(from + x + i * plane, quantizing, scale);
        }
        const bytes64 all =
            bytes_interleave_three(bytes_of_all(&limits, part[0], part[1], part[2], sums_zero()));
        char *pixels = to + x * IMAGE_CHANNELS;
        /* Whole, where the next run comes over what is too much. */
        if (x + 2 * IMAGE_PIXELS <= width) {
            bytes_store(pixels, all);
        } else {
            bytes_store_some(pixels, IMAGE_CHANNELS, all);
        }
    }
    return x;
}

/* Row y of an image as the stem reads it; returns how many of its pixels. */
static int32_t convert_triples(const mbn_layout_args *args, int32_t y) {
    const mbn_quantization *q = &args->quantization;
    const float *from = args->strided + y * args->strided_row_stride;
    char *to = mbn_row_at(&args->blocked, 0, y);
    const int32_t count = args->width * IMAGE_CHANNELS;
    if (args->channel_stride != 1) {
        return quantize_planes(q, from, args->channel_stride, args->width, to);
    }
    if (count < QUAD * BLOCK) return 0;
    switch (q->quantizing) {
    case MBN_QUANTIZE_INVERSE: quantize_run(q, MBN_QUANTIZE_INVERSE, from, count, to); break;
    case MBN_QUANTIZE_QUOTIENT: quantize_run(q, MBN_QUANTIZE_QUOTIENT, from, count, to); break;
    case MBN_QUANTIZE_AWAY: quantize_run(q, MBN_QUANTIZE_AWAY, from, count, to); break;
    }
    return args->width;
}
#endif

MBN_INLINE void convert_row(const mbn_layout_args *args, bool to_blocked, int32_t b, int32_t y) {
    const bool side_by_side = args->channel_stride == 1 && args->pixel_stride == IMAGE_CHANNELS;
    const bool image =
        to_blocked && args->channels == IMAGE_CHANNELS && (side_by_side || args->pixel_stride == 1);
    int32_t done = 0;
    if (image && args->blocking.block == IMAGE_BLOCK) done = convert_image(args, y);
#if IMAGE_TRIPLES
    if (image && args->blocking.block == IMAGE_CHANNELS) done = convert_triples(args, y);
#endif
    convert_pixels(args, to_blocked, b, y, done, args->width);
}

#include "kernels/walk/layout.h"
