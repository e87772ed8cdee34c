/* Whole networks against Keras and torch: seeded weights and input, made alike here and in numpy,
 * and the logits and outputs in the middle that the frameworks computed in double
 * (tests/golden/make_golden.py). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <mobilenet.h>
#include <stdio.h>
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

/* The values of the tensor "input", between -1 and 1 (docs/model-format.md, "Seeded weights"). */
static float *make_input(uint64_t seed, size_t count) {
    const uint64_t golden_ratio = 0x9E3779B97F4A7C15;
    uint64_t state = 0xCBF29CE484222325;
    for (const char *c = "input"; *c != '\0'; c++)
        state = (state ^ (unsigned char)*c) * 0x100000001B3;
    state ^= seed * golden_ratio;
    float *input = malloc(count * sizeof *input);
    cr_assert_not_null(input);
    for (size_t i = 0; i < count; i++) {
        uint64_t x = state + (i + 1) * golden_ratio;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
        x = (x ^ x >> 27) * 0x94D049BB133111EB;
        x ^= x >> 31;
        input[i] = (float)(-1.0 + 2.0 * ((double)(x >> 40) * 0x1p-24));
    }
    return input;
}

/* The `count` values of a .npy of little-endian float32, version 1, as numpy.save writes it. */
static float *read_golden(const char *name, size_t count) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.npy", GOLDEN_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    unsigned char start[10];
    cr_assert_eq(fread(start, 1, sizeof start, file), sizeof start);
    cr_assert_eq(memcmp(start, "\x93NUMPY\x01\x00", 8), 0, "%s", path);
    cr_assert_eq(fseek(file, start[8] + 256 * start[9], SEEK_CUR), 0);
    float *values = malloc(count * sizeof *values);
    cr_assert_not_null(values);
    cr_assert_eq(fread(values, sizeof *values, count, file), count, "%s", path);
    cr_assert_eq(fgetc(file), EOF, "%s", path);
    fclose(file);
    return values;
}

static mbn_model *load_seeded(const struct golden_case *c, uint32_t isa_mask) {
    const mbn_network_options options = {
        .network = c->network,
        .width = c->width,
        .input_height = c->height,
        .input_width = c->columns,
        .classes = c->classes,
        .padding = c->padding,
        .source = c->source,
    };
    mbn_error error = {0};
    size_t size = 0;
    cr_assert_eq(mbn_network_init(&options, c->seed, NULL, &size, &error), MBN_OK, "%s",
                 error.message);
    void *bytes = malloc(size);
    cr_assert_not_null(bytes);
    cr_assert_eq(mbn_network_init(&options, c->seed, bytes, &size, &error), MBN_OK, "%s",
                 error.message);
    mbn_model *model = NULL;
    const mbn_model_options model_options = {.isa_mask = isa_mask};
    cr_assert_eq(mbn_model_load_memory(bytes, size, &model_options, &model, &error), MBN_OK, "%s",
                 error.message);
    free(bytes);
    return model;
}

/* Within 1e-4 of the golden values' range. */
static void compare(const char *name, mbn_isa isa, const float *values, const float *golden,
                    size_t count) {
    float least = golden[0], largest = golden[0];
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)values[i] - (double)golden[i]);
        if (!(difference <= worst)) worst = difference; /* a NaN is the worst */
        if (golden[i] < least) least = golden[i];
        if (golden[i] > largest) largest = golden[i];
    }
    const double range = (double)largest - (double)least;
    cr_log_info("%s on %s: %.1e of the range %.2f", name, mbn_isa_name(isa), worst / range, range);
    cr_expect(worst <= 1e-4 * range, "%s on %s: off by %g, the range is %g", name,
              mbn_isa_name(isa), worst, range);
}

static uint32_t isas_to_test(void) {
    uint32_t mask = mbn_isa_usable();
    const char *allowed = getenv("MOBILENET_ISA");
    if (allowed != NULL && allowed[0] != '\0') mask &= mbn_isa_parse(allowed);
    cr_assert_neq(mask, 0);
    return mask;
}

static void check_logits(const struct golden_case *c, mbn_isa isa, const float *input,
                         const float *golden) {
    mbn_model *model = load_seeded(c, 1U << isa);
    cr_assert_eq(mbn_model_kernels(model)->isa, isa);
    mbn_context *context = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_context_create(model, NULL, &context, &error), MBN_OK, "%s", error.message);
    float *logits = malloc((size_t)c->classes * sizeof *logits);
    cr_assert_not_null(logits);
    cr_assert_eq(mbn_run(context, input, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_OK, "%s",
                 error.message);
    compare(c->name, isa, logits, golden, (size_t)c->classes);
    free(logits);
    mbn_context_free(context);
    mbn_model_free(model);
}

/* Parameters are copied to another process, where pointers mean nothing: so they are indices. */
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

ParameterizedTestParameters(golden, logits) {
    static int indices[CASE_COUNT];
    for (int i = 0; i < CASE_COUNT; i++) indices[i] = i;
    return cr_make_param_array(int, indices, CASE_COUNT);
}

ParameterizedTest(const int *index, golden, logits, .timeout = 300) {
    const struct golden_case *c = &cases[*index];
    uint32_t mask = isas_to_test();
#if defined(TESTS_ARE_EMULATED)
    /* Small images only, and no portable code. */
    if (c->height > 100) cr_skip_test("a large image, under an emulator");
    mask &= ~(1U << MBN_ISA_SCALAR);
#endif
    float *input = make_input(c->seed, (size_t)c->height * (size_t)c->columns * 3);
    float *golden = read_golden(c->name, (size_t)c->classes);
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if ((mask >> isa & 1U) != 0) check_logits(c, (mbn_isa)isa, input, golden);
    }
    free(golden);
    free(input);
}

/* ---- Stages ----------------------------------------------------------------------------------- */

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

static void check_stage(const struct stage_case *s, mbn_isa isa) {
    const struct golden_case *c = &s->network;
    mbn_model *model = load_seeded(c, 1U << isa);
    mbn_context *context = NULL;
    mbn_error error = {0};
    const mbn_context_options options = {.stages = &s->stage, .stage_count = 1};
    cr_assert_eq(mbn_context_create(model, &options, &context, &error), MBN_OK, "%s",
                 error.message);
    mbn_stage_info stage;
    cr_assert_eq(mbn_network_stage(mbn_context_network(context), s->stage, &stage, &error), MBN_OK);
    const size_t count = (size_t)stage.height * (size_t)stage.width * (size_t)stage.channels;
    float *input = make_input(c->seed, (size_t)c->height * (size_t)c->columns * 3);
    float *golden = read_golden(c->name, count);
    float *values = malloc(count * sizeof *values);
    cr_assert_not_null(values);
    const mbn_feature_map map = {values, MBN_NHWC};
    cr_assert_eq(mbn_features(context, input, MBN_NHWC, 1, &map, &error), MBN_OK, "%s",
                 error.message);
    compare(c->name, isa, values, golden, count);
    free(values);
    free(golden);
    free(input);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(golden, stages, .timeout = 300) {
    const uint32_t mask = isas_to_test();
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if ((mask >> isa & 1U) == 0) continue;
        for (int i = 0; i < STAGE_COUNT; i++) check_stage(&stages[i], (mbn_isa)isa);
    }
}
