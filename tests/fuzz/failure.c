/* What tests/shim/criterion does in a fuzz target: a failed assertion is a crash, with the input
 * that libFuzzer then keeps. */
#include "../check.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void shim_register(struct shim_test *test) {
    (void)test;
}

void shim_fail(bool fatal, const char *file, int line, const char *what, const char *format, ...) {
    (void)fatal;
    fprintf(stderr, "%s:%d: %s:", file, line, what);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

void check_failed(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

_Noreturn void shim_skip(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    abort();
}
