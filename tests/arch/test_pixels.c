/* Images of every order for networks of 1 to 4 channels, against Pillow. */
#include <arch/run/preprocess.h>
#include <tests/guarded.h>

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tests/golden/pixels.h>

/* Where the stored channels are in a pixel. */
static const struct layout {
    mbn_pixel_order order;
    int32_t stored;
    int32_t position[4];
} layouts[] = {
    {MBN_GRAY, 1, {0}},      {MBN_GRAY_ALPHA, 2, {0, 1}}, {MBN_RGB, 3, {0, 1, 2}},
    {MBN_BGR, 3, {2, 1, 0}}, {MBN_RGBA, 4, {0, 1, 2, 3}}, {MBN_BGRA, 4, {2, 1, 0, 3}},
};

/* As make_pixels.py has it. */
static uint8_t noise(int32_t index, bool alpha) {
    uint32_t value = (uint32_t)index * 0x9E3779B9U;
    value ^= value >> 16;
    value *= 0x7FEB352DU;
    value ^= value >> 15;
    const int32_t byte = (int32_t)(value >> 24), spread = 2 * byte - 128;
    return (uint8_t)(!alpha ? byte : spread < 0 ? 0 : spread > 255 ? 255 : spread);
}

static mbn_image draw(const struct golden *g, const struct layout *layout, guarded *memory,
                      guard_side side) {
    const int32_t channels = g->stored;
    uint8_t *bytes = guarded_bytes(memory, (size_t)(g->width * g->height * channels), side);
    for (int32_t i = 0; i < g->width * g->height; i++) {
        for (int32_t c = 0; c < channels; c++) {
            const bool alpha = channels % 2 == 0 && c == channels - 1;
            bytes[i * channels + layout->position[c]] = noise(i * channels + c, alpha);
        }
    }
    return (mbn_image){
        .pixels = bytes, .width = g->width, .height = g->height, .order = layout->order};
}

static void check(const struct golden *g, const struct layout *layout, guard_side side) {
    enum { MOST = 36 * 4 };
    static const mbn_preprocessing plain = {.standard_deviation = {1, 1, 1, 1}};
    mbn_preprocessing preprocessing = plain;
    preprocessing.resize = g->resize;
    preprocessing.interpolation = g->interpolation;
    describe_case("order %d, %d channels, %dx%d, %s, resize %d, to %dx%d", (int)layout->order,
                  (int)g->channels, (int)g->width, (int)g->height,
                  mbn_interpolation_name(g->interpolation), (int)g->resize, (int)g->output_width,
                  (int)g->output_height);
    const size_t count = (size_t)(g->output_height * g->output_width * g->channels);
    cr_assert(count <= MOST && strlen(g->bytes) == 2 * count, "%s", described_case());
    guarded pixels = {0}, floats = {0}, scratch = {0};
    const mbn_image image = draw(g, layout, &pixels, side);
    float *output = guarded_floats(&floats, count, side);
    const size_t bytes = mbn_preprocess_scratch_bytes(&preprocessing, g->output_width, g->channels);
    void *memory = guarded_bytes(&scratch, (bytes + 63) / 64 * 64, side);
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_preprocess_image(&preprocessing, &image, g->output_height, g->output_width,
                                      g->channels, memory, output, &error),
                 MBN_OK, "%s: %s", described_case(), error.message);
    for (size_t i = 0; i < count; i++) {
        unsigned expected;
        cr_assert_eq(sscanf(g->bytes + 2 * i, "%2x", &expected), 1);
        cr_assert_eq(output[i], (float)(expected / 255.0), "%s: value %zu: %g, not %u",
                     described_case(), i, 255 * (double)output[i], expected);
    }
    guarded_free(&scratch);
    guarded_free(&floats);
    guarded_free(&pixels);
}

Test(pixels, are_pillows) {
    int cases = 0;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        for (size_t l = 0; l < sizeof layouts / sizeof layouts[0]; l++) {
            if (layouts[l].stored != goldens[i].stored) continue;
            check(&goldens[i], &layouts[l], GUARD_AFTER);
            check(&goldens[i], &layouts[l], GUARD_BEFORE);
            cases++;
        }
    }
    cr_expect_eq(cases, 6 * 4 * 10);
}

