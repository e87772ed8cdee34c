#include "harness.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect_softmax(const float *values, int32_t count, expected *e) {
    double max = -INFINITY, sum = 0.0;
    for (int32_t i = 0; i < count; i++) {
        if ((double)values[i] > max || isnan(values[i])) max = (double)values[i];
    }
    for (int32_t i = 0; i < count; i++) sum += exp((double)values[i] - max);
    for (int32_t i = 0; i < count; i++) {
        double distance = (double)values[i] - max, y = exp(distance) / sum;
        e[i].value = y;
        /* The rounding of x - max is one of its exponential; then that of the exponential itself,
         * and of the sum.  Denormal exponentials may be 0. */
        e[i].tolerance =
            (y == 0.0 ? 0.0 : (double)FLT_EPSILON * y * (fabs(distance) + 2.0 * count + 4.0)) +
            (double)FLT_MIN;
    }
}

static void check_softmax(const mbn_kernels *table, const float *values, const expected *e,
                          int32_t count, bool in_place, guard_side side, const char *data) {
    static guarded input_memory, output_memory;
    describe_case("%s softmax of %d%s, data %s, guard %s", table_text(table), count,
                  in_place ? " in place" : "", data, guard_name(side));
    size_t size = (size_t)count;
    float *input = guarded_floats(&input_memory, size, side);
    float *output = in_place ? input : guarded_floats(&output_memory, size, side);
    memcpy(input, values, size * sizeof *input);
    uint32_t control = control_register();
    table->softmax(&(mbn_softmax_args){input, output, count});
    cr_assert(control_register() == control, "%s: control register changed", described_case());
    for (int32_t i = 0; i < count; i++) {
        const char *wrong = mismatch((double)output[i], e + i);
        cr_assert(wrong == NULL, "%s: output %d is %.9g, %s; expected %.9g, tolerance %.3g",
                  described_case(), i, (double)output[i], wrong, e[i].value, e[i].tolerance);
    }
    cr_assert(in_place || memcmp(input, values, size * sizeof *input) == 0, "%s: input changed",
              described_case());
}

static void check_tables(const float *values, int32_t count, const char *data) {
    expected *e = malloc((size_t)count * sizeof *e);
    cr_assert(e != NULL);
    expect_softmax(values, count, e);
    for (mbn_element element = 0; element < MBN_ELEMENT_COUNT; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t table_count = tables_under_test(tables, element, false);
        for (int32_t t = 0; t < table_count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                check_softmax(tables + t, values, e, count, false, side, data);
                check_softmax(tables + t, values, e, count, true, side, data);
            }
        }
    }
    free(e);
}

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
            check_tables(values, count, "random");
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
                check_tables(values, count, names[i]);
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
            check_tables(values, count, "equal");
        }
    }
}
