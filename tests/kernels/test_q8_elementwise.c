#include "checks.h"

#include <criterion/criterion.h>

static void check_awkward(elementwise_kind kind, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    for (int32_t i = 0; i < cases_under_test(1000); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        if (i % 3 == 0) c.channels = random_int(&r, 1, 110);
        check_q8_elementwises(kind, &c, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_elementwise, batch_norm) {
    check_awkward(BATCH_NORM, 131);
}

Test(q8_elementwise, channel_scale) {
    check_awkward(CHANNEL_SCALE, 132);
}

Test(q8_elementwise, add) {
    check_awkward(ADD, 133);
}

Test(q8_elementwise, all_pairs) {
    operands memory = {0};
    random_state r = {134};
    for (int32_t i = 0; i < cases_under_test(200); i++) check_q8_pairs(&memory, &r);
    operands_free(&memory);
}
