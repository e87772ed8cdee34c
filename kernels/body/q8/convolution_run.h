/* Standard convolution where a tile is small: the pixels of a row that have the same taps, up to
 * so many at once, in tiles that are finished together.  Taps outside of the plane all read the
 * zero point: what they add is a vector, from which the sums begin. */
#include "finish_spilled.h"
#include "kernels/walk/span.h"
#include "kernels/walk/taps.h"
#include "tile.h"

/* To the sums that are in `start` what taps outside of the plane add. */
static void add_outside(const mbn_convolution_args *args, const epilogue *e, taps inside_taps,
                        int32_t b, int32_t start[BLOCK]) {
    const int32_t steps = steps_of(args->input_channels);
    const operand zero = operand_splat(e->input_zero);
    const char *weights = mbn_weights_at(&args->operands, b);
    const sums bias = sums_load(start);
    sums sum = bias;
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = 0; ky < args->kernel_height; ky++) {
            for (int32_t kx = 0; kx < args->kernel_width; kx++) {
                const bool within = ky >= inside_taps.y_begin && ky < inside_taps.y_end &&
                                    kx >= inside_taps.x_begin && kx < inside_taps.x_end;
                for (int32_t k = 0; k < steps; k++, weights += STEP_BYTES) {
                    if (!within) sum = operand_dot(zero, packed_load(weights), sum);
                }
            }
        }
        if (--pass == 0) break;
        sum = sums_twice(sum, bias);
    }
    sums_store(start, sum);
}

enum { IMAGE_KERNEL = 3, IMAGE_STRIDE = 2 };

MBN_INLINE void start_from(int32_t pixels, const int32_t *values, ptrdiff_t stride,
                           sums acc[16][4]) {
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) acc[i][0] = sums_load(values + i * stride);
}

/* The stem of every MobileNet, 3x3 with stride 2, of an interleaved image: a block's weights, rows
 * of the image that the taps of a run are in, and the sums of `pixels`, a constant, from number p
 * of the run on. */
#if VEC_QUADS
enum { IMAGE_CHANNELS_MOST = IMAGE_BLOCK };
typedef const char *image_weights;
typedef const char *image_rows[IMAGE_KERNEL];

static void image_weights_at(const mbn_convolution_args *args, int32_t b, image_weights *w) {
    *w = mbn_weights_at(&args->operands, b);
}

static void image_rows_at(const mbn_convolution_args *args, taps t, int32_t pixels,
                          ptrdiff_t offset, image_rows rows) {
    (void)pixels;
    for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
        rows[ky] = mbn_at(&args->input, offset + ky * args->input.row_stride);
    }
}

MBN_INLINE void image_sums(const mbn_convolution_args *args, int32_t pixels, taps t, int32_t p,
                           image_rows rows, const image_weights *block, const int32_t *start,
                           int32_t *values) {
    const char *weights = *block;
    sums acc[16][4];
    start_from(pixels, start, 0, acc);
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
            const char *w = weights + (ptrdiff_t)ky * IMAGE_KERNEL * STEP_BYTES;
            MBN_UNROLL
            for (int32_t kx = 0; kx < IMAGE_KERNEL; kx++) {
                tile_step(pixels, 1, false, rows[ky] + (p * IMAGE_STRIDE + kx) * IMAGE_BLOCK,
                          IMAGE_STRIDE * IMAGE_BLOCK, w + kx * STEP_BYTES, acc);
            }
        }
        spill_pixels(pixels, 0, acc, values);
        if (--pass == 0) return;
        weights += IMAGE_KERNEL * IMAGE_KERNEL * STEP_BYTES;
        double_sums((const char *)start, pixels, values);
        start_from(pixels, values, BLOCK, acc);
    }
}
#else
/* Three channels of three taps are nine numbers side by side, so five pairs, and not six. */
enum {
    IMAGE_CHANNELS_MOST = IMAGE_CHANNELS,
    IMAGE_NUMBERS = IMAGE_KERNEL * IMAGE_CHANNELS,
    IMAGE_PAIRS = (IMAGE_NUMBERS + 1) / 2,
    IMAGE_COLUMNS = IMAGE_STRIDE * (RUN_PIXELS - 1) + IMAGE_KERNEL,
    IMAGE_WIDENED = 4, /* pixels at a time by image_widen, which writes so many numbers more */
    IMAGE_BEYOND = 4,
};
typedef struct image_weights {
    _Alignas(64) int16_t rows[IMAGE_KERNEL][IMAGE_PAIRS][BLOCK][2];
} image_weights;
typedef int16_t image_rows[IMAGE_KERNEL][IMAGE_COLUMNS * IMAGE_CHANNELS + IMAGE_BEYOND];

