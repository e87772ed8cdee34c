/* Networks in bfloat16 against numpy's: the same bits (tests/golden/make_bfloat16.py), since
 * products are exact, and sums and roundings are in an order that kernels.h states. */
#include "golden.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64 };

static const struct exact {
    const char *golden, *network;
    double width;
    const char *stage;
    uint64_t seed;
} cases[] = {
    {"bfloat16/v1-block5", "mobilenet_v1", 0.25, "block5", 75},
    {"bfloat16/v1-block12", "mobilenet_v1", 0.25, "block12", 75},
    {"bfloat16/v2-block1", "mobilenet_v2", 0.35, "block1", 73},
    {"bfloat16/v2-block9", "mobilenet_v2", 0.35, "block9", 73},
    {"bfloat16/v2-stride32", "mobilenet_v2", 0.35, "stride32", 73},
};

/* The nearest bfloat16, ties to even. */
static float rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFFU + (bits >> 16 & 1U)) & 0xFFFF0000U;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static void check_bits(const struct exact *c, const mbn_model *model) {
    float *input = seeded_input(c->seed, SIDE * SIDE * 3);
    for (int i = 0; i < SIDE * SIDE * 3; i++) input[i] = rounded(input[i]);
    mbn_context *context = NULL;
    mbn_error error = {0};
    const mbn_context_options options = {.stages = &c->stage, .stage_count = 1};
    cr_assert_eq(mbn_context_create(model, &options, &context, &error), MBN_OK, "%s",
                 error.message);
    mbn_stage_info stage;
    cr_assert_eq(mbn_network_stage(mbn_context_network(context), c->stage, &stage, &error), MBN_OK);
    const size_t count = (size_t)stage.height * (size_t)stage.width * (size_t)stage.channels;
    float *values = malloc(count * sizeof *values), *golden = read_golden(c->golden, count);
    cr_assert_not_null(values);
    const mbn_feature_map map = {values, MBN_NHWC};
    cr_assert_eq(mbn_features(context, input, MBN_NHWC, 1, &map, &error), MBN_OK, "%s",
                 error.message);
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) wrong += values[i] != golden[i]; /* 0 is -0 */
    cr_expect_eq(wrong, 0, "%s on %s: %zu of %zu values differ", c->golden,
                 mbn_model_kernels(model)->name, wrong, count);
    free(golden);
    free(values);
    free(input);
    mbn_context_free(context);
}

Test(bfloat16, bits_are_those_of_numpy) {
    /* BFDOT and BFMMLA round to odd. */
    const uint32_t mask = isas_to_test(MBN_PRECISION_BFLOAT16) & ~(1U << MBN_ISA_NEON_BF16);
    for (const struct exact *c = cases; c < cases + sizeof cases / sizeof cases[0]; c++) {
        const mbn_network_options options = {
            .network = c->network, .width = c->width, .input_height = SIDE, .input_width = SIDE};
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((mask >> isa & 1U) == 0) continue;
            mbn_model *model = load_seeded(&options, c->seed, MBN_PRECISION_BFLOAT16, 1U << isa);
            cr_assert_eq(mbn_model_kernels(model)->isa, isa);
            check_bits(c, model);
            mbn_model_free(model);
        }
    }
}
