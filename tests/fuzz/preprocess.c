/* Preprocessing: images of any size, stride and order, and parts of such, by any mbn_preprocessing,
 * for networks of 1 to 4 channels.  What is within the documented limits succeeds, reads nothing
 * but its pixels (they lie between guard pages) and gives the same floats however they are stored;
 * what is beyond is an invalid argument. */
#include "choices.h"
#include "input.h"

#include <mobilenet.h>

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <tests/guarded.h>
#include <tests/random.h>

enum { MOST_PIXELS = 1 << 15, MAX_SIDE = 65536 };

/* A network of so many channels, made once. */
static const mbn_model *model_of(int32_t channels) {
    static mbn_model *models[4];
    mbn_model **model = &models[channels - 1];
    if (*model != NULL) return *model;
    const mbn_network_options options = {
        .network = "mobilenet_v1", .width = 0.1, .classes = 1, .input_channels = channels};
    size_t size;
    cr_assert_eq(mbn_network_init(&options, 1, NULL, &size, NULL), MBN_OK);
    void *file = malloc(size);
    cr_assert(file != NULL && mbn_network_init(&options, 1, file, &size, NULL) == MBN_OK);
    cr_assert_eq(mbn_model_load_memory(file, size, NULL, model, NULL), MBN_OK);
    free(file);
    return *model;
}

static float choose_float(choices *c, float low, float high) {
    static const float odd[] = {0.0F, -1.0F, 256.0F, NAN, INFINITY, -INFINITY, 1e38F, 1e-40F};
    if (choose(c, 0, 63) == 63) return odd[choose(c, 0, 7)];
    return low + (high - low) * (float)choose(c, 0, 255) / 255.0F;
}

static mbn_preprocessing choose_preprocessing(choices *c) {
    mbn_preprocessing p = {
        .resize = choose_mostly(c, 0, 200, MAX_SIDE),
        .interpolation = (mbn_interpolation)choose(c, 0, 3),
        .resampling = (mbn_resampling)choose(c, 0, 1),
        .fit = (mbn_fit)choose(c, 0, 3),
    };
    for (int i = 0; i < 4; i++) {
        p.mean[i] = choose_float(c, 0.0F, 1.0F);
        p.standard_deviation[i] = choose_float(c, 0.1F, 1.0F);
        p.fill[i] = choose_float(c, 0.0F, 255.0F);
    }
    if (choose(c, 0, 31) == 31) { /* outside of its enumeration */
        const int32_t value = choose(c, -2, 9), which = choose(c, 0, 3);
        if (which == 0) p.interpolation = (mbn_interpolation)value;
        if (which == 1) p.resampling = (mbn_resampling)value;
        if (which == 2) p.fit = (mbn_fit)value;
        if (which == 3) p.resize = value < 0 ? value : MAX_SIDE - 4 + value;
    }
    return p;
}

/* As mobilenet.h has it. */
static bool is_legal(const mbn_preprocessing *p, int32_t height, int32_t width, int32_t channels) {
    const int32_t shorter = height < width ? height : width;
    bool legal = p->resize >= 0 && p->resize <= MAX_SIDE &&
                 mbn_interpolation_name(p->interpolation) != NULL &&
                 mbn_resampling_name(p->resampling) != NULL && mbn_fit_name(p->fit) != NULL;
    for (int32_t i = 0; legal && i < channels; i++) {
        legal = isfinite(p->mean[i]) && isnormal(p->standard_deviation[i]) &&
                p->standard_deviation[i] > 0.0F && p->fill[i] >= 0.0F && p->fill[i] <= 255.0F;
    }
    return legal &&
           (p->resampling != MBN_RESAMPLING_TENSORFLOW || p->resize == 0 || p->resize >= shorter);
}

static int32_t pixel_bytes(mbn_pixel_order order) {
    static const int32_t bytes[] = {3, 3, 4, 4, 1, 2};
    return bytes[order];
}

/* A side that is now and then as long as it may be. */
static int32_t choose_side(choices *c, int32_t other) {
    const int32_t most = MOST_PIXELS / other < MAX_SIDE ? MOST_PIXELS / other : MAX_SIDE;
    const int32_t usual = most < 160 ? most : 160;
    return choose_mostly(c, 1, usual, most);
}

/* Pixels anywhere in guarded memory, rows apart by `gap` bytes, upwards or downwards. */
static mbn_image lay_out(guarded *memory, const uint8_t *compact, const mbn_image *shape,
                         int32_t gap, bool upwards, guard_side side) {
    const size_t row = (size_t)shape->width * (size_t)pixel_bytes(shape->order);
    const size_t stride = row + (size_t)gap, rows = (size_t)shape->height;
    uint8_t *bytes = guarded_bytes(memory, stride * (rows - 1) + row, side);
    for (size_t y = 0; y < rows; y++) {
        memcpy(bytes + stride * (upwards ? rows - 1 - y : y), compact + y * row, row);
    }
    mbn_image image = *shape;
    image.pixels = upwards ? bytes + stride * (rows - 1) : bytes;
    image.row_stride = upwards ? -(ptrdiff_t)stride : gap > 0 ? (ptrdiff_t)stride : 0;
    return image;
}

