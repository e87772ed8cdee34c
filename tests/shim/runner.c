#include "criterion/criterion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct shim_test *tests;
static jmp_buf end_of_test;
static int failures, skipped;

void shim_register(struct shim_test *test) {
    test->next = tests;
    tests = test;
}

void shim_fail(bool fatal, const char *file, int line, const char *what, const char *format, ...) {
    printf("%s:%d: %s:", file, line, what);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    failures++;
    if (fatal) longjmp(end_of_test, 1);
}

void shim_skip(const char *reason) {
    printf("skipped: %s\n", reason);
    skipped++;
    longjmp(end_of_test, 1);
}

static void run(const struct shim_test *test, size_t i) {
    if (setjmp(end_of_test) != 0) return;
    if (test->run != NULL) {
        test->run();
    } else {
        test->run_with(test->parameters + i * test->size);
    }
}

int main(void) {
    int count = 0, failed = 0;
    for (const struct shim_test *test = tests; test != NULL; test = test->next) {
        const size_t cases = test->run != NULL ? 1 : test->count;
        for (size_t i = 0; i < cases; i++) {
            const int before = failures;
            run(test, i);
            count++;
            if (failures == before) continue;
            failed++;
            printf("FAILED %s/%s, case %zu\n", test->suite, test->name, i);
        }
    }
    printf("%d tests, %d skipped, %d failed\n", count, skipped, failed);
    return count > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
