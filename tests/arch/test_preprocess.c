#include <arch/run/preprocess.h>
#include <tests/guarded.h>

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Images, by the formulas of tests/golden/make_preprocess.py ------------------------------ */

enum pattern { NOISE, BINARY, RAMP };

struct golden {
    enum pattern pattern;
    int32_t channels, width, height;
    mbn_interpolation interpolation;
    mbn_fit fit;
    float fill;
    int32_t resize, output_height, output_width;
    uint32_t crc;      /* of the output: 8 bits per channel, or the floats in little-endian; RGB */
    const char *bytes; /* the output in hexadecimal; NULL where it is large */
};

#include <tests/golden/preprocess_pillow.h>
#include <tests/golden/preprocess_tensorflow.h>

static uint8_t pattern_byte(enum pattern pattern, int32_t width, int32_t channels, int32_t x,
                            int32_t y, int32_t c) {
    if (pattern == RAMP) return (uint8_t)(7 * x + 5 * y + 85 * c);
    uint32_t value = (uint32_t)((y * width + x) * channels + c) * 0x9E3779B9U;
    value ^= value >> 16;
    value *= 0x7FEB352DU;
    value ^= value >> 15;
    if (pattern == BINARY) return value >> 31 ? 255 : 0;
    return (uint8_t)(value >> 24);
}

/* Where red, green and blue are in a pixel. */
static const struct layout {
    mbn_pixel_order order;
    int32_t pixel_bytes, position[3];
} layouts[] = {
    {MBN_RGB, 3, {0, 1, 2}},  {MBN_BGR, 3, {2, 1, 0}},  {MBN_RGBA, 4, {0, 1, 2}},
    {MBN_BGRA, 4, {2, 1, 0}}, {MBN_GRAY, 1, {0, 0, 0}},
};

/* How rows lie in memory. */
enum rows { TIGHT, PART_OF_A_FRAME, UPSIDE_DOWN };
static const char *const rows_names[] = {"tight", "part of a frame", "upside down"};

/* An image in guarded memory; alpha and the rest of the frame are noise. */
static mbn_image draw(const struct golden *golden, const struct layout *layout, enum rows rows,
                      guarded *memory, guard_side side) {
    const int32_t row = golden->width * layout->pixel_bytes;
    const int32_t stride = rows == PART_OF_A_FRAME ? row + 13 : row;
    const size_t size = (size_t)(golden->height - 1) * (size_t)stride + (size_t)row;
    uint8_t *bytes = guarded_bytes(memory, size, side);
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 77 + 191);
    uint8_t *top = rows == UPSIDE_DOWN ? bytes + (ptrdiff_t)(golden->height - 1) * stride : bytes;
    const int32_t step = rows == UPSIDE_DOWN ? -stride : stride;
    for (int32_t y = 0; y < golden->height; y++) {
        uint8_t *line = top + (ptrdiff_t)y * step;
        for (int32_t x = 0; x < golden->width; x++) {
            for (int32_t c = 0; c < golden->channels; c++) {
                line[x * layout->pixel_bytes + layout->position[c]] =
                    pattern_byte(golden->pattern, golden->width, golden->channels, x, y, c);
            }
        }
    }
    return (mbn_image){top, golden->width, golden->height, rows == TIGHT ? 0 : step, layout->order};
}

/* ---- Running ------------------------------------------------------------------------------- */

enum { SCRATCH_ALIGNMENT = 64, CANARY = 0x5a };

static const mbn_preprocessing plain = {.standard_deviation = {1, 1, 1}};

