#include "checks.h"

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
    describe_call(table, "softmax of %d%s, data %s, guard %s", count, in_place ? " in place" : "",
                  data, guard_name(side));
    size_t size = (size_t)count;
    float *input = guarded_floats(&input_memory, size, side);
    float *output = in_place ? input : guarded_floats(&output_memory, size, side);
    memcpy(input, values, size * sizeof *input);
    uint32_t control = control_register();
    table->softmax(&(mbn_softmax_args){input, output, count});
    CHECK(control_register() == control, "%s: control register changed", described_case());
    for (int32_t i = 0; i < count; i++) {
        const char *wrong = mismatch((double)output[i], e + i);
        CHECK(wrong == NULL, "%s: output %d is %.9g, %s; expected %.9g, tolerance %.3g",
              described_case(), i, (double)output[i], wrong, e[i].value, e[i].tolerance);
        note_difference((double)output[i], e + i);
    }
    CHECK(in_place || memcmp(input, values, size * sizeof *input) == 0, "%s: input changed",
          described_case());
}

void check_softmaxes(const float *values, int32_t count, const char *data) {
    expected *e = malloc((size_t)count * sizeof *e);
    CHECK(e != NULL, "out of memory");
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