static void image_weights_at(const mbn_convolution_args *args, int32_t b, image_weights *w) {
    /* [row][tap][channel / 2][lane][channel % 2] */
    const char *bytes = mbn_weights_at(&args->operands, b);
    const int16_t *from = (const void *)bytes;
    *w = (image_weights){0};
    for (int32_t i = 0; i < IMAGE_KERNEL * IMAGE_NUMBERS * BLOCK; i++) {
        const int32_t lane = i % BLOCK, number = i / BLOCK % IMAGE_NUMBERS;
        const int32_t row = i / BLOCK / IMAGE_NUMBERS, channel = number % IMAGE_CHANNELS;
        const int32_t tap = row * IMAGE_KERNEL + number / IMAGE_CHANNELS;
        w->rows[row][number / 2][lane][number % 2] =
            from[((tap * 2 + channel / 2) * BLOCK + lane) * 2 + channel % 2];
    }
}

/* From the first tap of the first of `pixels` outputs on, which is at `offset`; a row's taps are
 * all inside the plane. */
static void image_rows_at(const mbn_convolution_args *args, taps t, int32_t pixels,
                          ptrdiff_t offset, image_rows rows) {
    const int32_t columns = (pixels - 1) * IMAGE_STRIDE + IMAGE_KERNEL;
    for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
        const char *from = mbn_at(&args->input, offset + ky * args->input.row_stride);
        for (int32_t x = 0; x < columns; x += IMAGE_WIDENED) {
            if (x > columns - IMAGE_WIDENED) x = columns - IMAGE_WIDENED;
            image_widen(from + x * IMAGE_BLOCK, rows[ky] + x * IMAGE_CHANNELS);
        }
    }
}

MBN_INLINE void image_sums(const mbn_convolution_args *args, int32_t pixels, taps t, int32_t p,
                           image_rows rows, const image_weights *block, const int32_t *start,
                           int32_t *values) {
    (void)args;
    sums acc[16][4];
    start_from(pixels, start, 0, acc);
    for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
        const int16_t *x = rows[ky] + p * IMAGE_STRIDE * IMAGE_CHANNELS;
        MBN_UNROLL
        for (int32_t pair = 0; pair < IMAGE_PAIRS; pair++) {
            const sums w = sums_load(fenced((const char *)block->rows[ky][pair]));
            MBN_UNROLL
            for (int32_t i = 0; i < pixels; i++) {
                const ints two = ints_broadcast(x + i * IMAGE_STRIDE * IMAGE_CHANNELS + 2 * pair);
                MBN_UNROLL
                for (int32_t v = 0; v < PARTS; v++) {
                    acc[i][0].part[v] = ints_dot(two, w.part[v], acc[i][0].part[v]);
                }
            }
        }
    }
    spill_pixels(pixels, 0, acc, values);
}
#endif

/* Whether those serve. */
static bool is_image_stem(const mbn_convolution_args *args) {
    return args->input_block == IMAGE_BLOCK && args->input_channels <= IMAGE_CHANNELS_MOST &&
           args->kernel_height == IMAGE_KERNEL && args->kernel_width == IMAGE_KERNEL &&
           args->stride_horizontal == IMAGE_STRIDE;
}

/* The sums of `pixels`, a constant; x: tap (0, 0) of the first, which may lie outside the plane. */
MBN_INLINE void convolution_sums(const mbn_convolution_args *args, int32_t pixels, taps t,
                                 int32_t b, ptrdiff_t offset, const int32_t *start,
                                 int32_t *values) {
    const int32_t steps = steps_of(args->input_channels), input_block = args->input_block;
    const ptrdiff_t pixel_stride = (ptrdiff_t)args->stride_horizontal * input_block;
    sums acc[16][4];
    start_from(pixels, start, 0, acc);
    const char *weights = mbn_weights_at(&args->operands, b);
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
            for (int32_t kx = t.x_begin; kx < t.x_end; kx++) {
                const char *w =
                    weights + (ptrdiff_t)(ky * args->kernel_width + kx) * steps * STEP_BYTES;
                const char *x = mbn_at(&args->input, offset + ky * args->input.row_stride +
                                                         (ptrdiff_t)kx * input_block);
                int32_t left = steps;
                for (; left > 0; x += args->input.block_stride, left -= input_block / DEPTH) {
                    const int32_t count = left < input_block / DEPTH ? left : input_block / DEPTH;
                    for (int32_t k = 0; k < count; k++, w += STEP_BYTES) {
                        tile_step(pixels, 1, false, x + (ptrdiff_t)k * OPERAND_BYTES, pixel_stride,
                                  w, acc);
                    }
                }
            }
        }
        spill_pixels(pixels, 0, acc, values);
        if (--pass == 0) return;
        weights += (ptrdiff_t)args->kernel_height * args->kernel_width * steps * STEP_BYTES;
        double_sums((const char *)start, pixels, values);
        start_from(pixels, values, BLOCK, acc);
    }
}

