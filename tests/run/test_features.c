/* Feature maps: the same values however the network is cut, in any layout, alone and together. */
#include "models.h"

#include <arch/run/context.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STAGES = 128 };

/* Maps of some stages, each in memory of its exact size, so that a sanitizer sees what goes
 * past. */
struct maps {
    int32_t count;
    const char *names[MAX_STAGES];
    mbn_stage_info stages[MAX_STAGES];
    mbn_feature_map maps[MAX_STAGES];
};

static size_t floats_of(const mbn_stage_info *stage) {
    return (size_t)stage->height * (size_t)stage->width * (size_t)stage->channels;
}

static void make_maps(const mbn_network *network, int32_t batch, mbn_tensor_layout layout,
                      struct maps *m) {
    for (int32_t i = 0; i < m->count; i++) {
        mbn_error error;
        cr_assert_eq(mbn_network_stage(network, m->names[i], &m->stages[i], &error), MBN_OK, "%s",
                     error.message);
        float *values = malloc((size_t)batch * floats_of(&m->stages[i]) * sizeof *values);
        cr_assert_not_null(values);
        m->maps[i] = (mbn_feature_map){values, layout};
    }
}

static void free_maps(struct maps *m) {
    for (int32_t i = 0; i < m->count; i++) free(m->maps[i].values);
}

static void name_all_layers(const mbn_network *network, struct maps *m) {
    cr_assert_leq(network->layer_count, MAX_STAGES);
    m->count = network->layer_count;
    for (int32_t i = 0; i < m->count; i++) m->names[i] = network->layers[i].name;
}

static void run_features(mbn_context *context, const float *images, int32_t batch,
                         const struct maps *m) {
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_features(context, images, MBN_NHWC, batch, m->maps, &error), MBN_OK, "%s",
                 error.message);
}

static mbn_context_options options_for(const struct maps *m) {
    return (mbn_context_options){.stages = m->names, .stage_count = m->count};
}

static void expect_same(const float *a, const float *b, size_t count, const mbn_model *model,
                        const char *stage, const char *what) {
    cr_expect_arr_eq(a, b, count * sizeof *a, "%s on %s, %s: %s changes the values",
                     mbn_model_network(model)->name, mbn_model_kernels(model)->name, stage, what);
}

