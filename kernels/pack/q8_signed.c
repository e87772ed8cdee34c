/* Weights of the q8 tables whose instructions multiply signed bytes alone.  They make inputs
 * signed, x - 128 or 127 - x, and in front of a block's weights is what that takes from its sums.
 */
#include "wide.h"

#include <mobilenet/kernels.h>

#include <string.h>

enum { BLOCK = 16, FOUR = 4, STEP_BYTES = BLOCK * FOUR, HEAD_BYTES = BLOCK * sizeof(int32_t) };

/* quads: a channel's four weights side by side, and all inputs x - 128.  pairs: of half a block
 * each channel's first two, then their second two, whose inputs are 127 - x and subtracted. */
typedef enum order { QUADS, PAIRS } order;

/* Of channel c's weight number i. */
static int32_t place_of(order o, int32_t c, int32_t i) {
    if (o == QUADS) return c * FOUR + i;
    return c / 8 * (STEP_BYTES / 2) + i / 2 * (STEP_BYTES / 4) + c % 8 * 2 + i % 2;
}
static int32_t taken(order o, int32_t i) {
    return o == PAIRS && i >= 2 ? 127 : 128;
}

/* A step of a block: its first pass at `out`, the next one pass_bytes behind. */
typedef struct step {
    int8_t *out;
    ptrdiff_t pass_bytes;
    bool wide;
    int32_t *head;
} step;

static void pack_weight(const step *s, order o, int32_t c, int32_t i, int32_t weight) {
    for (int32_t pass = 0; pass < passes_of(s->wide); pass++) {
        s->out[pass * s->pass_bytes + place_of(o, c, i)] = part_of(weight, s->wide, pass);
    }
    s->head[c] += taken(o, i) * weight;
}

static size_t pack_convolution(const mbn_pack_convolution_args *args, order o, void *packed) {
    const int32_t blocks = mbn_block_count(args->output_channels, BLOCK);
    const int32_t steps = mbn_block_count(args->input_channels, FOUR);
    const int32_t taps = args->kernel_height * args->kernel_width;
    const ptrdiff_t pass_bytes = (ptrdiff_t)taps * steps * STEP_BYTES;
    const size_t bytes = HEAD_BYTES + (size_t)(passes_of(args->wide) * pass_bytes);
    if (packed == NULL) return (size_t)blocks * bytes;
    memset(packed, 0, (size_t)blocks * bytes);
    for (int32_t n = 0; n < args->output_channels; n++) {
        char *block = (char *)packed + (size_t)(n / BLOCK) * bytes;
        int32_t head[BLOCK];
        memcpy(head, block, sizeof head);
        for (int32_t t = 0; t < taps; t++) {
            const int16_t *weights = (const int16_t *)args->weights + n * args->output_stride +
                                     t / args->kernel_width * args->row_stride +
                                     t % args->kernel_width * args->column_stride;
            for (int32_t c = 0; c < args->input_channels; c++) {
                int8_t *out =
                    (int8_t *)block + HEAD_BYTES + ((ptrdiff_t)t * steps + c / FOUR) * STEP_BYTES;
                pack_weight(&(step){out, pass_bytes, args->wide, head}, o, n % BLOCK, c % FOUR,
                            weights[c * args->input_stride]);
            }
        }
        memcpy(block, head, sizeof head);
    }
    return (size_t)blocks * bytes;
}

/* [channels / B][shift]: a head, and [pass][KH / 4][KW] steps, of 4 rows from that many above the
 * kernel on. */
static size_t pack_depthwise(const mbn_pack_depthwise_args *args, order o, void *packed) {
    const int32_t blocks = mbn_block_count(args->channels, BLOCK);
    const int32_t fours = mbn_block_count(args->kernel_height, FOUR);
    const int32_t shifts = args->kernel_height == 3 ? 2 : 3;
    const ptrdiff_t pass_bytes = (ptrdiff_t)fours * args->kernel_width * STEP_BYTES;
    const size_t bytes = HEAD_BYTES + (size_t)(passes_of(args->wide) * pass_bytes);
    const size_t all = (size_t)blocks * (size_t)shifts * bytes;
    if (packed == NULL) return all;
    memset(packed, 0, all);
    for (int32_t c = 0; c < args->channels; c++) {
        for (int32_t shift = 0; shift < shifts; shift++) {
            char *block = (char *)packed + (size_t)(c / BLOCK * shifts + shift) * bytes;
            int32_t head[BLOCK];
            memcpy(head, block, sizeof head);
            for (int32_t ky = 0; ky < args->kernel_height; ky++) {
                const int32_t row = ky + shift;
                const int16_t *weights = (const int16_t *)args->weights + c * args->channel_stride +
                                         ky * args->row_stride;
                for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                    int8_t *out = (int8_t *)block + HEAD_BYTES +
                                  (row / FOUR * args->kernel_width + kx) * STEP_BYTES;
                    pack_weight(&(step){out, pass_bytes, args->wide, head}, o, c % BLOCK,
                                row % FOUR, weights[kx * args->column_stride]);
                }
            }
            memcpy(block, head, sizeof head);
        }
    }
    return all;
}

size_t mbn_pack_convolution_q8_signed_quads(const mbn_pack_convolution_args *args, void *packed) {
    return pack_convolution(args, QUADS, packed);
}
size_t mbn_pack_convolution_q8_signed_pairs(const mbn_pack_convolution_args *args, void *packed) {
    return pack_convolution(args, PAIRS, packed);
}
size_t mbn_pack_depthwise_q8_signed_quads(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, QUADS, packed);
}
size_t mbn_pack_depthwise_q8_signed_pairs(const mbn_pack_depthwise_args *args, void *packed) {
    return pack_depthwise(args, PAIRS, packed);
}