/* Channel c of a pixel for a network of `channels`, by the definitions. */
static uint8_t channel_of(const struct layout *layout, const uint8_t *pixel, int32_t channels,
                          int32_t c) {
    const bool wants_alpha = channels % 2 == 0 && c == channels - 1;
    if (wants_alpha)
        return layout->stored % 2 == 0 ? pixel[layout->position[layout->stored - 1]] : 255;
    if (layout->stored < 3) return pixel[0];
    if (channels > 2) return pixel[layout->position[c]];
    return (uint8_t)((pixel[layout->position[0]] * 19595 + pixel[layout->position[1]] * 38470 +
                      pixel[layout->position[2]] * 7471 + 0x8000) >>
                     16);
}

/* TensorFlow resizes each channel by itself: as a grey image of it. */
Test(pixels, keep_their_channels_apart_in_tensorflow) {
    enum { WIDE = 9, HIGH = 7, ROWS = 4, COLUMNS = 6 };
    const struct golden shape = {.width = WIDE, .height = HIGH};
    static uint32_t scratch[1 << 12];
    for (int i = 0; i < 4; i++) {
        for (size_t l = 0; l < sizeof layouts / sizeof layouts[0]; l++) {
            guarded pixels = {0};
            struct golden g = shape;
            g.stored = layouts[l].stored;
            const mbn_image image = draw(&g, &layouts[l], &pixels, GUARD_AFTER);
            for (int32_t channels = 1; channels <= 4; channels++) {
                mbn_preprocessing p = {.standard_deviation = {1, 1, 1, 1},
                                       .interpolation = (mbn_interpolation)i,
                                       .resampling = MBN_RESAMPLING_TENSORFLOW,
                                       .fit = MBN_FIT_LETTERBOX,
                                       .fill = {10, 20, 30, 40}};
                float together[ROWS * COLUMNS * 4], alone[ROWS * COLUMNS];
                cr_assert_eq(mbn_preprocess_image(&p, &image, ROWS, COLUMNS, channels, scratch,
                                                  together, NULL),
                             MBN_OK);
                for (int32_t c = 0; c < channels; c++) {
                    uint8_t plane[HIGH * WIDE];
                    for (int32_t j = 0; j < HIGH * WIDE; j++) {
                        plane[j] =
                            channel_of(&layouts[l], image.pixels + j * g.stored, channels, c);
                    }
                    const mbn_image grey = {plane, WIDE, HIGH, 0, MBN_GRAY};
                    mbn_preprocessing single = p;
                    single.fill[0] = p.fill[c];
                    cr_assert_eq(mbn_preprocess_image(&single, &grey, ROWS, COLUMNS, 1, scratch,
                                                      alone, NULL),
                                 MBN_OK);
                    for (int32_t j = 0; j < ROWS * COLUMNS; j++) {
                        cr_assert_eq(together[channels * j + c], alone[j],
                                     "%s, order %d, channel %d of %d, pixel %d",
                                     mbn_interpolation_name(p.interpolation), (int)layouts[l].order,
                                     (int)c, (int)channels, (int)j);
                    }
                }
            }
            guarded_free(&pixels);
        }
    }
}

Test(pixels, have_their_own_mean_and_deviation) {
    static const mbn_preprocessing preprocessing = {
        .mean = {0.5F, 0.25F, 0.125F, 1.0F}, .standard_deviation = {0.5F, 1.0F, 2.0F, 0.25F}};
    static const uint8_t pixel[4] = {255, 0, 51, 204};
    static uint32_t scratch[1 << 18];
    const mbn_image image = {.pixels = pixel, .width = 1, .height = 1, .order = MBN_RGBA};
    for (int32_t channels = 1; channels <= 4; channels++) {
        float got[4] = {9, 9, 9, 9};
        cr_assert_eq(
            mbn_preprocess_image(&preprocessing, &image, 1, 1, channels, scratch, got, NULL),
            MBN_OK);
        const uint8_t gray = 82; /* 0.299 * 255 + 0.114 * 51 = 82.06 */
        const uint8_t values[4][4] = {{gray}, {gray, 204}, {255, 0, 51}, {255, 0, 51, 204}};
        for (int32_t c = 0; c < 4; c++) {
            const double normal =
                (values[channels - 1][c] / 255.0 - (double)preprocessing.mean[c]) /
                (double)preprocessing.standard_deviation[c];
            cr_expect_eq(got[c], c < channels ? (float)normal : 9.0F, "channel %d of %d", (int)c,
                         (int)channels);
        }
    }
}
