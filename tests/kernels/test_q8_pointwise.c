#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

Test(q8_pointwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {101};
    for (int32_t i = 0; i < cases_under_test(1500); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = random_int(&r, 1, i % 4 == 0 ? 20 : 110);
        c.outputs = random_int(&r, 1, i % 4 == 1 ? 20 : 110);
        if (i % 3 == 0) c.width = random_int(&r, 17, 70);
        c.output_height = c.height;
        c.output_width = c.width;
        c.stride_vertical = c.stride_horizontal = 1;
        c.pad_top = c.pad_left = 0;
        check_q8_pointwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_pointwise, network_shapes) {
    operands memory = {0};
    random_state r = {102};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_POINTWISE, false, cases);
    cr_assert(count > 50);
    for (int32_t i = 0; i < count; i++) {
        check_q8_pointwises(cases + i, false, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_fully_connected, awkward_shapes) {
    operands memory = {0};
    random_state r = {103};
    for (int32_t i = 0; i < cases_under_test(1000); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = random_int(&r, 1, i % 4 == 0 ? 20 : 150);
        c.outputs = random_int(&r, 1, i % 4 == 1 ? 20 : 150);
        check_q8_fully_connecteds(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_fully_connected, network_shapes) {
    operands memory = {0};
    random_state r = {104};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_FULLY_CONNECTED, false, cases);
    cr_assert(count > 10);
    for (int32_t i = 0; i < count; i++) check_q8_fully_connecteds(cases + i, false, &memory, &r);
    operands_free(&memory);
}
