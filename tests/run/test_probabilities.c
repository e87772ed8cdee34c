/* What MBN_PROBABILITIES means is the model's: softmax, sigmoid, or nothing. */
#include "arch/run/probabilities_q8.h"
#include "models.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tests/golden/softmax.h>

static mbn_error error;

static const mbn_network_options options = {
    .network = "mobilenet_v3_small",
    .width = 0.1,
    .input_height = HEIGHT,
    .input_width = WIDTH,
    .classes = CLASSES,
};

static mbn_model *load(const char *format, const char *more, uint32_t isa_mask) {
    size_t size;
    void *file = make_file(&options, &size);
    file = with_metadata(file, &size, format, more);
    const mbn_model_options model_options = {.isa_mask = isa_mask};
    mbn_model *model = NULL;
    error = (mbn_error){MBN_OK, ""};
    mbn_model_load_memory(file, size, &model_options, &model, &error);
    free(file);
    return model;
}

/* Logits and probabilities of one image. */
static void run(const mbn_model *model, const float *image, float *logits, float *probabilities) {
    mbn_context *context = make_context(model, NULL);
    run_logits(context, image, logits);
    cr_assert_eq(mbn_run(context, image, MBN_NHWC, 1, MBN_PROBABILITIES, probabilities, &error),
                 MBN_OK, "%s", error.message);
    mbn_context_free(context);
}

Test(probabilities, are_a_softmax_unless_the_file_says_otherwise) {
    static const char *const files[][2] = {
        {"mobilenet/1", ""},
        {"mobilenet/1", "\"probabilities\":\"sigmoid\","}, /* of no meaning in that format */
        {"mobilenet/2", ""},
        {"mobilenet/2", "\"probabilities\":\"softmax\","},
    };
    float *image = make_images(1, 1), logits[CLASSES], probabilities[CLASSES];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        mbn_model *model = load(files[i][0], files[i][1], 0);
        cr_assert_not_null(model, "%s", error.message);
        cr_expect_eq(mbn_model_probabilities(model), MBN_SOFTMAX);
        run(model, image, logits, probabilities);
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += exp((double)logits[c]);
        for (int c = 0; c < CLASSES; c++) {
            cr_expect_float_eq(probabilities[c], exp((double)logits[c]) / sum, 1e-6);
        }
        mbn_model_free(model);
    }
    free(image);
}

/* Within one unit in the last place of the value in extended precision. */
static void expect_sigmoid(float logit, float probability, const char *isa) {
    const long double exact = 1.0L / (1.0L + expl(-(long double)logit));
    const float nearest = (float)exact;
    if (isnan(logit)) {
        cr_expect(isnan(probability), "%s: of a NaN: %g", isa, (double)probability);
    } else if (nearest < 1.2e-38F) { /* denormals are flushed while a network runs */
        cr_expect(probability >= 0.0F && probability <= nearest, "%s: sigmoid(%g) = %g", isa,
                  (double)logit, (double)probability);
    } else {
        const float below = nextafterf(nearest, 0.0F), above = nextafterf(nearest, 2.0F);
        cr_expect(probability >= below && probability <= above, "%s: sigmoid(%g) = %g, not %g", isa,
                  (double)logit, (double)probability, (double)nearest);
    }
}

Test(probabilities, sigmoids_are_exact) {
    float *image = make_images(1, 1);
    /* The last layer's bias becomes these values, and its weights 0: so they are the logits. */
    static const float values[CLASSES] = {0.0F,   1e-8F,   -3.5F, 17.0F,     -87.0F,
                                          100.0F, -103.0F, 1e30F, -INFINITY, NAN};
    const uint32_t isas = isas_to_test(MBN_PRECISION_FLOAT32);
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if ((isas >> isa & 1U) == 0) continue;
        mbn_model *model = load("mobilenet/2", "\"probabilities\":\"sigmoid\",", 1U << isa);
        cr_assert_not_null(model, "%s", error.message);
        cr_expect_eq(mbn_model_probabilities(model), MBN_SIGMOID);
        float logits[CLASSES], probabilities[CLASSES];
        run(model, image, logits, probabilities);
        for (int c = 0; c < CLASSES; c++) {
            expect_sigmoid(logits[c], probabilities[c], mbn_isa_name((mbn_isa)isa));
        }
        mbn_model_free(model);

        size_t size;
        char *file = with_metadata(make_file(&options, &size), &size, "mobilenet/2",
                                   "\"probabilities\":\"sigmoid\",");
        const size_t layer = (CLASSES * 104 + CLASSES) * sizeof(float); /* [10,104], [10] */
        memset(file + size - layer, 0, layer - sizeof values);
        memcpy(file + size - sizeof values, values, sizeof values);
        const mbn_model_options model_options = {.isa_mask = 1U << isa};
        cr_assert_eq(mbn_model_load_memory(file, size, &model_options, &model, &error), MBN_OK);
        run(model, image, logits, probabilities);
        for (int c = 0; c < CLASSES; c++) {
            expect_sigmoid(values[c], probabilities[c], mbn_isa_name((mbn_isa)isa));
        }
        free(file);
        mbn_model_free(model);
    }
    free(image);
}