/* Runs with scratch of exactly the size asked for. */
static mbn_status run(const mbn_preprocessing *preprocessing, const mbn_image *image,
                      int32_t height, int32_t width, guard_side side, float *output,
                      mbn_error *error) {
    const size_t bytes = mbn_preprocess_scratch_bytes(preprocessing, width, 3);
    const size_t rounded = (bytes + SCRATCH_ALIGNMENT - 1) / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT;
    guarded memory = {0};
    uint8_t *scratch = guarded_bytes(&memory, rounded, side);
    memset(scratch, CANARY, rounded);
    const mbn_status status =
        mbn_preprocess_image(preprocessing, image, height, width, 3, scratch, output, error);
    for (size_t i = bytes; i < rounded; i++) {
        cr_assert_eq(scratch[i], CANARY, "scratch of %zu bytes overrun", bytes);
    }
    guarded_free(&memory);
    return status;
}

static uint32_t crc32_of(const uint8_t *bytes, size_t size) {
    uint32_t crc = ~0U;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
    }
    return ~crc;
}

/* Compares with the bytes that the source gave, `pixel_bytes` of them for a pixel. */
static void check_bytes(const char *label, const struct golden *golden, const uint8_t *got,
                        size_t size, size_t pixel_bytes) {
    if (golden->bytes != NULL) {
        cr_assert_eq(strlen(golden->bytes), 2 * size, "%s", label);
        for (size_t i = 0; i < size; i++) {
            unsigned expected;
            cr_assert_eq(sscanf(golden->bytes + 2 * i, "%2x", &expected), 1, "%s", label);
            const size_t pixel = i / pixel_bytes, width = (size_t)golden->output_width;
            cr_assert_eq(got[i], expected, "%s: row %zu, column %zu, byte %zu: %d, not %u", label,
                         pixel / width, pixel % width, i % pixel_bytes, got[i], expected);
        }
    }
    cr_assert_eq(crc32_of(got, size), golden->crc, "%s: another CRC-32", label);
}

static void check_8_bits(const char *label, const struct golden *golden, const float *output,
                         size_t count) {
    uint8_t *bytes = malloc(count);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)lrintf(output[i] * 255);
        cr_assert_eq(output[i], (float)(bytes[i] / 255.0), "%s: %a is no 8-bit value", label,
                     (double)output[i]);
    }
    check_bytes(label, golden, bytes, count, 3);
    free(bytes);
}

static void check_floats(const char *label, const struct golden *golden, const float *output,
                         size_t count) {
    uint8_t *bytes = malloc(4 * count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &output[i], sizeof bits);
        for (size_t byte = 0; byte < 4; byte++) bytes[4 * i + byte] = (uint8_t)(bits >> 8 * byte);
    }
    check_bytes(label, golden, bytes, 4 * count, 12);
    free(bytes);
}

static void check_golden(const struct golden *golden, mbn_resampling resampling,
                         const struct layout *layout, enum rows rows, guard_side side) {
    char label[160];
    snprintf(label, sizeof label, "pattern %d, %dx%d, %s %s %s %d, to %dx%d, order %d, %s",
             (int)golden->pattern, golden->width, golden->height, mbn_resampling_name(resampling),
             mbn_interpolation_name(golden->interpolation), mbn_fit_name(golden->fit),
             golden->resize, golden->output_width, golden->output_height, (int)layout->order,
             rows_names[rows]);
    describe_case("%s", label);
    guarded pixel_memory = {0}, output_memory = {0};
    const mbn_image image = draw(golden, layout, rows, &pixel_memory, side);
    const size_t count = 3 * (size_t)golden->output_height * (size_t)golden->output_width;
    float *output = guarded_floats(&output_memory, count, side);
    const float fill = golden->fill;
    const mbn_preprocessing preprocessing = {.standard_deviation = {1, 1, 1},
                                             .resize = golden->resize,
                                             .interpolation = golden->interpolation,
                                             .resampling = resampling,
                                             .fit = golden->fit,
                                             .fill = {fill, fill, fill}};
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = run(&preprocessing, &image, golden->output_height,
                                  golden->output_width, side, output, &error);
    cr_assert_eq(status, MBN_OK, "%s: %s", label, error.message);
    if (resampling == MBN_RESAMPLING_PILLOW) {
        check_8_bits(label, golden, output, count);
    } else {
        check_floats(label, golden, output, count);
    }
    guarded_free(&output_memory);
    guarded_free(&pixel_memory);
}

