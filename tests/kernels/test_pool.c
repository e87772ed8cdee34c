#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

Test(global_average_pool, awkward_shapes) {
    operands memory = {0};
    random_state r = {31};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.output_height = c.output_width = 1;
        check_pools(&c, true, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(global_average_pool, network_shapes) {
    operands memory = {0};
    random_state r = {32};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_GLOBAL_POOL, false, cases);
    cr_assert(count > 10);
    for (int32_t i = 0; i < count; i++) check_pools(cases + i, true, false, &memory, &r);
    operands_free(&memory);
}

Test(max_pool, awkward_shapes) {
    operands memory = {0};
    random_state r = {33};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        convolution_case c = awkward_case(i, random_int(&r, 1, 5), random_int(&r, 1, 5), &r);
        choose_windows(&c, &r);
        check_pools(&c, false, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(max_pool, lowest_values) {
    operands memory = {0};
    random_state r = {34};
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        check_lowest_pools(element, element_round(element_type_of(element), -FLT_MAX), DATA_MINIMUM,
                           &memory, &r);
        check_lowest_pools(element, -INFINITY, DATA_INFINITY, &memory, &r);
    }
    operands_free(&memory);
}