static void expect_same_maps(const struct maps *a, const struct maps *b, const mbn_model *model,
                             const char *what) {
    for (int32_t i = 0; i < a->count; i++) {
        expect_same(a->maps[i].values, b->maps[i].values, floats_of(&a->stages[i]), model,
                    a->names[i], what);
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void check_together(const mbn_model *model, const float *image, const struct maps *plain) {
    float expected[CLASSES], logits[CLASSES];
    mbn_context *context = make_context(model, NULL);
    run_logits(context, image, expected);
    mbn_context_free(context);
    expect_same(plain->maps[plain->count - 1].values, expected, CLASSES, model, "logits",
                "asking for them");

    struct maps all = *plain;
    make_maps(mbn_model_network(model), 1, MBN_NHWC, &all);
    for (size_t threads = 1; threads <= 3; threads += 2) {
        pthreadpool_t pool = pthreadpool_create(threads);
        mbn_context_options options = options_for(&all);
        options.pool = pool;
        context = make_context(model, &options);
        for (int i = 0; i < 2; i++) run_features(context, image, 1, &all);
        expect_same_maps(&all, plain, model, threads == 1 ? "together" : "three threads");
        run_logits(context, image, logits);
        expect_same(logits, expected, CLASSES, model, "logits", "a context with stages");
        mbn_context_free(context);
        pthreadpool_destroy(pool);
    }
    free_maps(&all);
}

static void check_alone(const mbn_model *model, const float *image, const struct maps *plain) {
    for (int32_t i = 0; i < plain->count; i++) {
        if (tests_are_brief() && i % 4 != 0) continue;
        struct maps one = {.count = 1, .names = {plain->names[i]}};
        make_maps(mbn_model_network(model), 1, MBN_NHWC, &one);
        mbn_context_options options = options_for(&one);
        options.band_rows = i % 3; /* chosen, one, two */
        mbn_context *context = make_context(model, &options);
        run_features(context, image, 1, &one);
        expect_same(one.maps[0].values, plain->maps[i].values, floats_of(&one.stages[0]), model,
                    one.names[0], "alone");
        mbn_context_free(context);
        free_maps(&one);
    }
}

/* Steps that run layers: not those that convert an image. */
static int32_t count_layers_steps(const mbn_context *context) {
    int32_t count = 0;
    for (int32_t i = 0; i < mbn_context_step_count(context); i++) {
        mbn_step_info step;
        cr_assert_eq(mbn_context_step(context, i, &step, NULL), MBN_OK);
        if (step.last_layer >= step.first_layer) count++;
    }
    return count;
}

/* Every layer of every network: what the unfused network computes. */
static void check_all_layers(mbn_precision precision) {
    float *image = make_images(1, 1);
    const uint32_t isas = isas_to_test(precision);
    const char *network;
    for (int32_t n = 0; (network = mbn_network_name(n)) != NULL; n++) {
        const uint32_t turn = isas_in_turn(isas, n);
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((turn >> isa & 1U) == 0) continue;
            mbn_model *model = make_model_in(precision, network, 1U << isa, NULL);
            struct maps plain;
            name_all_layers(mbn_model_network(model), &plain);
            make_maps(mbn_model_network(model), 1, MBN_NHWC, &plain);
            mbn_context_options options = options_for(&plain);
            options.band_rows = -1;
            mbn_context *context = make_context(model, &options);
            cr_assert_eq(count_layers_steps(context), plain.count);
            run_features(context, image, 1, &plain);
            mbn_context_free(context);
            check_together(model, image, &plain);
            check_alone(model, image, &plain);
            free_maps(&plain);
            mbn_model_free(model);
        }
    }
    free(image);
}

Test(features, all_layers) {
    in_every_precision(check_all_layers);
}

/* Maps so large that threads share writing them. */
static void check_large_maps_for_threads(mbn_precision precision) {
    mbn_model *model = make_model_in(precision, "mobilenet_v2", 0, NULL);
    struct maps one = {.count = 3, .names = {"stride2", "stride4", "stride32"}};
    float *image = malloc(224 * 224 * 3 * sizeof *image);
    for (int i = 0; i < 224 * 224 * 3; i++) image[i] = (float)(i % 255) / 127.5F - 1.0F;
    mbn_context_options options = options_for(&one);
    options.input_height = options.input_width = 224;
    mbn_context *context = make_context(model, &options);
    make_maps(mbn_context_network(context), 1, MBN_NCHW, &one);
    struct maps several = one;
    make_maps(mbn_context_network(context), 1, MBN_NCHW, &several);
    run_features(context, image, 1, &one);
    mbn_context_free(context);
    for (size_t threads = 2; threads <= 4; threads++) {
        options.pool = pthreadpool_create(threads);
        context = make_context(model, &options);
        run_features(context, image, 1, &several);
        expect_same_maps(&several, &one, model, "threads");
        mbn_context_free(context);
        pthreadpool_destroy(options.pool);
    }
    free_maps(&several);
    free_maps(&one);
    free(image);
    mbn_model_free(model);
}

Test(features, large_maps_for_threads) {
    in_every_precision(check_large_maps_for_threads);
}

/* Several maps of several images in both layouts: each image's as it is alone. */
static void check_batches_and_layouts(mbn_precision precision) {
    enum { BATCH = 3 };
    mbn_model *model = make_model_in(precision, "mobilenet_v3_small", 0, NULL);
    const mbn_network *network = mbn_model_network(model);
    float *images = make_images(BATCH, 2);
    struct maps rows = {.count = 4, .names = {"pool", "stride4", "block3", "stride4"}};
    struct maps planes = rows, one = rows;
    make_maps(network, BATCH, MBN_NHWC, &rows);
    make_maps(network, BATCH, MBN_NCHW, &planes);
    make_maps(network, 1, MBN_NHWC, &one);
    const mbn_context_options options = options_for(&rows);
    mbn_context *context = make_context(model, &options);
    run_features(context, images, BATCH, &rows);
    run_features(context, images, BATCH, &planes);
    for (int32_t i = 0; i < BATCH; i++) {
        run_features(context, images + i * PIXELS, 1, &one);
        for (int32_t s = 0; s < rows.count; s++) {
            const size_t floats = floats_of(&rows.stages[s]);
            expect_same(rows.maps[s].values + (size_t)i * floats, one.maps[s].values, floats, model,
                        rows.names[s], "a batch");
            const int32_t channels = rows.stages[s].channels;
            const int32_t pixels = rows.stages[s].height * rows.stages[s].width;
            const float *plane = planes.maps[s].values + (size_t)i * floats;
            for (int32_t p = 0; p < pixels * channels; p++) {
                const float expected = one.maps[s].values[p];
                const float got = plane[p % channels * pixels + p / channels];
                cr_assert_eq(got, expected, "image %d, %s, %d", (int)i, rows.names[s], (int)p);
            }
        }
    }
    mbn_context_free(context);
    free_maps(&one);
    free_maps(&planes);
    free_maps(&rows);
    free(images);
    mbn_model_free(model);
}

Test(features, batches_and_layouts) {
    in_every_precision(check_batches_and_layouts);
}

/* Steps behind the last stage crash if they run. */
static void check_nothing_behind_the_last_stage_runs(mbn_precision precision) {
    static const char *const names[] = {"block0", "stride8", "pool"};
    mbn_model *model = make_model_in(precision, "mobilenet_v2", 0, NULL);
    float *image = make_images(1, 3);
    for (int i = 0; i < 3; i++) {
        struct maps one = {.count = 1, .names = {names[i]}};
        make_maps(mbn_model_network(model), 1, MBN_NHWC, &one);
        const mbn_context_options options = options_for(&one);
        mbn_context *context = make_context(model, &options);
        int removed = 0;
        for (int32_t s = 0; s < context->step_count; s++) {
            mbn_step *step = &context->steps[s];
            if (step->group.first_layer <= one.stages[0].layer) continue;
            memset(&step->expand, 0, sizeof step->expand);
            memset(&step->filter, 0, sizeof step->filter);
            removed++;
        }
        cr_assert_gt(removed, 0);
        run_features(context, image, 1, &one);
        mbn_context_free(context);
        free_maps(&one);
    }
    free(image);
    mbn_model_free(model);
}

Test(features, nothing_behind_the_last_stage_runs) {
    in_every_precision(check_nothing_behind_the_last_stage_runs);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void expect_stage(const mbn_network *network, const char *name, const char *layer,
                         int32_t height, int32_t width, int32_t channels, int32_t stride) {
    mbn_stage_info stage = {.layer = -1};
    cr_assert_eq(mbn_network_stage(network, name, &stage, NULL), MBN_OK, "%s", name);
    cr_expect_str_eq(stage.name, name);
    cr_expect_str_eq(network->layers[stage.layer].name, layer, "%s of %s is %s", name,
                     network->name, network->layers[stage.layer].name);
    cr_expect(stage.height == height && stage.width == width && stage.channels == channels,
              "%s of %s is %dx%dx%d", name, network->name, (int)stage.height, (int)stage.width,
              (int)stage.channels);
    cr_expect_eq(stage.stride_vertical, stride);
    cr_expect_eq(stage.stride_horizontal, stride);
}

/* The papers attach SSDLite to the expansion of the block behind stride 16, and to the last layer
 * before the pool: Sandler et al. 2018, 6.2, and Howard et al. 2019, 6.3. */
Test(features, stage_names) {
    mbn_network *network;
    const mbn_network_options v2 = {.network = "mobilenet_v2", .input_width = 256};
    cr_assert_eq(mbn_network_create(&v2, &network, NULL), MBN_OK);
    expect_stage(network, "stride2", "features.2.conv.0.0", 112, 128, 96, 2);
    expect_stage(network, "stride4", "features.4.conv.0.0", 56, 64, 144, 4);
    expect_stage(network, "stride8", "features.7.conv.0.0", 28, 32, 192, 8);
    expect_stage(network, "stride16", "features.14.conv.0.0", 14, 16, 576, 16);
    expect_stage(network, "stride32", "features.18.0", 7, 8, 1280, 32);
    expect_stage(network, "block0", "features.1.conv.1", 112, 128, 16, 2);
    expect_stage(network, "block7", "features.8.conv.2", 14, 16, 64, 16);
    expect_stage(network, "block16", "features.17.conv.2", 7, 8, 320, 32);
    expect_stage(network, "pool", "avgpool", 1, 1, 1280, 0);
    expect_stage(network, "features.3.conv.1.0", "features.3.conv.1.0", 56, 64, 144, 4);
    expect_stage(network, "classifier.1", "classifier.1", 1, 1, 1000, 0);
    mbn_network_free(network);

    const mbn_network_options v1 = {.network = "mobilenet_v1", .width = 0.5};
    cr_assert_eq(mbn_network_create(&v1, &network, NULL), MBN_OK);
    expect_stage(network, "stride2", "conv_pw_1", 112, 112, 32, 2);
    expect_stage(network, "stride16", "conv_pw_11", 14, 14, 256, 16);
    expect_stage(network, "stride32", "conv_pw_13", 7, 7, 512, 32);
    expect_stage(network, "block12", "conv_pw_13", 7, 7, 512, 32);
    mbn_network_free(network);

    const mbn_network_options v3 = {.network = "mobilenet_v3_small", .source = MBN_SOURCE_KERAS};
    cr_assert_eq(mbn_network_create(&v3, &network, NULL), MBN_OK);
    expect_stage(network, "stride2", "conv", 112, 112, 16, 2);
    expect_stage(network, "stride4", "expanded_conv_1_expand", 56, 56, 72, 4);
    expect_stage(network, "stride16", "expanded_conv_8_expand", 14, 14, 288, 16);
    expect_stage(network, "stride32", "conv_1", 7, 7, 576, 32);
    expect_stage(network, "block0", "expanded_conv_project", 56, 56, 16, 4);
    expect_stage(network, "expanded_conv_squeeze_excite_conv_1",
                 "expanded_conv_squeeze_excite_conv_1", 1, 1, 16, 0);
    mbn_network_free(network);
}

/* Every stage in the list is found by its name, and every layer is in the list. */
Test(features, stage_list) {
    const char *name;
    for (int32_t n = 0; (name = mbn_network_name(n)) != NULL; n++) {
        mbn_network *network;
        cr_assert_eq(mbn_network_create(&(mbn_network_options){.network = name}, &network, NULL),
                     MBN_OK);
        mbn_stage_info stage, found;
        int32_t count = 0, layers = 0, blocks = 0, largest = 1;
        for (; mbn_network_stage_at(network, count, &stage); count++) {
            cr_assert_eq(mbn_network_stage(network, stage.name, &found, NULL), MBN_OK);
            cr_expect_eq(found.layer, stage.layer, "%s", stage.name);
            cr_expect_eq(found.channels, network->layers[stage.layer].output_channels);
            if (strcmp(stage.name, network->layers[stage.layer].name) == 0) layers++;
            if (strncmp(stage.name, "stride", 6) == 0) {
                cr_expect_eq(stage.stride_vertical, 2 * largest, "%s of %s", stage.name, name);
                largest = stage.stride_vertical;
            }
            if (strncmp(stage.name, "block", 5) == 0 && strchr(stage.name, '_') == NULL) {
                cr_expect_eq(network->layers[stage.layer].role, MBN_ROLE_PROJECT);
                cr_expect_eq(network->layers[stage.layer].block, blocks++);
            }
        }
        cr_expect_eq(layers, network->layer_count);
        int32_t rows = 0;
        for (int32_t i = 0; i < network->layer_count; i++) {
            if (network->layers[i].block >= rows) rows = network->layers[i].block + 1;
        }
        cr_expect_eq(blocks, rows);
        cr_expect_geq(largest, 32);
        cr_expect_not(mbn_network_stage_at(network, -1, &stage));
        mbn_network_free(network);
    }
}

/* ---- Headless -------------------------------------------------------------------------------- */

/* The file without the tensors whose names begin with "classifier", which are its last. */
static void *behead(const char *file, size_t *size) {
    uint64_t length;
    memcpy(&length, file, sizeof length);
    json_t *header = json_loadb(file + 8, (size_t)length, 0, NULL);
    cr_assert_not_null(header);
    size_t data = *size - 8 - (size_t)length;
    const char *name;
    void *next;
    json_t *tensor;
    int removed = 0;
    json_object_foreach_safe(header, next, name, tensor) {
        if (strncmp(name, "classifier", 10) != 0) continue;
        const json_t *begin = json_array_get(json_object_get(tensor, "data_offsets"), 0);
        if ((size_t)json_integer_value(begin) < data) data = (size_t)json_integer_value(begin);
        json_object_del(header, name);
        removed++;
    }
    cr_assert_gt(removed, 0);
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    const uint64_t shorter = strlen(text);
    char *cut = malloc(8 + shorter + data);
    cr_assert_not_null(cut);
    memcpy(cut, &shorter, sizeof shorter);
    memcpy(cut + 8, text, shorter);
    memcpy(cut + 8 + shorter, file + 8 + length, data);
    free(text);
    *size = 8 + shorter + data;
    return cut;
}

static void check_headless(const mbn_model *whole, const mbn_model *headless) {
    float *image = make_images(1, 4), logits[CLASSES];
    struct maps expected = {.count = 2, .names = {"pool", "stride16"}};
    make_maps(mbn_model_network(whole), 1, MBN_NHWC, &expected);
    struct maps got = expected;
    make_maps(mbn_model_network(headless), 1, MBN_NHWC, &got);
    const mbn_context_options options = options_for(&got);
    mbn_context *context = make_context(whole, &options);
    run_features(context, image, 1, &expected);
    const int32_t steps = mbn_context_step_count(context);
    mbn_context_free(context);

    context = make_context(headless, &options);
    run_features(context, image, 1, &got);
    expect_same_maps(&got, &expected, whole, "having no head");
    mbn_error error;
    cr_expect_eq(mbn_run(context, image, MBN_NHWC, 1, MBN_LOGITS, logits, &error),
                 MBN_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "headless"), "%s", error.message);
    static const uint8_t pixels[12];
    const mbn_image photo = {pixels, 2, 2, 0, MBN_RGB};
    cr_expect_eq(mbn_run_images(context, &photo, 1, MBN_LOGITS, logits, &error),
                 MBN_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "headless"), "%s", error.message);

    /* What can be run can be looked at. */
    double seconds[MAX_STAGES] = {0}, again[MAX_STAGES] = {0};
    const int32_t run = mbn_context_step_count(context);
    cr_assert_lt(run, steps);
    cr_expect_eq(mbn_profile(context, image, MBN_NHWC, seconds, again, NULL), MBN_OK);
    for (int32_t i = 0; i < run; i++) {
        cr_expect(seconds[i] > 0 && again[i] > 0, "step %d: %g and %g s", (int)i, seconds[i],
                  again[i]);
    }
    mbn_context_free(context);
    free_maps(&got);
    free_maps(&expected);
    free(image);
}

