/* How many CPUs this process may use. */
#ifndef MBN_ARCH_AFFINITY_H
#define MBN_ARCH_AFFINITY_H

#include <stdint.h>

/* Of the calling thread's affinity mask; at least 1. */
int32_t mbn_affinity_count(void);

#endif
