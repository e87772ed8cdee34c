/* What a run computes does not depend on how it is run. */
#include "models.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *isa_of(const mbn_model *model) {
    return mbn_model_kernels(model)->name;
}

/* Bits, not values: -0 is not 0, and a NaN is itself. */
static void expect_same(const float *a, const float *b, size_t count, const char *network,
                        const mbn_model *model, const char *what) {
    cr_expect_arr_eq(a, b, count * sizeof *a, "%s on %s: %s changes the result", network,
                     isa_of(model), what);
}

static void check_cuts(const char *network, const mbn_model *model, const float *image) {
    float reference[CLASSES], logits[CLASSES];
    mbn_context *unfused = make_context(model, &(mbn_context_options){.band_rows = -1});
    run_logits(unfused, image, reference);
    for (int i = 0; i < 3; i++) {
        run_logits(unfused, image, logits);
        expect_same(logits, reference, CLASSES, network, model, "running again");
    }
    mbn_context_free(unfused);

    static const int32_t bands[] = {0, 1, 2, 3, 5, 1000};
    for (size_t i = 0; i < sizeof bands / sizeof bands[0]; i++) {
        char what[32];
        snprintf(what, sizeof what, "band_rows %d", (int)bands[i]);
        mbn_context *context = make_context(model, &(mbn_context_options){.band_rows = bands[i]});
        run_logits(context, image, logits);
        expect_same(logits, reference, CLASSES, network, model, what);
        run_logits(context, image, logits); /* over what the first run left in the arena */
        expect_same(logits, reference, CLASSES, network, model, what);
        mbn_context_free(context);
    }

    /* A pool of the caller's has as many threads as it says, whatever the machine has.  How work is
     * cut for them depends on the table only through its block, so one table stands for all: the
     * best, or the one whose turn it is. */
    const mbn_kernels *kernels = mbn_model_kernels(model);
    const uint32_t isas = isas_to_test(mbn_model_precision(model));
    const bool stands = kernels == mbn_kernels_best(kernels->element, isas);
    const size_t most = stands || tests_are_brief() ? 4 : 0;
    for (size_t threads = 1; threads <= most; threads++) {
        pthreadpool_t pool = pthreadpool_create(threads);
        char what[32];
        snprintf(what, sizeof what, "%zu threads", threads);
        for (int32_t band = -1; band <= 1; band++) {
            if (tests_are_brief() && band + 1 != (int32_t)threads % 3) continue;
            mbn_context *context =
                make_context(model, &(mbn_context_options){.pool = pool, .band_rows = band});
            cr_expect_eq(mbn_context_threads(context), (int32_t)threads);
            for (int i = 0; i < 2; i++) {
                run_logits(context, image, logits);
                expect_same(logits, reference, CLASSES, network, model, what);
            }
            mbn_context_free(context);
        }
        pthreadpool_destroy(pool);
    }
}

static void check_cuts_do_not_show(mbn_precision precision) {
    float *image = make_images(1, 1);
    const uint32_t isas = isas_to_test(precision);
    const char *network;
    for (int32_t n = 0; (network = mbn_network_name(n)) != NULL; n++) {
        const uint32_t turn = isas_in_turn(isas, n);
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((turn >> isa & 1U) == 0) continue;
            mbn_model *model = make_model_in(precision, network, 1U << isa, NULL);
            check_cuts(network, model, image);
            mbn_model_free(model);
        }
    }
    free(image);
}

Test(results, cuts_do_not_show) {
    in_every_precision(check_cuts_do_not_show);
}

/* At small widths some blocks have no expansion: then the projection before them, which adds a
 * residual, runs together with their depthwise. */
static void check_cuts_of_narrow_networks_do_not_show(mbn_precision precision) {
    static const struct {
        const char *network;
        mbn_source source;
    } narrow[] = {
        {"mobilenet_v2", MBN_SOURCE_TORCHVISION},       {"mobilenet_v2", MBN_SOURCE_KERAS},
        {"mobilenet_v3_small", MBN_SOURCE_TORCHVISION}, {"mobilenet_v3_small", MBN_SOURCE_KERAS},
        {"mobilenet_v3_large", MBN_SOURCE_TORCHVISION}, {"mobilenet_v3_large", MBN_SOURCE_KERAS},
    };
    float *image = make_images(1, 1);
    const uint32_t isas = isas_to_test(precision);
    for (size_t n = 0; n < sizeof narrow / sizeof narrow[0]; n++) {
        const mbn_network_options options = {.network = narrow[n].network,
                                             .source = narrow[n].source,
                                             .width = 0.1,
                                             .input_height = HEIGHT,
                                             .input_width = WIDTH,
                                             .classes = CLASSES};
        size_t size;
        void *file = make_file(&options, &size);
        const uint32_t turn = isas_in_turn(isas, (int32_t)n);
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((turn >> isa & 1U) == 0) continue;
            mbn_model *model = NULL;
            const mbn_model_options model_options = {.isa_mask = 1U << isa, .precision = precision};
            cr_assert_eq(mbn_model_load_memory(file, size, &model_options, &model, NULL), MBN_OK);
            check_cuts(options.network, model, image);
            mbn_model_free(model);
        }
        free(file);
    }
    free(image);
}

