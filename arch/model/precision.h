/* Which table a model runs with. */
#ifndef MBN_ARCH_PRECISION_H
#define MBN_ARCH_PRECISION_H

#include <mobilenet.h>

/* Fails for what is no precision. */
mbn_status mbn_check_precision(mbn_precision precision, mbn_error *error);

/* The best table for a precision that the caller's mask (0: all) and the environment allow.
 * integers: of a file of integers. */
mbn_status mbn_choose_kernels(uint32_t mask, mbn_precision precision, bool integers,
                              const mbn_kernels **kernels, mbn_error *error);

#endif
