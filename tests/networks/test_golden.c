/* Whole networks against Keras and torch: seeded weights and input, made alike here and in numpy,
 * and the logits and outputs in the middle that the frameworks computed in double
 * (tests/golden/make_golden.py), which bfloat16 is held to, too. */
#include "golden.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <mobilenet.h>
#include <stdlib.h>
#include <string.h>

struct golden_case {
    const char *name, *network;
    mbn_source source;
    mbn_padding padding;
    double width;
    int32_t height, columns, classes;
    uint64_t seed;
};

#define CASE(name, network, source, implementation, padding, width, height, columns, classes,      \
             seed)                                                                                 \
    {name,    network, MBN_SOURCE_##source, MBN_PADDING_##padding, width, height, columns,         \
     classes, seed},
static const struct golden_case cases[] = {
#include <tests/golden/cases.inc>
};

static mbn_network_options options_of(const struct golden_case *c) {
    return (mbn_network_options){
        .network = c->network,
        .width = c->width,
        .input_height = c->height,
        .input_width = c->columns,
        .classes = c->classes,
        .padding = c->padding,
        .source = c->source,
    };
}

/* Calls a check for every table of either element type, or in turn. */
typedef void check(const void *subject, mbn_precision precision, mbn_isa isa);

static void check_tables(check *check_one, const void *subject, int32_t turn) {
    for (mbn_precision p = MBN_PRECISION_FLOAT32; p <= MBN_PRECISION_BFLOAT16; p++) {
        uint32_t mask = isas_to_test(p);
#if defined(TESTS_ARE_EMULATED)
        /* Portable code is slow there, and nothing of its own, but where there is nothing else. */
        if (mask != 1U << MBN_ISA_SCALAR) mask &= ~(1U << MBN_ISA_SCALAR);
#endif
        mask = isas_in_turn(mask, turn);
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((mask >> isa & 1U) != 0) check_one(subject, p, (mbn_isa)isa);
        }
    }
}

/* The model's own, of the case's input; free() them. */
static float *run_logits(const struct golden_case *c, const mbn_model *model) {
    float *input = seeded_input(c->seed, (size_t)c->height * (size_t)c->columns * 3);
    float *logits = malloc((size_t)c->classes * sizeof *logits);
    cr_assert_not_null(logits);
    mbn_context *context = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_context_create(model, NULL, &context, &error), MBN_OK, "%s", error.message);
    cr_assert_eq(mbn_run(context, input, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_OK, "%s",
                 error.message);
    mbn_context_free(context);
    free(input);
    return logits;
}

static void check_logits(const void *subject, mbn_precision precision, mbn_isa isa) {
    const struct golden_case *c = subject;
    /* Portable code is slow, above all under sanitizers, and alike for every size. */
    if (tests_are_brief() && isa == MBN_ISA_SCALAR && c->height > 100) return;
    const mbn_network_options network = options_of(c);
    float *golden = read_golden(c->name, (size_t)c->classes);
    mbn_model *model = load_seeded(&network, c->seed, precision, 1U << isa);
    cr_assert_eq(mbn_model_kernels(model)->isa, isa);
    float *logits = run_logits(c, model);
    compare_golden(c->name, model, logits, golden, (size_t)c->classes);
    free(logits);
    mbn_model_free(model);
    free(golden);
}

/* Parameters are copied to another process, where pointers mean nothing: so they are indices. */
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

ParameterizedTestParameters(golden, logits) {
    static int indices[CASE_COUNT];
    for (int i = 0; i < CASE_COUNT; i++) indices[i] = i;
    return cr_make_param_array(int, indices, CASE_COUNT);
}

ParameterizedTest(const int *index, golden, logits) {
    const struct golden_case *c = &cases[*index];
#if defined(TESTS_ARE_EMULATED)
    if (c->height > 100) cr_skip_test("a large image, under an emulator");
    if (mbn_isa_usable() == 1U << MBN_ISA_SCALAR && c->width >= 1) {
        cr_skip_test("a wide network in portable code, under an emulator");
    }
#endif
    /* Every other image is a large one. */
    check_tables(check_logits, c, *index / 2 + *index % 2);
}

/* Tables whose multiply-adds round once, in steps of two k, give the same bits. */
Test(golden, bfloat16_logits_are_alike) {
    static const mbn_isa isas[] = {MBN_ISA_AVX2, MBN_ISA_AVX512, MBN_ISA_AVX512_BF16};
    uint32_t mask = isas_to_test(MBN_PRECISION_BFLOAT16), alike = 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) alike |= 1U << isas[i];
    mask &= alike;
    if ((mask & (mask - 1)) == 0) cr_skip_test("fewer than two of these tables");
    for (const struct golden_case *c = cases; c < cases + CASE_COUNT; c++) {
        if (tests_are_brief() && (c->height > 100 || (c - cases) % 3 != 0)) continue;
        const mbn_network_options network = options_of(c);
        const size_t bytes = (size_t)c->classes * sizeof(float);
        float *first = NULL;
        for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
            if ((mask >> isas[i] & 1U) == 0) continue;
            mbn_model *model =
                load_seeded(&network, c->seed, MBN_PRECISION_BFLOAT16, 1U << isas[i]);
            float *logits = run_logits(c, model);
            if (first != NULL) {
                cr_expect_arr_eq(logits, first, bytes, "%s: %s differs", c->name,
                                 mbn_isa_name(isas[i]));
                free(logits);
            } else {
                first = logits;
            }
            mbn_model_free(model);
        }
        free(first);
    }
}

