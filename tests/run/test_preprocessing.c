/* Preprocessing from the model file, and instead of it. */
#include "models.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static mbn_error error;

static mbn_status load(const char *format, const char *more, mbn_model **model) {
    const mbn_network_options options = {.network = "mobilenet_v2",
                                         .width = 0.25,
                                         .input_height = HEIGHT,
                                         .input_width = WIDTH,
                                         .classes = CLASSES};
    size_t size;
    void *file = make_file(&options, &size);
    file = with_metadata(file, &size, format, more);
    static const char resize[] = "\"resize\":\"0\"";
    char *at = file;
    while (memcmp(at, resize, sizeof resize - 1) != 0) at++;
    at[1] = 'R'; /* not this one, but that of `more` */
    *model = NULL;
    error = (mbn_error){MBN_OK, ""};
    const mbn_status status = mbn_model_load_memory(file, size, NULL, model, &error);
    free(file);
    return status;
}

static const struct file {
    const char *format, *more;
    mbn_preprocessing expected; /* mean and deviation aside */
} files[] = {
    {"mobilenet/1", "", {.resize = 0}},
    {"mobilenet/1", /* which they are of no meaning in */
     "\"resize\":\"9\",\"interpolation\":\"area\",\"fit\":\"squash\",\"fill\":\"[9,9,9]\",",
     {.resize = 9}},
    {"mobilenet/2", "", {.resize = 0}},
    {"mobilenet/2",
     "\"interpolation\":\"bilinear\",\"resampling\":\"pillow\",\"fit\":\"crop\",\"fill\":\"[0,0,0]"
     "\",",
     {.resize = 0}},
    {"mobilenet/2",
     "\"resize\":\"9\",\"interpolation\":\"bicubic\",\"fit\":\"squash\",",
     {.resize = 9, .interpolation = MBN_INTERPOLATION_BICUBIC, .fit = MBN_FIT_SQUASH}},
    {"mobilenet/2",
     "\"interpolation\":\"nearest\",\"fit\":\"letterbox\",\"fill\":\"[124, 116.5, 255]\",",
     {.interpolation = MBN_INTERPOLATION_NEAREST,
      .fit = MBN_FIT_LETTERBOX,
      .fill = {124, 116.5F, 255}}},
    {"mobilenet/2",
     "\"interpolation\":\"area\",\"resampling\":\"tensorflow\",\"fit\":\"cover\",",
     {.interpolation = MBN_INTERPOLATION_AREA,
      .resampling = MBN_RESAMPLING_TENSORFLOW,
      .fit = MBN_FIT_COVER}},
};

Test(preprocessing, is_read_from_the_file) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        mbn_model *model;
        cr_assert_eq(load(files[i].format, files[i].more, &model), MBN_OK, "%s", error.message);
        mbn_preprocessing got;
        memset(&got, 0x5a, sizeof got);
        mbn_model_preprocessing(model, &got);
        const mbn_preprocessing *expected = &files[i].expected;
        cr_expect_eq(got.resize, expected->resize, "%zu", i);
        cr_expect_eq(got.interpolation, expected->interpolation, "%zu", i);
        cr_expect_eq(got.resampling, expected->resampling, "%zu", i);
        cr_expect_eq(got.fit, expected->fit, "%zu", i);
        cr_expect_arr_eq(got.fill, expected->fill, 3 * sizeof got.fill[0], "%zu", i);
        mbn_model_free(model);
    }
}

