/* Tests with parameters, as in criterion.h beside this. */
#ifndef MBN_TESTS_SHIM_PARAMETERIZED_H
#define MBN_TESTS_SHIM_PARAMETERIZED_H

#include "criterion.h"

struct shim_parameters {
    const void *data;
    size_t size, count;
};

#define cr_make_param_array(type, array, length)                                                   \
    ((struct shim_parameters){array, sizeof(type), (size_t)(length)})

#define ParameterizedTestParameters(suite_name, test_name)                                         \
    static struct shim_parameters suite_name##_##test_name##_parameters(void)

/* The parameter is declared by the test: a pointer to const of its type. */
#define ParameterizedTest(parameter, suite_name, test_name)                                        \
    static void suite_name##_##test_name(parameter);                                               \
    static void suite_name##_##test_name##_with(const void *data) {                                \
        suite_name##_##test_name(data);                                                            \
    }                                                                                              \
    __attribute__((constructor)) static void suite_name##_##test_name##_register(void) {           \
        const struct shim_parameters p = suite_name##_##test_name##_parameters();                  \
        static struct shim_test test = {.suite = #suite_name,                                      \
                                        .name = #test_name,                                        \
                                        .run_with = suite_name##_##test_name##_with};              \
        test.parameters = p.data;                                                                  \
        test.size = p.size;                                                                        \
        test.count = p.count;                                                                      \
        shim_register(&test);                                                                      \
    }                                                                                              \
    static void suite_name##_##test_name(parameter)

#endif