Test(results, cuts_of_narrow_networks_do_not_show) {
    in_every_precision(check_cuts_of_narrow_networks_do_not_show);
}

/* At 224 the early blocks are cut by rows for threads, which small inputs are not. */
static void check_large_inputs_for_threads(mbn_precision precision) {
    const mbn_network_options options = {.network = "mobilenet_v2"};
    size_t size;
    void *file = make_file(&options, &size);
    mbn_model *model;
    cr_assert_eq(mbn_model_load_memory(file, size, &(mbn_model_options){.precision = precision},
                                       &model, NULL),
                 MBN_OK);
    free(file);
    float *image = malloc(224 * 224 * 3 * sizeof *image);
    for (int i = 0; i < 224 * 224 * 3; i++) image[i] = (float)(i % 255) / 127.5F - 1.0F;
    float reference[1000], logits[1000];
    mbn_context *context = make_context(model, &(mbn_context_options){.band_rows = -1});
    run_logits(context, image, reference);
    mbn_context_free(context);
    for (size_t threads = 1; threads <= 4; threads++) {
        pthreadpool_t pool = pthreadpool_create(threads);
        context = make_context(model, &(mbn_context_options){.pool = pool});
        run_logits(context, image, logits);
        expect_same(logits, reference, 1000, "mobilenet_v2", model, "threads");
        mbn_context_free(context);
        pthreadpool_destroy(pool);
    }
    free(image);
    mbn_model_free(model);
}

Test(results, large_inputs_for_threads) {
    in_every_precision(check_large_inputs_for_threads);
}

