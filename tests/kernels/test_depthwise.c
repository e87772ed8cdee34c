#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

Test(depthwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {3};
    for (int32_t i = 0; i < cases_under_test(600); i++) {
        int32_t kernel = i % 2 == 0 ? 3 : 5;
        const convolution_case c = awkward_case(i / 2, kernel, kernel, &r);
        check_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* What a plane with a halo gives: no padding, every tap inside. */
Test(depthwise, without_padding) {
    operands memory = {0};
    random_state r = {4};
    for (int32_t i = 0; i < 200; i++) {
        int32_t kernel = i % 2 == 0 ? 3 : 5;
        convolution_case c = awkward_case(i / 2, kernel, kernel, &r);
        c.pad_top = c.pad_left = 0;
        c.height = (c.output_height - 1) * c.stride_vertical + kernel;
        c.width = (c.output_width - 1) * c.stride_horizontal + kernel;
        check_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* Kernels that only the scalar function takes. */
Test(depthwise, other_kernels) {
    operands memory = {0};
    random_state r = {5};
    for (int32_t i = 0; i < 200; i++) {
        convolution_case c = awkward_case(i, random_int(&r, 1, 7), random_int(&r, 1, 7), &r);
        check_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(depthwise, network_shapes) {
    operands memory = {0};
    random_state r = {6};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_DEPTHWISE, false, cases);
    cr_assert(count > 30);
    for (int32_t i = 0; i < count; i++) check_depthwises(cases + i, false, &memory, &r);
    operands_free(&memory);
}
