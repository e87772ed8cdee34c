/* The layers of the five networks as test cases. */
#ifndef MBN_TESTS_KERNELS_NETWORK_SHAPES_H
#define MBN_TESTS_KERNELS_NETWORK_SHAPES_H

#include "convolution_problem.h"

#include <mobilenet.h>

enum { NETWORK_CASES_MAX = 256 };

/* The different convolutions of one kind in the five networks at 224x224 and at 97x131, each cut to
 * its first rows; with `standard`, in the networks made of standard convolutions. */
int32_t network_cases(mbn_layer_kind kind, bool standard,
                      convolution_case cases[NETWORK_CASES_MAX]);

#endif
