#include <arch/model/quick_sum.h>
#include <kernels/q8.h>

#include <criterion/criterion.h>

/* As TensorFlow Lite prepares ADD. */
static mbn_q8_add sum_of_scales(double a, double b, double sum) {
    const double twice = 2 * (a > b ? a : b);
    mbn_q8_add add = {
        .kind = MBN_ADD_FIXED,
        .multiplier = {mbn_multiplier_of(a / twice), mbn_multiplier_of(b / twice)},
        .output = mbn_multiplier_of(twice / ((1 << 20) * sum)),
        .zero = {3, 131},
        .range = {.zero = 117, .low = 0, .high = 255},
    };
    return add;
}

static int differences(const mbn_q8_add *add, const mbn_q8_add *quick) {
    int count = 0;
    for (int i = 0; i < 256 * 256; i++) {
        const uint8_t a = (uint8_t)(i / 256), b = (uint8_t)(i % 256);
        count += mbn_add_bytes(add, a, b) != mbn_add_bytes(quick, a, b);
    }
    return count;
}

Test(quick_sum, gives_the_same_bytes) {
    static const double scales[][3] = {
        {0.0235294, 0.0173128, 0.0291543}, {0.1234567, 0.0271828, 0.1},
        {0.0387411, 0.0387412, 0.0511234}, {0.0061803, 0.0941771, 0.0882351},
        {0.0612345, 0.0598765, 0.0287654},
    };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        const mbn_q8_add add = sum_of_scales(scales[i][0], scales[i][1], scales[i][2]);
        const mbn_q8_add quick = mbn_quick_sum(&add);
        cr_expect_eq(quick.kind, MBN_ADD_SHIFT, "%zu", i);
        cr_expect_eq(differences(&add, &quick), 0, "%zu", i);
    }
}

/* Half of such sums are ties, which go away from zero; a shift sends them up. */
Test(quick_sum, leaves_what_has_ties) {
    const mbn_q8_add add = sum_of_scales(0.5, 0.25, 0.5);
    cr_expect_eq(mbn_quick_sum(&add).kind, MBN_ADD_FIXED);
}

Test(quick_sum, leaves_other_kinds) {
    const mbn_q8_add add = {.kind = MBN_ADD_FLOAT, .offset = 3};
    const mbn_q8_add same = mbn_quick_sum(&add);
    cr_expect_eq(same.kind, MBN_ADD_FLOAT);
    cr_expect_eq(same.offset, 3);
}