static void check_goldens(const struct golden *goldens, size_t count, mbn_resampling resampling,
                          guard_side side) {
    for (size_t i = 0; i < count; i++) {
        for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++) {
            if ((goldens[i].channels == 1) != (layouts[l].order == MBN_GRAY)) continue;
            for (int rows = TIGHT; rows <= UPSIDE_DOWN; rows++) {
                /* Of large outputs one way each, to save time. */
                if (goldens[i].output_width > 100 && (i + l) % 3 != (size_t)rows) continue;
                check_golden(&goldens[i], resampling, &layouts[l], (enum rows)rows, side);
            }
        }
    }
}

static void check_pillow(guard_side side) {
    check_goldens(pillow_goldens, sizeof pillow_goldens / sizeof *pillow_goldens,
                  MBN_RESAMPLING_PILLOW, side);
}

static void check_tensorflow(guard_side side) {
    check_goldens(tensorflow_goldens, sizeof tensorflow_goldens / sizeof *tensorflow_goldens,
                  MBN_RESAMPLING_TENSORFLOW, side);
}

Test(preprocess, equals_pillow_torchvision_and_timm) {
    check_pillow(GUARD_AFTER);
}

Test(preprocess, equals_pillow_torchvision_and_timm_behind_a_guard) {
    check_pillow(GUARD_BEFORE);
}

Test(preprocess, equals_tensorflow_and_keras) {
    check_tensorflow(GUARD_AFTER);
}

Test(preprocess, equals_tensorflow_and_keras_behind_a_guard) {
    check_tensorflow(GUARD_BEFORE);
}

/* ---- Normalisation ------------------------------------------------------------------------- */

Test(preprocess, normalises_each_channel) {
    static const mbn_preprocessing imagenet = {.mean = {0.485f, 0.456f, 0.406f},
                                               .standard_deviation = {0.229f, 0.224f, 0.225f}};
    uint8_t pixels[256];
    for (int i = 0; i < 256; i++) pixels[i] = (uint8_t)i;
    const mbn_image image = {pixels, 256, 1, 0, MBN_GRAY};
    float got[256 * 3];
    cr_assert_eq(run(&imagenet, &image, 1, 256, GUARD_AFTER, got, NULL), MBN_OK);
    for (int i = 0; i < 256; i++) {
        for (int c = 0; c < 3; c++) {
            const double expected =
                (i / 255.0 - (double)imagenet.mean[c]) / (double)imagenet.standard_deviation[c];
            cr_expect_eq(got[3 * i + c], (float)expected, "value %d, channel %d", i, c);
        }
    }
}

Test(preprocess, normalises_the_padding_as_black) {
    static const mbn_preprocessing preprocessing = {
        .mean = {0.5f, 0.25f, 0.125f}, .standard_deviation = {0.5f, 1, 2}, .resize = 2};
    static const uint8_t white[12] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const float black[3] = {-1, -0.25f, -0.0625f}, bright[3] = {1, 0.75f, 0.4375f};
    const mbn_image image = {white, 2, 2, 0, MBN_RGB};
    float got[5 * 4 * 3];
    cr_assert_eq(run(&preprocessing, &image, 5, 4, GUARD_AFTER, got, NULL), MBN_OK);
    for (int y = 0; y < 5; y++) {
        for (int x = 0; x < 4; x++) {
            /* 3 spare rows and 2 spare columns: 1 before, the rest after. */
            const float *expected = y >= 1 && y < 3 && x >= 1 && x < 3 ? bright : black;
            cr_expect_arr_eq(got + (y * 4 + x) * 3, expected, 3 * sizeof(float),
                             "row %d, column %d", y, x);
        }
    }
}

