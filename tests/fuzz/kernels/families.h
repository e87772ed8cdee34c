/* The checks of tests/kernels, which hold every table that this machine can run against exact
 * arithmetic, or those of integers against the scalar one, between guard pages; for any case. */
#ifndef MBN_TESTS_FUZZ_KERNELS_FAMILIES_H
#define MBN_TESTS_FUZZ_KERNELS_FAMILIES_H

#include <tests/kernels/convolution_problem.h>

/* What a case is of; pools' windows and depthwise kernels are its kernel. */
typedef void check_family(const convolution_case *shape, operands *memory, random_state *r);

check_family check_convolutions, check_depthwises, check_elementwises, check_fully_connecteds,
    check_layouts, check_pointwises, check_pools, check_softmaxes, check_q8_convolutions,
    check_q8_depthwises, check_q8_elementwises, check_q8_layouts, check_q8_pointwises,
    check_q8_pools;

#endif
