#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

static void check_awkward(int32_t cases, bool square, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    for (int32_t i = 0; i < cases; i++) {
        int32_t kernel_height = square ? 3 : random_int(&r, 1, 7);
        int32_t kernel_width = square ? 3 : random_int(&r, 1, 7);
        convolution_case c = awkward_case(i, kernel_height, kernel_width, &r);
        c.outputs = random_int(&r, 1, 40);
        check_convolutions(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(convolution, awkward_shapes) {
    check_awkward(cases_under_test(120), true, 7);
}

Test(convolution, any_kernel) {
    check_awkward(60, false, 8);
}

/* Rows long enough for the widest tiles, three channels in, and from one vector to a panel out. */
Test(convolution, stems) {
    operands memory = {0};
    random_state r = {11};
    for (int32_t i = 0; i < 60; i++) {
        convolution_case c = awkward_case(i, 3, 3, &r);
        c.channels = 3;
        c.outputs = random_int(&r, 1, 32);
        c.height = random_int(&r, 3, 6);
        c.width = random_int(&r, 28, 80);
        c.stride_vertical = c.stride_horizontal = 2;
        c.pad_top = random_int(&r, 0, 1);
        c.pad_left = random_int(&r, 0, 2);
        c.output_height = (c.height + c.pad_top - 3) / 2 + 1;
        c.output_width = (c.width + c.pad_left + random_int(&r, 0, 2) - 3) / 2 + 1;
        check_convolutions(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

static void check_network(bool standard, int32_t at_least, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_CONVOLUTION, standard, cases);
    cr_assert(count >= at_least);
    for (int32_t i = 0; i < count; i++) check_convolutions(cases + i, false, &memory, &r);
    operands_free(&memory);
}

Test(convolution, network_shapes) {
    check_network(false, 2, 9);
}

Test(convolution, standard_network_shapes) {
    check_network(true, 20, 10);
}
