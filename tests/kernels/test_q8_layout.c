#include "checks.h"

#include <criterion/criterion.h>

static convolution_case random_shape(int32_t i, random_state *r) {
    convolution_case c = awkward_case(i, 1, 1, r);
    if (i % 3 == 0) c.channels = random_int(r, 1, 110);
    return c;
}

Test(q8_layout, to_blocked) {
    operands memory = {0};
    random_state r = {151};
    for (int32_t i = 0; i < cases_under_test(600); i++) {
        const convolution_case c = random_shape(i, &r);
        check_q8_to_blocked(&c, 0, &memory, &r);
    }
    operands_free(&memory);
}

/* All channels in one block, rounded up to a depth: that of any table may be asked of any. */
Test(q8_layout, images) {
    operands memory = {0};
    random_state r = {152};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = i % 3 != 0 ? 3 : 1 + i % 9;
        c.width = random_int(&r, 1, 150);
        const int32_t depth = 1 << i / 3 % 3;
        check_q8_to_blocked(&c, mbn_block_count(c.channels, depth) * depth, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_layout, from_blocked) {
    operands memory = {0};
    random_state r = {153};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        const convolution_case c = random_shape(i, &r);
        check_q8_from_blocked(&c, &memory, &r);
    }
    operands_free(&memory);
}
