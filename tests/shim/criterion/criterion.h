/* The part of Criterion that the tests use, for targets that it does not run on: under a user-mode
 * emulator its worker processes, which execute the test program again, are not emulated.  Every
 * test of a program runs in one process, one after the other; a failed cr_assert ends its test, a
 * memory fault the program. */
#ifndef MBN_TESTS_SHIM_CRITERION_H
#define MBN_TESTS_SHIM_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A test, or one for each of `count` parameters of `size` bytes. */
struct shim_test {
    const char *suite, *name;
    void (*run)(void);
    void (*run_with)(const void *parameter);
    const char *parameters;
    size_t size, count;
    struct shim_test *next;
};

void shim_register(struct shim_test *test);

/* Prints and counts; with `fatal`, ends the test. */
__attribute__((format(printf, 5, 6))) void shim_fail(bool fatal, const char *file, int line,
                                                     const char *what, const char *format, ...);
_Noreturn void shim_skip(const char *reason);

/* The test's body follows. */
#define Test(suite_name, test_name)                                                                \
    static void suite_name##_##test_name(void);                                                    \
    __attribute__((constructor)) static void suite_name##_##test_name##_register(void) {           \
        static struct shim_test test = {                                                           \
            .suite = #suite_name, .name = #test_name, .run = suite_name##_##test_name};            \
        shim_register(&test);                                                                      \
    }                                                                                              \
    static void suite_name##_##test_name(void)

/* Messages begin with a space, so that none is an empty format. */
#define SHIM_CHECK(fatal, condition, what, ...)                                                    \
    ((condition) ? (void)0 : shim_fail(fatal, __FILE__, __LINE__, what, " " __VA_ARGS__))

#define cr_assert(condition, ...) SHIM_CHECK(true, condition, #condition, __VA_ARGS__)
#define cr_assert_fail(...) SHIM_CHECK(true, false, "failed", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) SHIM_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) SHIM_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) SHIM_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) SHIM_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) SHIM_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) SHIM_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    SHIM_CHECK(true, strcmp(a, b) == 0, #a " reads " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    SHIM_CHECK(true, memcmp(a, b, size) == 0, #a " == " #b, __VA_ARGS__)
#define cr_assert_null(a, ...) SHIM_CHECK(true, (a) == NULL, #a " is null", __VA_ARGS__)
#define cr_assert_not_null(a, ...) SHIM_CHECK(true, (a) != NULL, #a " is not null", __VA_ARGS__)

#define cr_expect(condition, ...) SHIM_CHECK(false, condition, #condition, __VA_ARGS__)
#define cr_expect_not(condition, ...)                                                              \
    SHIM_CHECK(false, !(condition), "not " #condition, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) SHIM_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) SHIM_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) SHIM_CHECK(false, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) SHIM_CHECK(false, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) SHIM_CHECK(false, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_null(a, ...) SHIM_CHECK(false, (a) == NULL, #a " is null", __VA_ARGS__)
#define cr_expect_not_null(a, ...) SHIM_CHECK(false, (a) != NULL, #a " is not null", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    SHIM_CHECK(false, strcmp(a, b) == 0, #a " reads " #b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...)                                                               \
    SHIM_CHECK(false, strcmp(a, b) != 0, #a " does not read " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, size, ...)                                                          \
    SHIM_CHECK(false, memcmp(a, b, size) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_expect_arr_neq(a, b, size, ...)                                                         \
    SHIM_CHECK(false, memcmp(a, b, size) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, epsilon, ...)                                                     \
    SHIM_CHECK(false, (a) - (b) <= (epsilon) && (b) - (a) <= (epsilon), #a " is about " #b,        \
               __VA_ARGS__)

#define cr_skip_test(reason) shim_skip(reason)
#define cr_log_info(...) ((void)0)

#endif