Test(features, headless) {
    static const char *const networks[] = {"mobilenet_v2", "mobilenet_v3_small"};
    for (int n = 0; n < 2; n++) {
        const mbn_network_options options = {.network = networks[n],
                                             .input_height = HEIGHT,
                                             .input_width = WIDTH,
                                             .classes = CLASSES};
        size_t size;
        char *file = make_file(&options, &size);
        size_t cut_size = size;
        char *cut = behead(file, &cut_size);
        mbn_model *whole = make_model(networks[n], 0, NULL), *headless = NULL;
        mbn_error error;
        const mbn_model_options without = {.headless = true};
        cr_assert_eq(mbn_model_load_memory(file, size, &without, &headless, &error), MBN_OK, "%s",
                     error.message);
        cr_expect_lt(mbn_model_bytes(headless), mbn_model_bytes(whole));
        cr_expect_eq(mbn_model_network(headless)->classes, CLASSES);
        check_headless(whole, headless);
        mbn_model_free(headless);

        cr_assert_eq(mbn_model_load_memory(cut, cut_size, &without, &headless, &error), MBN_OK,
                     "%s", error.message);
        check_headless(whole, headless);
        const char *const behind = "classifier.0";
        if (n == 1) {
            mbn_context *context;
            cr_expect_eq(mbn_context_create(
                             headless, &(mbn_context_options){.stages = &behind, .stage_count = 1},
                             &context, &error),
                         MBN_INVALID_ARGUMENT);
            cr_expect_str_eq(error.message,
                             "stages[0]: classifier.0 is behind the pool, and the model was loaded "
                             "headless");
        }
        mbn_model_free(headless);

        cr_expect_eq(mbn_model_load_memory(cut, cut_size, NULL, &headless, &error), MBN_MALFORMED);
        cr_expect_not_null(strstr(error.message, "classifier."), "%s", error.message);
        /* A tensor of the head may stay unread, one that nobody knows may not. */
        for (size_t i = 0; i + 10 < size; i++) {
            if (memcmp(file + i, "classifier", 10) == 0) file[i] = 'k';
        }
        cr_expect_eq(mbn_model_load_memory(file, size, &without, &headless, &error), MBN_MALFORMED);
        cr_expect_not_null(strstr(error.message, "klassifier."), "%s", error.message);
        mbn_model_free(whole);
        free(cut);
        free(file);
    }
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void expect_error(mbn_status got, const mbn_error *error, const char *part) {
    cr_expect_eq(got, MBN_INVALID_ARGUMENT, "expected '%s'", part);
    cr_expect_not_null(strstr(error->message, part), "expected '%s' in '%s'", part, error->message);
}

Test(features, errors) {
    mbn_model *model = make_model("mobilenet_v2", 0, NULL);
    mbn_context *context;
    mbn_error error;
    const char *names[] = {"pool", "strid8"};
    mbn_context_options options = {.stages = names, .stage_count = 2};
    expect_error(mbn_context_create(model, &options, &context, &error), &error,
                 "stages[1]: mobilenet_v2 has no stage 'strid8'; there are stride2, ");
    cr_expect_null(context);
    static const char *const listed[] = {"stride32, ", "block0, ", "block16, ", "pool, ",
                                         "features.0.0"};
    for (int i = 0; i < 5; i++) {
        cr_expect_not_null(strstr(error.message, listed[i]), "%s", error.message);
    }
    size_t bytes = 77;
    expect_error(mbn_context_bytes(model, &options, &bytes, &error), &error, "strid8");
    cr_expect_eq(bytes, 77);
    names[1] = NULL;
    expect_error(mbn_context_create(model, &options, &context, &error), &error, "stages[1]");
    options.stages = NULL;
    expect_error(mbn_context_create(model, &options, &context, &error), &error, "stages[0]");
    options.stage_count = -1;
    expect_error(mbn_context_create(model, &options, &context, &error), &error, "stage_count");

    float *image = make_images(1, 5), *pool = malloc(1280 * sizeof *pool);
    mbn_feature_map map = {pool, MBN_NHWC};
    context = make_context(model, NULL);
    expect_error(mbn_features(context, image, MBN_NHWC, 1, &map, &error), &error, "stages");
    mbn_context_free(context);

    options = (mbn_context_options){.stages = names, .stage_count = 1};
    cr_assert_eq(mbn_context_bytes(model, &options, &bytes, &error), MBN_OK);
    context = make_context(model, &options);
    expect_error(mbn_features(NULL, image, MBN_NHWC, 1, &map, &error), &error, "context");
    expect_error(mbn_features(context, NULL, MBN_NHWC, 1, &map, &error), &error, "input");
    expect_error(mbn_features(context, image, MBN_NHWC, 0, &map, &error), &error, "batch");
    expect_error(mbn_features(context, image, MBN_NHWC, 1, NULL, &error), &error, "maps");
    expect_error(mbn_features(context, image, (mbn_tensor_layout)9, 1, &map, &error), &error,
                 "layout");
    map.layout = (mbn_tensor_layout)9;
    expect_error(mbn_features(context, image, MBN_NHWC, 1, &map, &error), &error, "maps[0].layout");
    map = (mbn_feature_map){NULL, MBN_NHWC};
    expect_error(mbn_features(context, image, MBN_NHWC, 1, &map, &error), &error, "maps[0].values");
    mbn_context_free(context);

    mbn_stage_info stage;
    const mbn_network *network = mbn_model_network(model);
    expect_error(mbn_network_stage(NULL, "pool", &stage, &error), &error, "network");
    expect_error(mbn_network_stage(network, NULL, &stage, &error), &error, "name");
    expect_error(mbn_network_stage(network, "pool", NULL, &error), &error, "stage");
    expect_error(mbn_network_stage(network, "block17", &stage, &error), &error, "block17");
    free(pool);
    free(image);
    mbn_model_free(model);
}
