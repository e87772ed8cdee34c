/* Networks that read grey images, or alpha: everywhere that counts an image's floats. */
#include "models.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, MAX_FLOATS = HEIGHT * WIDTH * 4 };

static mbn_error error;

static void *make_channel_file(int32_t channels, size_t *size) {
    const mbn_network_options options = {
        .network = "mobilenet_v3_small",
        .width = 0.25,
        .input_height = HEIGHT,
        .input_width = WIDTH,
        .classes = CLASSES,
        .input_channels = channels,
    };
    return make_file(&options, size);
}

static mbn_model *make_channel_model(int32_t channels) {
    size_t size;
    void *file = make_channel_file(channels, &size);
    mbn_model *model = NULL;
    cr_assert_eq(mbn_model_load_memory(file, size, NULL, &model, &error), MBN_OK, "%s",
                 error.message);
    cr_assert_eq(mbn_model_network(model)->input_channels, channels);
    free(file);
    return model;
}

static float *make_inputs(void) {
    float *values = malloc(BATCH * MAX_FLOATS * sizeof *values);
    cr_assert_not_null(values);
    for (int i = 0; i < BATCH * MAX_FLOATS; i++) {
        values[i] = (float)((unsigned)i * 2654435761U % 1000) / 500.0F - 1.0F;
    }
    return values;
}

/* Batches on one thread and on two, bands, features and profiles see the images that single runs
 * see. */
Test(channels, count_in_every_kind_of_run) {
    float *inputs = make_inputs();
    for (int32_t channels = 1; channels <= 4; channels++) {
        mbn_model *model = make_channel_model(channels);
        const size_t floats = (size_t)(HEIGHT * WIDTH * channels);
        float expected[BATCH * CLASSES], got[BATCH * CLASSES];
        mbn_context *context = make_context(model, &(mbn_context_options){.band_rows = -1});
        for (int i = 0; i < BATCH; i++) {
            run_logits(context, inputs + (size_t)i * floats, expected + i * CLASSES);
        }
        cr_expect_arr_neq(expected, expected + CLASSES, CLASSES * sizeof(float));
        mbn_context_free(context);

        static const mbn_context_options ways[] = {
            {.threads = 1}, {.threads = 2}, {.threads = 2, .batch = 2}, {.band_rows = 1}};
        for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
            context = make_context(model, &ways[w]);
            cr_assert_eq(mbn_run(context, inputs, MBN_NHWC, BATCH, MBN_LOGITS, got, &error),
                         MBN_OK);
            cr_expect_arr_eq(got, expected, sizeof got, "%d channels, way %zu", (int)channels, w);
            mbn_context_free(context);
        }

        static const char *const stages[] = {"classifier.3"};
        context = make_context(model, &(mbn_context_options){.stages = stages, .stage_count = 1});
        const mbn_feature_map map = {got, MBN_NHWC};
        cr_assert_eq(mbn_features(context, inputs, MBN_NHWC, BATCH, &map, &error), MBN_OK);
        cr_expect_arr_eq(got, expected, sizeof got, "%d channels, features", (int)channels);
        double *seconds = malloc((size_t)mbn_context_step_count(context) * sizeof *seconds);
        cr_assert_eq(mbn_profile(context, inputs, MBN_NHWC, seconds, NULL, &error), MBN_OK);
        free(seconds);
        mbn_context_free(context);
        mbn_model_free(model);
    }
    free(inputs);
}

static void run_image(mbn_context *context, const mbn_image *image, float *logits) {
    cr_assert_eq(mbn_run_images(context, image, 1, MBN_LOGITS, logits, &error), MBN_OK, "%s",
                 error.message);
}

/* A grey picture in every order gives what its channels give as floats. */
Test(channels, of_images) {
    enum { SIDE = 50 };
    static uint8_t gray[SIDE * SIDE], both[2 * SIDE * SIDE], rgb[3 * SIDE * SIDE],
        rgba[4 * SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        gray[i] = (uint8_t)(i * 7 % 256);
        both[2 * i] = rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = gray[i];
        rgba[4 * i] = rgba[4 * i + 1] = rgba[4 * i + 2] = gray[i];
        both[2 * i + 1] = rgba[4 * i + 3] = 255;
    }
    const mbn_image images[] = {
        {gray, SIDE, SIDE, 0, MBN_GRAY}, {both, SIDE, SIDE, 0, MBN_GRAY_ALPHA},
        {rgb, SIDE, SIDE, 0, MBN_RGB},   {rgb, SIDE, SIDE, 0, MBN_BGR},
        {rgba, SIDE, SIDE, 0, MBN_RGBA}, {rgba, SIDE, SIDE, 0, MBN_BGRA},
    };
    float *input = malloc(MAX_FLOATS * sizeof *input);
    cr_assert_not_null(input);
    for (int32_t channels = 1; channels <= 4; channels++) {
        mbn_model *model = make_channel_model(channels);
        mbn_context *context = make_context(model, NULL);
        float expected[CLASSES], got[CLASSES];
        cr_assert_eq(mbn_preprocess(context, &images[0], input, &error), MBN_OK);
        run_logits(context, input, expected);
        for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
            run_image(context, &images[i], got);
            cr_expect_arr_eq(got, expected, sizeof got, "%d channels, order %d", (int)channels,
                             (int)images[i].order);
        }
        /* Alpha counts where the network has it, and nowhere else. */
        rgba[3] = 0;
        run_image(context, &images[4], got);
        cr_expect_eq(memcmp(got, expected, sizeof got) == 0, channels % 2 == 1, "%d channels",
                     (int)channels);
        rgba[3] = 255;
        mbn_context_free(context);
        mbn_model_free(model);
    }
    free(input);
}

Test(channels, of_model_files) {
    static const struct {
        int32_t channels;
        const char *format, *more;
        const char *message; /* NULL: loads */
    } files[] = {
        {3, "mobilenet/1", "\"input_channels\":\"1\",", NULL}, /* of no meaning in that format */
        {3, "mobilenet/2", "", NULL},
        {3, "mobilenet/2", "\"input_channels\":\"3\",", NULL},
        {3, "mobilenet/2", "\"input_channels\":\"1\",",
         "metadata mean: not one number from -1e+06"},
        {3, "mobilenet/2", "\"input_channels\":\"0\",",
         "metadata input_channels: 0 is not a number"},
        {3, "mobilenet/2", "\"input_channels\":\"5\",",
         "metadata input_channels: 5 is not a number"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t size;
        void *file = make_channel_file(files[i].channels, &size);
        file = with_metadata(file, &size, files[i].format, files[i].more);
        mbn_model *model = NULL;
        const mbn_status status = mbn_model_load_memory(file, size, NULL, &model, &error);
        cr_expect_eq(status, files[i].message == NULL ? MBN_OK : MBN_MALFORMED, "%zu: %s", i,
                     error.message);
        if (files[i].message != NULL) {
            cr_expect_not_null(strstr(error.message, files[i].message), "%s", error.message);
        }
        mbn_model_free(model);
        free(file);
    }
}
