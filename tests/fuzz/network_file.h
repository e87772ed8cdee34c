/* Model files of networks that the input chooses: every kind of row, layer and tensor that a table
 * may have, small enough to run in a moment. */
#ifndef MBN_TESTS_FUZZ_NETWORK_FILE_H
#define MBN_TESTS_FUZZ_NETWORK_FILE_H

#include "choices.h"

/* The file's bytes, from malloc; NULL where the chosen layers do not fit the chosen size. */
uint8_t *choose_network_file(choices *c, size_t *size);

/* One of the integer files of tests/run, from malloc. */
uint8_t *choose_integer_file(choices *c, size_t *size);

#endif
