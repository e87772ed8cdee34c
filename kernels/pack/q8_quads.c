/* Weights as single bytes in fours, of the q8 tables whose instructions sum four products. */
#include "wide.h"

#include <mobilenet/kernels.h>

#include <string.h>

enum { FOUR = 4 };

/* One tap: [channel / 4][lane][4]; weights: of the first lane, of which `existing` are no zeros.
 * A framework's channels lie side by side, so each lane is read to its end. */
static int8_t *pack_tap(const mbn_pack_convolution_args *args, const int16_t *weights,
                        int32_t lanes, int32_t existing, int32_t pass, int8_t *out) {
    const ptrdiff_t step = (ptrdiff_t)lanes * FOUR;
    const int32_t channels = args->input_channels, quads = mbn_block_count(channels, FOUR);
    memset(out, 0, (size_t)(quads * step));
    for (int32_t lane = 0; lane < existing; lane++) {
        const int16_t *from = weights + lane * args->output_stride;
        int8_t *to = out + lane * FOUR;
        int32_t c = 0;
        for (; args->input_stride == 1 && c + FOUR <= channels; c += FOUR, to += step) {
            const uint32_t four = parts_of_four(from + c, args->wide, pass);
            memcpy(to, &four, sizeof four);
        }
        for (; c < channels; c++) {
            to[c % FOUR] = part_of(from[c * args->input_stride], args->wide, pass);
            if (c % FOUR == FOUR - 1) to += step;
        }
    }
    return out + quads * step;
}

/* Of a 3x3 kernel that reads pixels of three bytes (mbn_image_block): a row of taps is nine bytes,
 * of which two fours of each row come first, then the ninth bytes of all three and a zero. */
enum {
    PIXEL = 3,
    ROWS = 3,
    ROW_BYTES = 3 * PIXEL,
    ROW_FOURS = ROW_BYTES / FOUR,
    IMAGE_FOURS = ROWS * ROW_FOURS + 1
};

static int8_t image_part(const mbn_pack_convolution_args *args, int32_t lane, int32_t four,
                         int32_t i, int32_t pass) {
    const bool ninths = four == IMAGE_FOURS - 1;
    const int32_t ky = ninths ? i : four / ROW_FOURS;
    const int32_t k = ninths ? ROW_BYTES - 1 : four % ROW_FOURS * FOUR + i;
    if (lane >= args->output_channels || ky >= ROWS) return 0;
    const int16_t *weights = args->weights;
    return part_of(weights[lane * args->output_stride + ky * args->row_stride +
                           k / PIXEL * args->column_stride + k % PIXEL * args->input_stride],
                   args->wide, pass);
}

/* [panel][pass][four][lane][4]. */
static size_t pack_image(const mbn_pack_convolution_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t blocks = mbn_block_count(args->output_channels, block);
    int8_t *out = packed;
    for (int32_t b = 0, width; packed != NULL && b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, args->blocking.panel);
        for (int32_t pass = 0; pass < passes_of(args->wide); pass++) {
            for (int32_t four = 0; four < IMAGE_FOURS; four++) {
                for (int32_t lane = b * block; lane < (b + width) * block; lane++) {
                    for (int32_t i = 0; i < FOUR; i++) {
                        *out++ = image_part(args, lane, four, i, pass);
                    }
                }
            }
        }
    }
    return (size_t)blocks * (size_t)block * IMAGE_FOURS * FOUR * (size_t)passes_of(args->wide);
}

size_t mbn_pack_convolution_q8_quads(const mbn_pack_convolution_args *args, void *packed) {
    if (args->input_block == PIXEL) return pack_image(args, packed);
    const int32_t block = args->blocking.block;
    const int32_t blocks = mbn_block_count(args->output_channels, block);
    int8_t *out = packed;
    for (int32_t b = 0, width; packed != NULL && b < blocks; b += width) {
        width = mbn_panel_width(blocks - b, args->blocking.panel);
        const int32_t lanes = width * block, left = args->output_channels - b * block;
        const int16_t *panel =
            (const int16_t *)args->weights + (ptrdiff_t)b * block * args->output_stride;
        for (int32_t pass = 0; pass < passes_of(args->wide); pass++) {
            for (int32_t ky = 0; ky < args->kernel_height; ky++) {
                for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                    out = pack_tap(args, panel + ky * args->row_stride + kx * args->column_stride,
                                   lanes, left < lanes ? left : lanes, pass, out);
                }
            }
        }
    }
    return (size_t)blocks * (size_t)block * (size_t)args->kernel_height *
           (size_t)args->kernel_width * (size_t)mbn_block_count(args->input_channels, FOUR) * FOUR *
           (size_t)passes_of(args->wide);
}

