/* Sums of bytes by fixed-point multipliers, made quick. */
#ifndef MBN_ARCH_QUICK_SUM_H
#define MBN_ARCH_QUICK_SUM_H

#include <mobilenet/q8.h>

/* A sum of kind SHIFT that gives the same byte for each pair of bytes; where none is found, and
 * where the sum is of another kind than FIXED, the sum itself. */
mbn_q8_add mbn_quick_sum(const mbn_q8_add *add);

#endif