Test(preprocessing, of_a_file_names_the_key_that_is_wrong) {
    static const char *const wrong[][2] = {
        {"\"interpolation\":\"lanczos\",", "metadata interpolation: unknown value: lanczos"},
        {"\"interpolation\":\"\",", "metadata interpolation: unknown value: "},
        {"\"resampling\":\"opencv\",", "metadata resampling: unknown value: opencv"},
        {"\"fit\":\"Crop\",", "metadata fit: unknown value: Crop"},
        {"\"fill\":\"0\",", "metadata fill: not three numbers from 0 to 255: 0"},
        {"\"fill\":\"[0,0]\",", "metadata fill: not three numbers from 0 to 255: [0,0]"},
        {"\"fill\":\"[0,0,256]\",", "metadata fill: not three numbers from 0 to 255"},
        {"\"fill\":\"[0,-1,0]\",", "metadata fill: not three numbers from 0 to 255"},
        {"\"fill\":\"[0,0\",", "metadata fill: not JSON"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mbn_model *model;
        cr_expect_eq(load("mobilenet/2", wrong[i][0], &model), MBN_MALFORMED, "%s", wrong[i][0]);
        cr_expect_null(model);
        cr_expect_not_null(strstr(error.message, wrong[i][1]), "%s: %s", wrong[i][0],
                           error.message);
    }
}

/* A white image of 40x20 in a context of the size given: how many rows at the top are filled. */
static int32_t filled_rows(mbn_context *context) {
    static uint8_t pixels[40 * 20 * 3];
    memset(pixels, 255, sizeof pixels);
    const mbn_image image = {pixels, 40, 20, 0, MBN_RGB};
    const mbn_network *network = mbn_context_network(context);
    const size_t row = (size_t)network->input_width * 3;
    float *input = malloc((size_t)network->input_height * row * sizeof *input);
    cr_assert_not_null(input);
    cr_assert_eq(mbn_preprocess(context, &image, input, &error), MBN_OK, "%s", error.message);
    int32_t rows = 0;
    while (rows < network->input_height && input[(size_t)rows * row + row / 2] < 0) rows++;
    free(input);
    return rows;
}

/* The file's mean and deviation are 0.5: white is 1, black is -1. */
Test(preprocessing, of_a_context_is_the_models_or_its_own) {
    mbn_model *model;
    cr_assert_eq(load("mobilenet/2", "\"fit\":\"letterbox\",\"resize\":\"9\",", &model), MBN_OK,
                 "%s", error.message);
    /* The target is 9 columns wide, so that the image has 4.5 rows, rounded to even. */
    mbn_context *context = make_context(model, NULL);
    cr_expect_eq(filled_rows(context), (HEIGHT - 4) / 2);
    mbn_context_free(context);
    /* Twice the size: `resize` is scaled. */
    const mbn_context_options twice = {.input_height = 2 * HEIGHT, .input_width = 2 * WIDTH};
    context = make_context(model, &twice);
    cr_expect_eq(filled_rows(context), (2 * HEIGHT - 9) / 2);
    mbn_context_free(context);
    /* One of its own is not scaled, and copied. */
    mbn_preprocessing own;
    mbn_model_preprocessing(model, &own);
    own.resize = 40;
    mbn_context_options options = twice;
    options.preprocessing = &own;
    options.threads = 2;
    options.batch = 2;
    context = make_context(model, &options);
    own.fit = MBN_FIT_SQUASH;
    cr_expect_eq(filled_rows(context), (2 * HEIGHT - 20) / 2);
    mbn_context_free(context);
    own.resize = 0;
    context = make_context(model, &options);
    cr_expect_eq(filled_rows(context), 0);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(preprocessing, of_a_larger_context_must_fit_too) {
    mbn_model *model;
    mbn_context *context;
    size_t bytes;
    cr_assert_eq(load("mobilenet/1", "\"resize\":\"65536\",", &model), MBN_OK);
    context = make_context(model, NULL);
    mbn_context_free(context);
    const mbn_context_options twice = {.input_height = 2 * HEIGHT, .input_width = 2 * WIDTH};
    cr_expect_eq(mbn_context_create(model, &twice, &context, &error), MBN_INVALID_ARGUMENT);
    cr_expect_null(context);
    cr_expect_str_eq(error.message, "preprocessing.resize: 131072: not 0 to 65536");
    cr_expect_eq(mbn_context_bytes(model, &twice, &bytes, &error), MBN_INVALID_ARGUMENT);
    mbn_model_free(model);
}

/* The images that run side by side are preprocessed as those that do not. */
Test(preprocessing, of_a_batch_is_the_contexts) {
    mbn_model *model = make_model("mobilenet_v2", 0, NULL);
    static uint8_t pixels[3 * 50 * 90 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i / 7);
    mbn_image images[3];
    for (int i = 0; i < 3; i++) {
        images[i] = (mbn_image){pixels + i * 50 * 90 * 3, 90, 50, 0, MBN_RGB};
    }
    mbn_preprocessing own;
    mbn_model_preprocessing(model, &own);
    own.interpolation = MBN_INTERPOLATION_BICUBIC;
    own.resampling = MBN_RESAMPLING_TENSORFLOW;
    own.fit = MBN_FIT_COVER;
    float plain[3 * CLASSES], expected[3 * CLASSES], got[3 * CLASSES];
    mbn_context *context = make_context(model, NULL);
    cr_assert_eq(mbn_run_images(context, images, 3, MBN_LOGITS, plain, &error), MBN_OK);
    mbn_context_free(context);
    const mbn_context_options single = {.preprocessing = &own};
    context = make_context(model, &single);
    for (int i = 0; i < 3; i++) {
        float *input = malloc(PIXELS * sizeof *input);
        cr_assert_eq(mbn_preprocess(context, &images[i], input, &error), MBN_OK);
        run_logits(context, input, expected + i * CLASSES);
        free(input);
    }
    mbn_context_free(context);
    cr_expect_arr_neq(plain, expected, sizeof plain);
    const mbn_context_options batch = {.preprocessing = &own, .threads = 2, .batch = 3};
    context = make_context(model, &batch);
    cr_assert_eq(mbn_run_images(context, images, 3, MBN_LOGITS, got, &error), MBN_OK);
    cr_expect_arr_eq(got, expected, sizeof got);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(preprocessing, of_a_context_is_checked) {
    mbn_model *model = make_model("mobilenet_v2", 0, NULL);
    static const struct {
        mbn_preprocessing preprocessing;
        const char *message;
    } cases[] = {
        {{.standard_deviation = {1, 1, 1}, .resize = -1}, "preprocessing.resize: -1"},
        {{.standard_deviation = {1, 1, 1}, .resize = 65537}, "preprocessing.resize: 65537"},
        {{.standard_deviation = {1, 1, 1},
          .resize = WIDTH - 1,
          .resampling = MBN_RESAMPLING_TENSORFLOW},
         "preprocessing.resize: 60: less than the input's 61"},
        {{.standard_deviation = {1, 0, 1}}, "preprocessing.standard_deviation[1]: 0"},
        {{.standard_deviation = {1, 1, -1}}, "preprocessing.standard_deviation[2]: -1"},
        {{.standard_deviation = {1, 1e-40F, 1}}, "preprocessing.standard_deviation[1]: 9.99"},
        {{.standard_deviation = {INFINITY, 1, 1}}, "preprocessing.standard_deviation[0]: inf"},
        {{.standard_deviation = {1, 1, 1}, .mean = {0, NAN, 0}}, "preprocessing.mean[1]: "},
        {{.standard_deviation = {1, 1, 1}, .fill = {0, 0, 256}}, "preprocessing.fill[2]: 256"},
        {{.standard_deviation = {1, 1, 1}, .fill = {0, NAN, 0}}, "preprocessing.fill[1]: "},
        {{.standard_deviation = {1, 1, 1}, .interpolation = (mbn_interpolation)4},
         "preprocessing.interpolation: 4 is no mbn_interpolation"},
        {{.standard_deviation = {1, 1, 1}, .resampling = (mbn_resampling)2},
         "preprocessing.resampling: 2 is no mbn_resampling"},
        {{.standard_deviation = {1, 1, 1}, .fit = (mbn_fit)-1},
         "preprocessing.fit: -1 is no mbn_fit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const mbn_context_options options = {.preprocessing = &cases[i].preprocessing};
        mbn_context *context;
        size_t bytes;
        cr_expect_eq(mbn_context_create(model, &options, &context, &error), MBN_INVALID_ARGUMENT);
        cr_expect_null(context);
        cr_expect_not_null(strstr(error.message, cases[i].message), "%s, not %s", error.message,
                           cases[i].message);
        cr_expect_eq(mbn_context_bytes(model, &options, &bytes, &error), MBN_INVALID_ARGUMENT);
    }
    const mbn_preprocessing least = {
        .standard_deviation = {1, 1, 1}, .resize = WIDTH, .resampling = MBN_RESAMPLING_TENSORFLOW};
    const mbn_context_options options = {.preprocessing = &least};
    mbn_context_free(make_context(model, &options));
    mbn_model_free(model);
}
