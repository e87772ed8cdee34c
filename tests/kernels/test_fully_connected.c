#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

Test(fully_connected, awkward_shapes) {
    operands memory = {0};
    random_state r = {11};
    for (int32_t i = 0; i < cases_under_test(600); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.outputs = random_int(&r, 1, 70);
        check_fully_connecteds(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(fully_connected, network_shapes) {
    operands memory = {0};
    random_state r = {12};
    convolution_case cases[NETWORK_CASES_MAX];
    int32_t count = network_cases(MBN_LAYER_FULLY_CONNECTED, false, cases);
    cr_assert(count > 20);
    for (int32_t i = 0; i < count; i++) check_fully_connecteds(cases + i, false, &memory, &r);
    operands_free(&memory);
}