static int8_t tap_part(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky, int32_t kx,
                       int32_t pass) {
    if (c >= args->channels || kx >= args->kernel_width) return 0;
    if (ky < 0 || ky >= args->kernel_height) return 0;
    const int16_t *weights = args->weights;
    return part_of(
        weights[c * args->channel_stride + ky * args->row_stride + kx * args->column_stride],
        args->wide, pass);
}

/* Of a block's channels from c on: taps of a row from kx on, or of column kx from row ky on. */
static int8_t *pack_across(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky, int32_t kx,
                           int32_t pass, int8_t *out) {
    for (const int32_t end = c + args->blocking.block; c < end; c++) {
        for (int32_t i = 0; i < FOUR; i++) *out++ = tap_part(args, c, ky, kx + i, pass);
    }
    return out;
}

static int8_t *pack_down(const mbn_pack_depthwise_args *args, int32_t c, int32_t ky, int32_t kx,
                         int32_t pass, int8_t *out) {
    for (const int32_t end = c + args->blocking.block; c < end; c++) {
        for (int32_t i = 0; i < FOUR; i++) *out++ = tap_part(args, c, ky + i, kx, pass);
    }
    return out;
}

/* [channels / B][pass] of [KH][B][4], the first four columns, and of a fifth [4][2][B][4]: behind 0
 * to 3 rows of zeros. */
size_t mbn_pack_depthwise_q8_quads(const mbn_pack_depthwise_args *args, void *packed) {
    const int32_t block = args->blocking.block;
    const int32_t blocks = mbn_block_count(args->channels, block);
    const bool fifth = args->kernel_width > FOUR;
    int8_t *out = packed;
    for (int32_t b = 0; packed != NULL && b < blocks; b++) {
        for (int32_t pass = 0; pass < passes_of(args->wide); pass++) {
            for (int32_t ky = 0; ky < args->kernel_height; ky++) {
                out = pack_across(args, b * block, ky, 0, pass, out);
            }
            for (int32_t shift = 0; fifth && shift < FOUR; shift++) {
                out = pack_down(args, b * block, -shift, FOUR, pass, out);
                out = pack_down(args, b * block, FOUR - shift, FOUR, pass, out);
            }
        }
    }
    const size_t quads = (size_t)args->kernel_height + (fifth ? 2 * FOUR : 0);
    return (size_t)blocks * (size_t)block * quads * FOUR * (size_t)passes_of(args->wide);
}

/* A channel's factor and the two numbers by which its first rounding costs nothing: with an X for
 * which X * fixed is 2^30 modulo 2^31, the rounded x * fixed / 2^31 is the upper half of
 * (x + X) * 2 fixed, minus D.  What is subtracted has the second rounding in it, too. */
static void offset_of(int32_t bias, const int32_t *fixed, int32_t *shift, int32_t *start,
                      int32_t *less) {
    if (*fixed == 0) *shift = -1;            /* any is right */
    const int32_t lowest = *fixed & -*fixed; /* 2^t, so X is an odd multiple of 2^(30 - t) */
    const int64_t half = 1 << 30;
    const int64_t x = lowest > 1 ? half + half / lowest : half;
    const int64_t d = *fixed == 0 ? 0 : (x * *fixed - half) / (2 * half);
    *start = (int32_t)((uint32_t)bias + (uint32_t)x);
    *less = (int32_t)(d - (*shift < 0 ? ((int64_t)1 << -*shift) / 2 : 0));
}

size_t mbn_pack_channels_q8_quads(const mbn_pack_channels_args *args, void *packed) {
    if (args->rescaling != MBN_RESCALE_FIXED) return mbn_pack_channels_q8(args, packed);
    enum { BIAS, FIXED, SHIFT, START, LESS, VECTORS };
    const int32_t block = args->blocking.block;
    const int32_t blocks = mbn_block_count(args->channels, block);
    char *out = packed;
    for (int32_t c = 0; packed != NULL && c < blocks * block; c++) {
        int32_t channel[VECTORS] = {0};
        if (c < args->channels) {
            channel[BIAS] = args->bias[c];
            channel[FIXED] = args->multipliers[c].fixed;
            channel[SHIFT] = args->multipliers[c].shift;
        }
        offset_of(channel[BIAS], &channel[FIXED], &channel[SHIFT], &channel[START], &channel[LESS]);
        for (int32_t i = 0; i < VECTORS; i++) {
            const ptrdiff_t at = ((ptrdiff_t)(c / block) * VECTORS + i) * block + c % block;
            memcpy(out + at * (ptrdiff_t)sizeof(int32_t), &channel[i], sizeof(int32_t));
        }
    }
    return (size_t)blocks * (size_t)block * VECTORS * sizeof(int32_t);
}