/* ---- Channels -------------------------------------------------------------------------------- */

struct channel_case {
    const char *name, *network;
    mbn_source source;
    mbn_padding padding;
    int32_t channels;
    uint64_t seed;
};

#define CHANNELS(name, network, source, implementation, padding, channels, seed)                   \
    {"channels/" name, network, MBN_SOURCE_##source, MBN_PADDING_##padding, channels, seed},
static const struct channel_case channel_cases[] = {
#include <tests/golden/channels.inc>
};

/* Interleaved, and in planes. */
static void check_channels(const void *subject, mbn_precision precision, mbn_isa isa) {
    const struct channel_case *c = subject;
    enum { HEIGHT = 48, WIDTH = 64, CLASSES = 10 };
    const bool article = strcmp(c->network, "mobilenet_v3_small_article") == 0;
    mbn_model *model = load_seeded(
        &(mbn_network_options){
            .network = c->network,
            .width = article ? 1 : 0.5,
            .input_height = HEIGHT,
            .input_width = WIDTH,
            .classes = CLASSES,
            .padding = c->padding,
            .source = c->source,
            .input_channels = c->channels,
        },
        c->seed, precision, 1U << isa);
    cr_expect_eq(mbn_model_network(model)->input_channels, c->channels);
    mbn_context *context = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_context_create(model, NULL, &context, &error), MBN_OK, "%s", error.message);
    const size_t pixels = HEIGHT * WIDTH, channels = (size_t)c->channels;
    float *input = seeded_input(c->seed, pixels * channels);
    float *planes = malloc(pixels * channels * sizeof *planes);
    cr_assert_not_null(planes);
    for (size_t i = 0; i < pixels * channels; i++) {
        planes[i % channels * pixels + i / channels] = input[i];
    }
    float *golden = read_golden(c->name, CLASSES), logits[CLASSES], of_planes[CLASSES];
    cr_assert_eq(mbn_run(context, input, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_OK);
    compare_golden(c->name, model, logits, golden, CLASSES);
    cr_assert_eq(mbn_run(context, planes, MBN_NCHW, 1, MBN_LOGITS, of_planes, &error), MBN_OK);
    cr_expect_arr_eq(of_planes, logits, sizeof logits, "%s: planes give another result", c->name);
    free(golden);
    free(planes);
    free(input);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(golden, channels) {
    for (size_t i = 0; i < sizeof channel_cases / sizeof channel_cases[0]; i++) {
        check_tables(check_channels, &channel_cases[i], (int32_t)i);
    }
}

/* ---- Stages ---------------------------------------------------------------------------------- */

struct stage_case {
    struct golden_case network;
    const char *stage;
};

#define STAGE(file, network, source, padding, seed, stage, module)                                 \
    {{"stages/" file, network, MBN_SOURCE_##source, MBN_PADDING_##padding, 0.5, 48, 64, 10, seed}, \
     stage},
static const struct stage_case stages[] = {
#include <tests/golden/stages.inc>
};
enum { STAGE_COUNT = sizeof stages / sizeof stages[0] };

static void check_stage(const void *subject, mbn_precision precision, mbn_isa isa) {
    const struct stage_case *s = subject;
    const struct golden_case *c = &s->network;
    const mbn_network_options network = options_of(c);
    mbn_model *model = load_seeded(&network, c->seed, precision, 1U << isa);
    mbn_context *context = NULL;
    mbn_error error = {0};
    const mbn_context_options options = {.stages = &s->stage, .stage_count = 1};
    cr_assert_eq(mbn_context_create(model, &options, &context, &error), MBN_OK, "%s",
                 error.message);
    mbn_stage_info stage;
    cr_assert_eq(mbn_network_stage(mbn_context_network(context), s->stage, &stage, &error), MBN_OK);
    const size_t count = (size_t)stage.height * (size_t)stage.width * (size_t)stage.channels;
    float *input = seeded_input(c->seed, (size_t)c->height * (size_t)c->columns * 3);
    float *golden = read_golden(c->name, count);
    float *values = malloc(count * sizeof *values);
    cr_assert_not_null(values);
    const mbn_feature_map map = {values, MBN_NHWC};
    cr_assert_eq(mbn_features(context, input, MBN_NHWC, 1, &map, &error), MBN_OK, "%s",
                 error.message);
    compare_golden(c->name, model, values, golden, count);
    free(values);
    free(golden);
    free(input);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(golden, stages) {
    for (int i = 0; i < STAGE_COUNT; i++) check_tables(check_stage, &stages[i], i);
}
