/* Whether `mobilenet selftest` finds a broken kernel: tables of this file's own take the place of
 * the library's (the linker wraps mbn_kernels_for). */
#include "kernels/float_state.h"
#include "selftest.h"

#include <criterion/criterion.h>
#include <mobilenet/kernels.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef const mbn_kernels *kernels_for(mbn_element element, mbn_isa isa);
kernels_for __real_mbn_kernels_for, __wrap_mbn_kernels_for; /* the linker's names */

/* Which table is broken, and how. */
static mbn_element broken_element;
static mbn_isa broken_isa;
static void (*breaks)(mbn_kernels *table);

static mbn_kernels whole; /* the table before */

const mbn_kernels *__wrap_mbn_kernels_for(mbn_element element, mbn_isa isa) {
    static mbn_kernels broken;
    const mbn_kernels *table = __real_mbn_kernels_for(element, isa);
    if (table == NULL || breaks == NULL || element != broken_element || isa != broken_isa) {
        return table;
    }
    whole = broken = *table;
    breaks(&broken);
    return &broken;
}

/* What the report reads, and how many failed. */
static int report(char text[16384]) {
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    fflush(stdout);
    const int before = dup(STDOUT_FILENO);
    cr_assert(before >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    const int failed = mbn_selftest_kernels(6);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, 16383, file)] = '\0';
    fclose(file);
    return failed;
}

/* Exactly that table's family fails, by a line that begins so. */
static void expect_found(mbn_element element, mbn_isa isa, void (*how)(mbn_kernels *table),
                         const char *what) {
    char text[16384], line[128];
    broken_element = element;
    broken_isa = isa;
    breaks = how;
    const int failed = report(text);
    cr_expect_eq(failed, 1, "%s: %d failed:\n%s", what, failed, text);
    snprintf(line, sizeof line, "\nFAILED %s %s (block ", mbn_isa_name(isa),
             mbn_element_name(element));
    const char *at = strstr(text, line);
    cr_assert(at != NULL, "%s: no line '%s' in:\n%s", what, line + 1, text);
    const size_t length = strcspn(at + 1, "\n");
    const char *found = strstr(at, what);
    cr_expect(found != NULL && found < at + 1 + length, "'%s' is not in '%.*s'", what, (int)length,
              at + 1);
}

static mbn_isa best(mbn_element element) {
    return mbn_kernels_best(element, MBN_ISA_MASK_ALL)->isa;
}

/* ---- Ways to break --------------------------------------------------------------------------- */

/* The first number of the range's first row is the next one. */
static void pointwise_off_by_one(const mbn_pointwise_args *args, mbn_range range) {
    whole.pointwise(args, range);
    if (range.row_begin == range.row_end || range.block_begin == range.block_end) return;
    char *at = (char *)args->output.data + range.row_begin * args->output.row_stride +
               range.block_begin * args->output.block_stride;
    if (whole.element == MBN_ELEMENT_F32) {
        float value;
        memcpy(&value, at, sizeof value);
        value = value * 1.001f + 0.001f;
        memcpy(at, &value, sizeof value);
    } else {
        *at ^= 1;
    }
}

static void break_pointwise(mbn_kernels *table) {
    table->pointwise = pointwise_off_by_one;
}

/* A byte above the range. */
static void pointwise_too_far(const mbn_pointwise_args *args, mbn_range range) {
    whole.pointwise(args, range);
    if (range.row_begin == 0 || range.block_begin == range.block_end) return;
    *((char *)args->output.data + range.block_begin * args->output.block_stride) ^= 1;
}

static void break_range(mbn_kernels *table) {
    table->pointwise = pointwise_too_far;
}

static void depthwise_crashes(const mbn_depthwise_args *args, mbn_range range) {
    (void)range;
    char *volatile nowhere = (char *)64;
    if (args->channels > 0) *nowhere = 1;
}

static void break_depthwise(mbn_kernels *table) {
    for (int i = 0; i < 8; i++) {
        table->depthwise[i / 4][i / 2 % 2][i % 2] = depthwise_crashes;
    }
}

static void convolution_is_unknown(const mbn_convolution_args *args, mbn_range range) {
    (void)range;
    if (args->input_channels > 0) raise(SIGILL);
}

static void break_convolution(mbn_kernels *table) {
    table->convolution = convolution_is_unknown;
}

/* Leaves denormals flushed. */
static void pointwise_forgets(const mbn_pointwise_args *args, mbn_range range) {
    whole.pointwise(args, range);
    mbn_float_state_set();
}

static void break_control(mbn_kernels *table) {
    table->pointwise = pointwise_forgets;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

Test(selftest, finds_wrong_values) {
    for (mbn_element element = 0; element < MBN_ELEMENT_COUNT; element++) {
        if (element == MBN_ELEMENT_Q8 && best(element) == MBN_ISA_SCALAR) continue;
        expect_found(element, best(element), break_pointwise, "pointwise");
    }
}

Test(selftest, finds_writes_outside_of_the_range) {
    expect_found(MBN_ELEMENT_F32, best(MBN_ELEMENT_F32), break_range, "wrote block");
}

Test(selftest, goes_on_after_faults) {
    expect_found(MBN_ELEMENT_F32, best(MBN_ELEMENT_F32), break_depthwise, "memory fault");
    expect_found(MBN_ELEMENT_Q8, best(MBN_ELEMENT_Q8), break_convolution, "illegal instruction");
}

Test(selftest, finds_a_changed_control_register) {
    expect_found(MBN_ELEMENT_BF16, best(MBN_ELEMENT_BF16), break_control, "control register");
}
