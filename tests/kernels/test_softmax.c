#include "checks.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static int32_t next_count(int32_t count) {
    return count < 70 ? count + 1 : count == 70 ? 1000 : count == 1000 ? 1001 : INT32_MAX;
}

Test(softmax, finite) {
    static const float ranges[] = {1e-3f, 1.0f, 20.0f, 200.0f, 1e30f};
    random_state r = {41};
    for (int32_t count = 1; count < INT32_MAX; count = next_count(count)) {
        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
            float *values = make_values((size_t)count, MBN_ELEMENT_F32, DATA_RANDOM, &r);
            for (int32_t k = 0; k < count; k++) values[k] *= ranges[i];
            check_softmaxes(values, count, "random");
            free(values);
        }
    }
}

/* A NaN or a positive infinity at every place makes every output NaN; a negative infinity gives 0
 * in its place, and NaN everywhere when there is nothing else. */
Test(softmax, special) {
    static const float specials[] = {NAN, INFINITY, -INFINITY};
    static const char *const names[] = {"NaN", "infinity", "negative infinity"};
    random_state r = {42};
    for (int32_t count = 1; count <= 40; count++) {
        for (int32_t at = 0; at < count; at++) {
            for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
                float *values = make_values((size_t)count, MBN_ELEMENT_F32, DATA_RANDOM, &r);
                values[at] = specials[i];
                check_softmaxes(values, count, names[i]);
                free(values);
            }
        }
    }
}

Test(softmax, equal_values) {
    static const float equal[] = {0.0f, -FLT_MAX, FLT_MAX, -INFINITY};
    for (int32_t count = 1; count <= 40; count++) {
        float values[40];
        for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
            for (int32_t k = 0; k < count; k++) values[k] = equal[i];
            check_softmaxes(values, count, "equal");
        }
    }
}