static void check_batches_and_layouts(mbn_precision precision) {
    enum { BATCH = 3 };
    mbn_model *model = make_model_in(precision, "mobilenet_v3_small", 0, NULL);
    mbn_context *context = make_context(model, NULL);
    float *images = make_images(BATCH, 2);
    float *planes = malloc(BATCH * PIXELS * sizeof *planes);
    for (int32_t i = 0; i < BATCH; i++) {
        for (int32_t p = 0; p < HEIGHT * WIDTH; p++) {
            for (int32_t c = 0; c < 3; c++) {
                planes[i * PIXELS + c * HEIGHT * WIDTH + p] = images[i * PIXELS + p * 3 + c];
            }
        }
    }
    float one[BATCH * CLASSES], all[BATCH * CLASSES];
    for (int32_t i = 0; i < BATCH; i++) run_logits(context, images + i * PIXELS, one + i * CLASSES);
    cr_expect_arr_neq(one, one + CLASSES, CLASSES * sizeof *one, "two images, one result");
    cr_assert_eq(mbn_run(context, images, MBN_NHWC, BATCH, MBN_LOGITS, all, NULL), MBN_OK);
    expect_same(all, one, BATCH * CLASSES, "mobilenet_v3_small", model, "a batch");
    cr_assert_eq(mbn_run(context, planes, MBN_NCHW, BATCH, MBN_LOGITS, all, NULL), MBN_OK);
    expect_same(all, one, BATCH * CLASSES, "mobilenet_v3_small", model, "NCHW");

    /* Probabilities are the softmax of the logits. */
    cr_assert_eq(mbn_run(context, images, MBN_NHWC, BATCH, MBN_PROBABILITIES, all, NULL), MBN_OK);
    for (int32_t i = 0; i < BATCH; i++) {
        double sum = 0;
        for (int32_t c = 0; c < CLASSES; c++) sum += exp((double)one[i * CLASSES + c]);
        for (int32_t c = 0; c < CLASSES; c++) {
            cr_expect_float_eq((double)all[i * CLASSES + c],
                               exp((double)one[i * CLASSES + c]) / sum, 1e-6);
        }
    }
    free(planes);
    free(images);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(results, batches_and_layouts) {
    in_every_precision(check_batches_and_layouts);
}

/* Images side by side, whatever their number, and photos, give what they give one by one. */
static void check_images_side_by_side(mbn_precision precision) {
    enum { MOST = 7, SIDE = 90 };
    mbn_model *model = make_model_in(precision, "mobilenet_v3_small", 0, NULL);
    mbn_context *single = make_context(model, NULL);
    float *images = make_images(MOST, 4);
    unsigned char *pixels = malloc((size_t)MOST * SIDE * SIDE * 3);
    for (int i = 0; i < MOST * SIDE * SIDE * 3; i++)
        pixels[i] = (unsigned char)((unsigned)i * 2654435761U >> 21);
    mbn_image photos[MOST];
    float one[MOST * CLASSES], photo[MOST * CLASSES], all[MOST * CLASSES];
    for (int i = 0; i < MOST; i++) {
        photos[i] = (mbn_image){.pixels = pixels + (size_t)i * SIDE * SIDE * 3,
                                .height = SIDE,
                                .width = SIDE,
                                .order = MBN_RGB};
        run_logits(single, images + i * PIXELS, one + i * CLASSES);
        cr_assert_eq(mbn_run_images(single, &photos[i], 1, MBN_LOGITS, photo + i * CLASSES, NULL),
                     MBN_OK);
    }
    for (int i = 1; i < MOST; i++) {
        cr_expect_arr_neq(one, one + i * CLASSES, CLASSES * sizeof *one);
        cr_expect_arr_neq(photo, photo + i * CLASSES, CLASSES * sizeof *one);
    }
    for (size_t threads = 1; threads <= 4; threads++) {
        pthreadpool_t pool = pthreadpool_create(threads);
        for (int32_t batch = 1; batch <= 5; batch += 2) {
            if (tests_are_brief() && batch != 1 + 2 * ((int32_t)threads % 3)) continue;
            mbn_context *context =
                make_context(model, &(mbn_context_options){.pool = pool, .batch = batch});
            for (int32_t count = 1; count <= MOST; count++) {
                memset(all, 0, sizeof all);
                cr_assert_eq(mbn_run(context, images, MBN_NHWC, count, MBN_LOGITS, all, NULL),
                             MBN_OK);
                expect_same(all, one, (size_t)count * CLASSES, "mobilenet_v3_small", model,
                            "side by side");
                memset(all, 0, sizeof all);
                cr_assert_eq(mbn_run_images(context, photos, count, MBN_LOGITS, all, NULL), MBN_OK);
                expect_same(all, photo, (size_t)count * CLASSES, "mobilenet_v3_small", model,
                            "photos");
            }
            mbn_context_free(context);
        }
        pthreadpool_destroy(pool);
    }
    free(pixels);
    free(images);
    mbn_context_free(single);
    mbn_model_free(model);
}

Test(results, images_side_by_side) {
    in_every_precision(check_images_side_by_side);
}

/* A NaN in any corner reaches every output of its image, and no other image. */
static void check_nan_passes(mbn_precision precision) {
    const char *network;
    for (int32_t n = 0; (network = mbn_network_name(n)) != NULL; n++) {
        mbn_model *model = make_model_in(precision, network, 0, NULL);
        mbn_context *context = make_context(model, NULL);
        float *images = make_images(2, 3);
        float clean[CLASSES], logits[2 * CLASSES];
        run_logits(context, images + PIXELS, clean);
        static const int32_t places[] = {0, WIDTH * 3 - 1, PIXELS / 2, PIXELS - WIDTH * 3,
                                         PIXELS - 1};
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            const float kept = images[places[i]];
            images[places[i]] = NAN;
            cr_assert_eq(mbn_run(context, images, MBN_NHWC, 2, MBN_LOGITS, logits, NULL), MBN_OK);
            for (int32_t c = 0; c < CLASSES; c++) {
                cr_expect(isnan(logits[c]), "%s: NaN at %d is lost in output %d", network,
                          (int)places[i], (int)c);
            }
            expect_same(logits + CLASSES, clean, CLASSES, network, model, "a NaN next door");
            images[places[i]] = kept;
        }
        free(images);
        mbn_context_free(context);
        mbn_model_free(model);
    }
}

Test(results, nan_passes) {
    in_every_precision(check_nan_passes);
}

/* An infinity, which bfloat16 makes of the largest floats, too, is clamped by v1's ReLU6 or becomes
 * NaN; it never leaves as an infinity. */
