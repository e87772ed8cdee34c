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

enum { IMAGE_KERNEL = 3 };

/* Whether that serves, as it does for every MobileNet's stem: 3x3, stride 2. */
static bool has_image_rows(const mbn_convolution_args *args) {
    return args->input_block == IMAGE_BLOCK && args->input_channels <= IMAGE_BLOCK &&
           args->kernel_height == IMAGE_KERNEL && args->kernel_width == IMAGE_KERNEL &&
           (VEC_QUADS ? args->stride_horizontal == 2 : args->stride_horizontal <= 2);
}

MBN_INLINE void start_from(int32_t pixels, const int32_t *values, ptrdiff_t stride,
                           sums acc[16][4]) {
    MBN_UNROLL
    for (int32_t i = 0; i < pixels; i++) acc[i][0] = sums_load(values + i * stride);
}

/* Rows of an interleaved image, those that a run's taps are in: each tap is an operand. */
#if VEC_QUADS
typedef const char *image_rows[IMAGE_KERNEL];

static void image_rows_at(const mbn_convolution_args *args, taps t, int32_t pixels,
                          ptrdiff_t offset, image_rows rows) {
    (void)pixels;
    for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
        rows[ky] = mbn_at(&args->input, offset + ky * args->input.row_stride);
    }
}

MBN_INLINE operand image_operand(const char *x, int32_t i) {
    return operand_broadcast(x + i);
}
#else
enum { IMAGE_COLUMNS = 2 * (RUN_PIXELS - 1) + IMAGE_KERNEL };
typedef int16_t image_rows[IMAGE_KERNEL][IMAGE_COLUMNS * IMAGE_BLOCK];

/* From the first tap of the first of `pixels` outputs on, which is at `offset`; a row's taps are
 * all inside the plane. */
static void image_rows_at(const mbn_convolution_args *args, taps t, int32_t pixels,
                          ptrdiff_t offset, image_rows rows) {
    const int32_t columns = (pixels - 1) * args->stride_horizontal + IMAGE_KERNEL;
    const int32_t bytes = columns * IMAGE_BLOCK;
    for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
        const char *from = mbn_at(&args->input, offset + ky * args->input.row_stride);
        int16_t *out = rows[ky];
        int32_t i = 0;
        for (; i + BLOCK <= bytes; i += BLOCK) pixel_widen(from + i, out + i);
        for (; i < bytes; i++) out[i] = (uint8_t)from[i];
    }
}

MBN_INLINE operand image_operand(const int16_t *x, int32_t i) {
    return operand_widened(x + i);
}
#endif

/* The sums of `pixels`, a constant, from number p of a run on. */
MBN_INLINE void image_sums(const mbn_convolution_args *args, int32_t pixels, taps t, int32_t b,
                           int32_t p, image_rows rows, const int32_t *start, int32_t *values) {
    const int32_t stride = (VEC_QUADS ? 2 : args->stride_horizontal) * IMAGE_BLOCK;
    sums acc[16][4];
    start_from(pixels, start, 0, acc);
    const char *weights = mbn_weights_at(&args->operands, b);
    for (int32_t pass = passes_of(&args->operands);;) {
        for (int32_t ky = t.y_begin; ky < t.y_end; ky++) {
            const char *w = weights + (ptrdiff_t)ky * IMAGE_KERNEL * STEP_BYTES;
            MBN_UNROLL
            for (int32_t kx = 0; kx < IMAGE_KERNEL; kx++) {
                const packed row = packed_load(w + kx * STEP_BYTES);
                MBN_UNROLL
                for (int32_t i = 0; i < pixels; i++) {
                    const operand x = image_operand(rows[ky], (p + i) * stride + kx * IMAGE_BLOCK);
                    acc[i][0] = operand_dot(x, row, acc[i][0]);
                }
            }
        }
        spill_pixels(pixels, 0, acc, values);
        if (--pass == 0) return;
        weights += IMAGE_KERNEL * IMAGE_KERNEL * STEP_BYTES;
        double_sums((const char *)start, pixels, values);
        start_from(pixels, values, BLOCK, acc);
    }
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

/* Output row oy, `pixels` columns from ox on, at most RUN_PIXELS, whose taps are alike. */
static void convolution_run(const mbn_convolution_args *args, const epilogue *e, int32_t pixels,
                            int32_t b, int32_t oy, int32_t ox) {
    const taps t = taps_at(args, oy, ox);
    const char *channels = mbn_bias_at(&args->operands, b);
    const int64_t products =
        (int64_t)args->kernel_height * args->kernel_width * args->input_channels;
    const enum finish_kind kind = finish_kind_of(
        e, channels, products < INT32_MAX ? (int32_t)products : INT32_MAX, args->operands.wide);
    int32_t start[BLOCK], values[RUN_PIXELS * BLOCK + SUMS_BEYOND];
    memcpy(start, start_at(kind, channels), sizeof start);
    if (t.y_end - t.y_begin < args->kernel_height || t.x_end - t.x_begin < args->kernel_width) {
        add_outside(args, e, t, b, start);
    }
    const ptrdiff_t stride = (ptrdiff_t)args->stride_horizontal * args->input_block;
    const ptrdiff_t offset = (oy * args->stride_vertical - args->pad_top) * args->input.row_stride +
                             ox * stride - (ptrdiff_t)args->pad_left * args->input_block;
    image_rows rows;
    const bool image = pixels >= POINTWISE_PIXELS_1 && has_image_rows(args);
    if (image) image_rows_at(args, t, pixels, offset, rows);
    for (int32_t p = 0; p < pixels;) {
        if (pixels < POINTWISE_PIXELS_1) {
            convolution_sums(args, 1, t, b, offset + p * stride, start, values + p * BLOCK);
            p++;
            continue;
        }
        /* The last tile is over some that have their value. */
        if (p > pixels - POINTWISE_PIXELS_1) p = pixels - POINTWISE_PIXELS_1;
        if (image) {
            image_sums(args, POINTWISE_PIXELS_1, t, b, p, rows, start, values + p * BLOCK);
        } else {
            convolution_sums(args, POINTWISE_PIXELS_1, t, b, offset + p * stride, start,
                             values + p * BLOCK);
        }
        p += POINTWISE_PIXELS_1;
    }
    const ptrdiff_t column = (ptrdiff_t)ox * PIXEL_BYTES;
    finish_spilled(e, kind, channels, values, pixels,
                   args->residual.data == NULL ? NULL : mbn_row_at(&args->residual, b, oy) + column,
                   mbn_row_at(&args->output, b, oy) + column);
}

static void convolution(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, ELEMENT_BYTES, IMAGE_BYTES);
    assert(mbn_same_blocking(args->blocking, (mbn_blocking){BLOCK, PANEL, DEPTH}));
    const epilogue e = epilogue_of(&args->finish);
    const span whole = inside(args->output_width, args->input_width, args->kernel_width,
                              args->stride_horizontal, args->pad_left);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            for (int32_t ox = 0, count; ox < args->output_width; ox += count) {
                const bool alike = ox >= whole.begin && ox < whole.end;
                const int32_t left = alike ? whole.end - ox : 1;
                count = left < RUN_PIXELS ? left : RUN_PIXELS;
                convolution_run(args, &e, count, b, oy, ox);
            }
        }
    }
}
