/* Which table a model runs with. */
#ifndef MBN_ARCH_PRECISION_H
#define MBN_ARCH_PRECISION_H

#include <mobilenet.h>

/* The best table for a precision that the caller's mask (0: all) and the environment allow. */
mbn_status mbn_choose_kernels(uint32_t mask, mbn_precision precision, const mbn_kernels **kernels,
                              mbn_error *error);

#endif