/* ---- Arguments ----------------------------------------------------------------------------- */

static const uint8_t some_pixels[64];
static const mbn_image good_image = {some_pixels, 4, 4, 0, MBN_RGBA};

static void expect_failure(const mbn_preprocessing *preprocessing, const mbn_image *image,
                           int32_t height, int32_t width, const char *message) {
    float output[3 * 4] = {42};
    /* More than these sizes need; the failing ones must not touch it. */
    static uint32_t scratch[1 << 18];
    mbn_error error = {MBN_OK, ""};
    cr_expect_eq(
        mbn_preprocess_image(preprocessing, image, height, width, 3, scratch, output, &error),
        MBN_INVALID_ARGUMENT, "%s", message);
    cr_expect_eq(error.status, MBN_INVALID_ARGUMENT, "%s", message);
    cr_expect_not_null(strstr(error.message, message), "\"%s\" is not in \"%s\"", message,
                       error.message);
    cr_expect_eq(output[0], 42, "%s: output was touched", message);
    cr_expect_eq(
        mbn_preprocess_image(preprocessing, image, height, width, 3, scratch, output, NULL),
        MBN_INVALID_ARGUMENT, "%s", message);
}

Test(preprocess, refuses_null) {
    mbn_image no_pixels = good_image;
    no_pixels.pixels = NULL;
    float output[12];
    uint8_t scratch[1];
    expect_failure(NULL, &good_image, 2, 2, "NULL");
    expect_failure(&plain, NULL, 2, 2, "NULL");
    expect_failure(&plain, &no_pixels, 2, 2, "NULL");
    cr_expect_eq(mbn_preprocess_image(&plain, &good_image, 2, 2, 3, NULL, output, NULL),
                 MBN_INVALID_ARGUMENT);
    cr_expect_eq(mbn_preprocess_image(&plain, &good_image, 2, 2, 3, scratch, NULL, NULL),
                 MBN_INVALID_ARGUMENT);
}

Test(preprocess, refuses_sizes_out_of_range) {
    static const int32_t sizes[] = {0, -1, 65537, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char message[64];
        mbn_image image = good_image;
        image.width = sizes[i];
        snprintf(message, sizeof message, "image: height 4, width %d: not 1 to 65536", sizes[i]);
        expect_failure(&plain, &image, 2, 2, message);
        image = good_image;
        image.height = sizes[i];
        snprintf(message, sizeof message, "image: height %d, width 4: not 1 to 65536", sizes[i]);
        expect_failure(&plain, &image, 2, 2, message);
        snprintf(message, sizeof message, "output: height %d, width 2: not 1 to 65536", sizes[i]);
        expect_failure(&plain, &good_image, sizes[i], 2, message);
        snprintf(message, sizeof message, "output: height 2, width %d: not 1 to 65536", sizes[i]);
        expect_failure(&plain, &good_image, 2, sizes[i], message);
        if (sizes[i] == 0) continue;
        mbn_preprocessing preprocessing = plain;
        preprocessing.resize = sizes[i];
        snprintf(message, sizeof message, "preprocessing.resize: %d: not 0 to 65536", sizes[i]);
        expect_failure(&preprocessing, &good_image, 2, 2, message);
    }
}

Test(preprocess, refuses_unknown_orders) {
    mbn_image image = good_image;
    image.order = (mbn_pixel_order)6;
    expect_failure(&plain, &image, 2, 2, "image: unknown pixel order 6");
}

Test(preprocess, refuses_strides_smaller_than_a_row) {
    static const ptrdiff_t strides[] = {1, -1, 15, -15};
    mbn_image image = good_image;
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        char message[80];
        image.row_stride = strides[i];
        snprintf(message, sizeof message, "row_stride %td is smaller than a row of 16 bytes",
                 strides[i]);
        expect_failure(&plain, &image, 2, 2, message);
    }
}
