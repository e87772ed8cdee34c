#include "checks.h"
#include "network_shapes.h"

#include <criterion/criterion.h>

Test(q8_global_average_pool, awkward_shapes) {
    operands memory = {0};
    random_state r = {141};
    for (int32_t i = 0; i < cases_under_test(1500); i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        if (i % 3 == 0) c.channels = random_int(&r, 1, 110);
        if (i % 7 == 0) c.height = c.width = 1;
        if (i % 7 == 1) c.width = random_int(&r, 100, 600); /* sums beyond 2^16 */
        c.output_height = c.output_width = 1;
        check_q8_pools(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(q8_global_average_pool, network_shapes) {
    operands memory = {0};
    random_state r = {142};
    convolution_case cases[NETWORK_CASES_MAX];
    const int32_t count = network_cases(MBN_LAYER_GLOBAL_POOL, false, cases);
    cr_assert(count > 10);
    for (int32_t i = 0; i < count; i++) check_q8_pools(cases + i, true, &memory, &r);
    operands_free(&memory);
}

Test(q8_max_pool, awkward_shapes) {
    operands memory = {0};
    random_state r = {143};
    for (int32_t i = 0; i < cases_under_test(400); i++) {
        convolution_case c = awkward_case(i, random_int(&r, 1, 5), random_int(&r, 1, 5), &r);
        choose_windows(&c, &r);
        check_q8_pools(&c, false, &memory, &r);
    }
    operands_free(&memory);
}
