/* cpuinfo, where it can start. */
#ifndef MBN_KERNELS_CPU_H
#define MBN_KERNELS_CPU_H

#include <stdbool.h>

/* Whether cpuinfo knows this machine; only then may its queries be asked.  Silent, unlike
 * cpuinfo_initialize itself where /proc is out of reach. */
bool mbn_cpu_known(void);

#endif