/* What the runs of a channel block share. */
typedef struct convolution_block {
    int32_t b;
    const char *channels;
    enum finish_kind kind;
    bool is_image_stem;
    image_weights image; /* of that */
} convolution_block;

static void begin_block(const mbn_convolution_args *args, const epilogue *e, int32_t b,
                        convolution_block *block) {
    const int64_t products =
        (int64_t)args->kernel_height * args->kernel_width * args->input_channels;
    block->b = b;
    block->channels = mbn_bias_at(&args->operands, b);
    block->kind =
        finish_kind_of(e, block->channels, products < INT32_MAX ? (int32_t)products : INT32_MAX,
                       args->operands.wide);
    block->is_image_stem = is_image_stem(args);
    if (block->is_image_stem) image_weights_at(args, b, &block->image);
}

/* Output row oy, `pixels` columns from ox on, at most RUN_PIXELS, whose taps are alike. */
static void convolution_run(const mbn_convolution_args *args, const epilogue *e,
                            const convolution_block *block, int32_t pixels, int32_t oy,
                            int32_t ox) {
    const taps t = taps_at(args, oy, ox);
    int32_t start[BLOCK];
    _Alignas(64) int32_t values[RUN_PIXELS * BLOCK + SUMS_BEYOND];
    memcpy(start, start_at(block->kind, block->channels), sizeof start);
    if (t.y_end - t.y_begin < args->kernel_height || t.x_end - t.x_begin < args->kernel_width) {
        add_outside(args, e, t, block->b, start);
    }
    const ptrdiff_t stride = (ptrdiff_t)args->stride_horizontal * args->input_block;
    const ptrdiff_t offset = (oy * args->stride_vertical - args->pad_top) * args->input.row_stride +
                             ox * stride - (ptrdiff_t)args->pad_left * args->input_block;
    image_rows rows;
    const bool image = pixels >= POINTWISE_PIXELS_1 && block->is_image_stem;
    if (image) image_rows_at(args, t, pixels, offset, rows);
    for (int32_t p = 0; p < pixels;) {
        if (pixels < POINTWISE_PIXELS_1) {
            convolution_sums(args, 1, t, block->b, offset + p * stride, start, values + p * BLOCK);
            p++;
            continue;
        }
        /* The last tile is over some that have their value. */
        if (p > pixels - POINTWISE_PIXELS_1) p = pixels - POINTWISE_PIXELS_1;
        if (image) {
            image_sums(args, POINTWISE_PIXELS_1, t, p, rows, &block->image, start,
                       values + p * BLOCK);
        } else {
            convolution_sums(args, POINTWISE_PIXELS_1, t, block->b, offset + p * stride, start,
                             values + p * BLOCK);
        }
        p += POINTWISE_PIXELS_1;
    }
    const ptrdiff_t column = (ptrdiff_t)ox * PIXEL_BYTES;
    finish_spilled(e, block->kind, block->channels, values, pixels,
                   args->residual.data == NULL ? NULL
                                               : mbn_row_at(&args->residual, block->b, oy) + column,
                   mbn_row_at(&args->output, block->b, oy) + column);
}

static void convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, ELEMENT_BYTES, IMAGE_BYTES);
    assert(mbn_same_blocking(args->blocking, (mbn_blocking){BLOCK, PANEL, DEPTH}));
    const epilogue e = epilogue_of(&args->finish);
    const span whole = inside(args->output_width, args->input_width, args->kernel_width,
                              args->stride_horizontal, args->pad_left);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        convolution_block block;
        begin_block(args, &e, b, &block);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            for (int32_t ox = 0, count; ox < args->output_width; ox += count) {
                const bool alike = ox >= whole.begin && ox < whole.end;
                const int32_t left = alike ? whole.end - ox : 1;
                count = left < RUN_PIXELS ? left : RUN_PIXELS;
                convolution_run(args, &e, &block, count, oy, ox);
            }
        }
    }
}
