/* What a target does with an input (0), which both of its programs call: libFuzzer and fixed.c. */
#ifndef MBN_TESTS_FUZZ_INPUT_H
#define MBN_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

int fuzz_input(const uint8_t *data, size_t size);

/* The same, called by libFuzzer's name; an input that takes long ends in abort(). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