Test(probabilities, none_is_an_error_that_says_so) {
    mbn_model *model = load("mobilenet/2", "\"probabilities\":\"none\",", 0);
    cr_assert_not_null(model, "%s", error.message);
    cr_expect_eq(mbn_model_probabilities(model), MBN_NO_PROBABILITIES);
    mbn_context *context = make_context(model, NULL);
    float *image = make_images(1, 1), values[CLASSES] = {123.0F};
    cr_expect_eq(mbn_run(context, image, MBN_NHWC, 1, MBN_PROBABILITIES, values, &error),
                 MBN_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "no probabilities"), "%s", error.message);
    static const uint8_t pixels[3];
    const mbn_image pixel = {.pixels = pixels, .width = 1, .height = 1};
    cr_expect_eq(mbn_run_images(context, &pixel, 1, MBN_PROBABILITIES, values, &error),
                 MBN_INVALID_ARGUMENT);
    cr_expect_eq(values[0], 123.0F);
    run_logits(context, image, values);
    free(image);
    mbn_context_free(context);
    mbn_model_free(model);
}

/* One sigmoid may have a label, or two: of no and of yes. */
Test(probabilities, labels_of_a_single_sigmoid) {
    static const struct {
        const char *more;
        int32_t labels; /* that load; -1: an error */
    } files[] = {
        {"\"probabilities\":\"sigmoid\",", 0},
        {"\"probabilities\":\"sigmoid\",\"labels\":\"[\\\"cat\\\"]\",", 1},
        {"\"probabilities\":\"sigmoid\",\"labels\":\"[\\\"cat\\\",\\\"dog\\\"]\",", 2},
        {"\"probabilities\":\"sigmoid\",\"labels\":\"[\\\"a\\\",\\\"b\\\",\\\"c\\\"]\",", -1},
        {"\"labels\":\"[\\\"cat\\\",\\\"dog\\\"]\",", -1},
    };
    static const char *const names[] = {"cat", "dog"};
    mbn_network_options one = options;
    one.classes = 1;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t size;
        void *file = make_file(&one, &size);
        file = with_metadata(file, &size, "mobilenet/2", files[i].more);
        mbn_model *model = NULL;
        const mbn_status status = mbn_model_load_memory(file, size, NULL, &model, &error);
        free(file);
        cr_expect_eq(status, files[i].labels < 0 ? MBN_MALFORMED : MBN_OK, "%s", files[i].more);
        if (status != MBN_OK) continue;
        for (int32_t c = 0; c < files[i].labels; c++) {
            cr_expect_str_eq(mbn_model_label(model, c), names[c]);
        }
        cr_expect_null(mbn_model_label(model, files[i].labels));
        cr_expect_null(mbn_model_label(model, -1));
        mbn_model_free(model);
    }
}

Test(probabilities, other_words_are_refused) {
    cr_expect_null(load("mobilenet/2", "\"probabilities\":\"sigmoids\",", 0));
    cr_expect_eq(error.status, MBN_MALFORMED);
    cr_expect_str_eq(error.message, "metadata probabilities: unknown value: sigmoids");
    cr_expect_str_eq(mbn_probability_kind_name(MBN_SOFTMAX), "softmax");
    cr_expect_str_eq(mbn_probability_kind_name(MBN_SIGMOID), "sigmoid");
    cr_expect_str_eq(mbn_probability_kind_name(MBN_NO_PROBABILITIES), "none");
    cr_expect_null(mbn_probability_kind_name((mbn_probability_kind)3));
}

/* ---- Quantised ones -------------------------------------------------------------------------- */

static uint8_t byte_at(const char *hexadecimal, int i) {
    const char digits[] = {hexadecimal[2 * i], hexadecimal[2 * i + 1], '\0'};
    return (uint8_t)strtol(digits, NULL, 16);
}

/* Bytes are LiteRT's, by its default and by its reference kernel (tests/golden/make_softmax.py). */
Test(probabilities, quantised_softmax_is_that_of_litert) {
    int distinct = 0;
    for (size_t i = 0; i < sizeof softmax_cases / sizeof *softmax_cases; i++) {
        const struct softmax_case *c = &softmax_cases[i];
        const int32_t origin = c->is_signed ? 128 : 0;
        mbn_q8_probabilities p = {
            .kind = c->reference ? MBN_Q8_SOFTMAX_FIXED : MBN_Q8_SOFTMAX_FLOAT,
            .logits = {softmax_tables[c->scale].scale, 133, origin, MBN_QUANTIZE_INVERSE},
            .output = {1.0F / 256.0F, 0, origin, MBN_QUANTIZE_INVERSE},
        };
        for (int d = 0; d < 256; d++) {
            if (c->reference) {
                p.table.fixed[d] = softmax_tables[c->scale].fixed[d];
            } else {
                p.table.real[d] = softmax_tables[c->scale].real[d];
            }
        }
        float values[512];
        for (int v = 0; v < c->count; v++) {
            values[v] = p.logits.scale * (float)(byte_at(c->logits, v) - p.logits.zero);
        }
        mbn_make_probabilities_q8(&p, values, c->count);
        for (int v = 0; v < c->count; v++) {
            const float expected = (float)byte_at(c->probabilities, v) / 256.0F;
            cr_expect_eq(values[v], expected, "case %zu, %d: %g, not %g", i, v, (double)values[v],
                         (double)expected);
            distinct += v > 0 && values[v] != values[v - 1];
        }
    }
    cr_expect_gt(distinct, 1000);
}
