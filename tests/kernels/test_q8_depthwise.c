#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

static convolution_case random_shape(int32_t i, int32_t kernel_height, int32_t kernel_width,
                                     random_state *r) {
    convolution_case c = awkward_case(i, kernel_height, kernel_width, r);
    if (i % 5 == 0) c.channels = random_int(r, 40, 110);
    return c;
}

Test(q8_depthwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {111};
    for (int32_t i = 0; i < cases_under_test(1500); i++) {
        const int32_t kernel = i % 2 == 0 ? 3 : 5;
        const convolution_case c = random_shape(i / 2, kernel, kernel, &r);
        check_q8_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* What a plane with a halo gives: no padding, every tap inside; also in wide planes. */
Test(q8_depthwise, without_padding) {
    operands memory = {0};
    random_state r = {112};
    for (int32_t i = 0; i < cases_under_test(1000); i++) {
        const int32_t kernel = i % 2 == 0 ? 3 : 5;
        convolution_case c = random_shape(i / 2, kernel, kernel, &r);
        if (i % 3 == 0) c.output_width = random_int(&r, 17, 60);
        c.pad_top = c.pad_left = 0;
        c.height = (c.output_height - 1) * c.stride_vertical + kernel;
        c.width = (c.output_width - 1) * c.stride_horizontal + kernel;
        check_q8_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

/* Kernels that only the scalar function takes. */
Test(q8_depthwise, other_kernels) {
    operands memory = {0};
    random_state r = {113};
    for (int32_t i = 0; i < 200; i++) {
        const convolution_case c = random_shape(i, random_int(&r, 1, 7), random_int(&r, 1, 7), &r);
        check_q8_depthwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_depthwise, network_shapes) {
    operands memory = {0};
    random_state r = {114};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_DEPTHWISE, false, cases);
    cr_assert(count > 30);
    for (int32_t i = 0; i < count; i++) check_q8_depthwises(cases + i, false, &memory, &r);
    operands_free(&memory);
}
