/* What is asserted where it is not a test's alone: kernels are checked by tests, by fuzz targets
 * and by `mobilenet selftest`.  Whoever links a check says what becomes of one that fails. */
#ifndef MBN_TESTS_CHECK_H
#define MBN_TESTS_CHECK_H

/* Never returns. */
_Noreturn __attribute__((format(printf, 1, 2))) void check_failed(const char *format, ...);

/* The message follows, as printf's arguments. */
#define CHECK(condition, ...) ((condition) ? (void)0 : check_failed(__VA_ARGS__))

#endif
