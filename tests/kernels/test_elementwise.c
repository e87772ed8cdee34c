#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

static void check_awkward(elementwise_kind kind, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    for (int32_t i = 0; i < cases_under_test(240); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        check_elementwises(kind, &c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(elementwise, batch_norm) {
    check_awkward(BATCH_NORM, 21);
}

Test(elementwise, channel_scale) {
    check_awkward(CHANNEL_SCALE, 22);
}

Test(elementwise, add) {
    check_awkward(ADD, 23);
}

/* The planes that squeeze-excite scales, for all three. */
Test(elementwise, network_shapes) {
    operands memory = {0};
    random_state r = {24};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_CHANNEL_SCALE, false, cases);
    cr_assert(count > 10);
    for (int32_t i = 0; i < count; i++) {
        check_elementwises((elementwise_kind)(i % ELEMENTWISE_KINDS), cases + i, false, &memory,
                           &r);
    }
    operands_free(&memory);
}