static void check_infinity_is_clamped_or_nan(mbn_precision precision) {
    mbn_model *model = make_model_in(precision, "mobilenet_v1", 0, NULL);
    mbn_context *context = make_context(model, NULL);
    float *image = make_images(1, 4), logits[CLASSES];
    static const float values[] = {INFINITY, -INFINITY, FLT_MAX, -FLT_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        image[PIXELS / 2] = values[i];
        run_logits(context, image, logits);
        for (int32_t c = 0; c < CLASSES; c++)
            cr_expect(!isinf(logits[c]), "of %g", (double)values[i]);
    }
    free(image);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(results, infinity_is_clamped_or_nan) {
    in_every_precision(check_infinity_is_clamped_or_nan);
}

/* Same shapes, other values. */
Test(results, padding_matters) {
    float logits[2][1000];
    for (int i = 0; i < 2; i++) {
        const mbn_network_options options = {
            .network = "mobilenet_v2",
            .input_height = 64,
            .input_width = 64,
            .padding = i == 0 ? MBN_PADDING_SAME : MBN_PADDING_SYMMETRIC,
        };
        size_t size;
        void *file = make_file(&options, &size);
        mbn_model *model;
        cr_assert_eq(mbn_model_load_memory(file, size, NULL, &model, NULL), MBN_OK);
        cr_expect_eq(mbn_model_network(model)->padding, options.padding);
        mbn_context *context = make_context(model, NULL);
        float image[64 * 64 * 3];
        for (int p = 0; p < 64 * 64 * 3; p++) image[p] = (float)(p % 200) / 100.0F - 1.0F;
        run_logits(context, image, logits[i]);
        mbn_context_free(context);
        mbn_model_free(model);
        free(file);
    }
    cr_expect_arr_neq(logits[0], logits[1], sizeof logits[0]);
}

/* A model packed at one size runs at others: as a model of that size does. */
static void check_other_input_sizes(mbn_precision precision) {
    mbn_model *model = make_model_in(precision, "mobilenet_v3_large", 0, NULL);
    const mbn_network_options options = {
        .network = "mobilenet_v3_large", .input_height = 40, .input_width = 96, .classes = CLASSES};
    size_t size;
    void *file = make_file(&options, &size);
    mbn_model *other;
    cr_assert_eq(mbn_model_load_memory(file, size, &(mbn_model_options){.precision = precision},
                                       &other, NULL),
                 MBN_OK);
    mbn_context *a =
        make_context(model, &(mbn_context_options){.input_height = 40, .input_width = 96});
    mbn_context *b = make_context(other, NULL);
    float *image = make_images(1, 5), x[CLASSES], y[CLASSES];
    run_logits(a, image, x);
    run_logits(b, image, y);
    expect_same(x, y, CLASSES, "mobilenet_v3_large", model, "the model's own size");
    free(image);
    mbn_context_free(a);
    mbn_context_free(b);
    mbn_model_free(model);
    mbn_model_free(other);
    free(file);
}

Test(results, other_input_sizes) {
    in_every_precision(check_other_input_sizes);
}

struct runner {
    mbn_context *context;
    const float *image;
    const float *expected;
    int wrong;
};

static void *run_often(void *argument) {
    struct runner *r = argument;
    for (int i = 0; i < 20; i++) {
        float logits[CLASSES];
        if (mbn_run(r->context, r->image, MBN_NHWC, 1, MBN_LOGITS, logits, NULL) != MBN_OK ||
            memcmp(logits, r->expected, sizeof logits) != 0) {
            r->wrong++;
        }
    }
    return NULL;
}

/* Contexts over one model, one a thread, and two models beside each other. */
Test(results, contexts_do_not_meet) {
    enum { RUNNERS = 4 };
    mbn_model *models[2] = {
        make_model("mobilenet_v2", 0, NULL),
        make_model_in(MBN_PRECISION_BFLOAT16, "mobilenet_v3_small", 0, NULL),
    };
    float *images = make_images(RUNNERS, 6), expected[RUNNERS][CLASSES];
    struct runner runners[RUNNERS];
    pthread_t threads[RUNNERS];
    for (int i = 0; i < RUNNERS; i++) {
        runners[i] =
            (struct runner){make_context(models[i % 2], NULL), images + i * PIXELS, expected[i], 0};
        run_logits(runners[i].context, runners[i].image, expected[i]);
    }
    for (int i = 0; i < RUNNERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, run_often, &runners[i]), 0);
    }
    for (int i = 0; i < RUNNERS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(runners[i].wrong, 0, "%d of 20 runs of runner %d", runners[i].wrong, i);
        mbn_context_free(runners[i].context);
    }
    free(images);
    mbn_model_free(models[0]);
    mbn_model_free(models[1]);
}

Test(results, top) {
    const float values[] = {0.5F, NAN, 2.0F, -1.0F, 2.0F, 0.5F};
    int32_t indices[8];
    const int32_t expected[] = {2, 4, 0, 5, 3, 1};
    for (int32_t k = 0; k <= 8; k++) {
        const int32_t found = mbn_top(values, 6, k, indices);
        cr_assert_eq(found, k < 6 ? k : 6);
        for (int32_t i = 0; i < found; i++) cr_expect_eq(indices[i], expected[i], "k %d", (int)k);
    }
}
