#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

Test(pointwise, awkward_shapes) {
    operands memory = {0};
    random_state r = {1};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.outputs = random_int(&r, 1, 40);
        c.stride_vertical = c.stride_horizontal = 1;
        c.pad_top = c.pad_left = 0;
        c.output_height = c.height;
        c.output_width = c.width;
        check_pointwises(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(pointwise, network_shapes) {
    operands memory = {0};
    random_state r = {2};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_POINTWISE, false, cases);
    cr_assert(count > 50);
    for (int32_t i = 0; i < count; i++) check_pointwises(cases + i, false, &memory, &r);
    operands_free(&memory);
}