/* Sizes, strides and orders that are refused, whatever the pixels. */
static void check_refused(mbn_context *context, const mbn_image *image, choices *c) {
    const ptrdiff_t row = (ptrdiff_t)image->width * pixel_bytes(image->order);
    mbn_image wrong = *image;
    switch (choose(c, 0, 4)) {
    case 0: wrong.width = choose(c, 0, 1) == 0 ? -choose(c, 0, 9) : MAX_SIDE + 1; break;
    case 1: wrong.height = choose(c, 0, 1) == 0 ? -choose(c, 0, 9) : INT32_MAX; break;
    case 2: wrong.order = (mbn_pixel_order)(choose(c, 0, 1) == 0 ? -1 : MBN_GRAY_ALPHA + 1); break;
    case 3: wrong.pixels = NULL; break;
    default:
        if (row == 1) return;
        wrong.row_stride = choose(c, 0, 1) == 0 ? row - 1 : 1 - row;
    }
    mbn_error error = {MBN_OK, ""};
    float output = 0.0F;
    cr_assert_eq(mbn_preprocess(context, &wrong, &output, &error), MBN_INVALID_ARGUMENT);
    cr_assert_neq(error.message[0], '\0');
}

static void check(mbn_context *context, const mbn_preprocessing *p, choices *c) {
    static guarded pixels, floats[2];
    const mbn_network *network = mbn_context_network(context);
    const int32_t channels = network->input_channels;
    const size_t count =
        (size_t)network->input_height * (size_t)network->input_width * (size_t)channels;
    mbn_image shape = {.order = (mbn_pixel_order)choose(c, MBN_RGB, MBN_GRAY_ALPHA)};
    const bool tall = choose(c, 0, 1) == 1;
    const int32_t first = choose_side(c, 1), second = choose_side(c, first);
    shape.width = tall ? second : first;
    shape.height = tall ? first : second;
    const int32_t gap = choose(c, 0, 40);
    const bool upwards = choose(c, 0, 1) == 1;
    const guard_side side = (guard_side)choose(c, GUARD_AFTER, GUARD_MISALIGNED);
    const int32_t kind = choose(c, 0, 3);
    random_state random = {choose_bits(c, 2)};

    const size_t bytes =
        (size_t)shape.width * (size_t)shape.height * (size_t)pixel_bytes(shape.order);
    uint8_t *compact = malloc(bytes);
    cr_assert_not_null(compact);
    for (size_t i = 0; i < bytes; i++) {
        compact[i] = kind == 0 ? 255 : kind == 1 ? 0 : (uint8_t)random_bits(&random);
    }
    mbn_image image = shape;
    image.pixels = compact;
    float *output = guarded_floats(&floats[0], count, side);
    float *other = guarded_floats(&floats[1], count, GUARD_AFTER);
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_preprocess(context, &image, other, &error), MBN_OK, "%s", error.message);
    image = lay_out(&pixels, compact, &shape, gap, upwards, side);
    cr_assert_eq(mbn_preprocess(context, &image, output, &error), MBN_OK, "%s", error.message);
    cr_assert_eq(memcmp(output, other, count * sizeof *output), 0, "strides change the result");
    for (size_t i = 0; i < count; i++) {
        const int32_t channel = (int32_t)(i % (size_t)channels);
        /* Keys's cubics go beyond the pixels' values by less than 1; NaN is none of them. */
        const double scaled = (double)output[i] * (double)p->standard_deviation[channel];
        const double pixel = scaled + (double)p->mean[channel];
        const double slack = 1.0 + 1e-5 * fabs(scaled);
        cr_assert(isinf(output[i]) || (pixel > -slack && pixel < 1.0 + slack),
                  "float %zu is %g, a pixel of %g", i, (double)output[i], pixel);
    }
    check_refused(context, &image, c);
    free(compact);
}

int fuzz_input(const uint8_t *data, size_t size) {
    choices c = {data, size};
    const int32_t channels = choose(&c, 1, 4);
    const mbn_preprocessing p = choose_preprocessing(&c);
    const mbn_context_options options = {
        .input_height = choose(&c, 32, 99),
        .input_width = choose(&c, 32, 99),
        .preprocessing = &p,
    };
    mbn_context *context = NULL;
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = mbn_context_create(model_of(channels), &options, &context, &error);
    const bool legal = is_legal(&p, options.input_height, options.input_width, channels);
    cr_assert_eq(status, legal ? MBN_OK : MBN_INVALID_ARGUMENT, "%s", error.message);
    if (legal) check(context, &p, &c);
    mbn_context_free(context);
    return 0;
}
