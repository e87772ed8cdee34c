/* How many CPUs this process may use. */
#ifndef MBN_ARCH_CPUS_H
#define MBN_ARCH_CPUS_H

#include <mobilenet.h>

/* As mbn_usable_cpus, with the files that the system describes itself in (/proc, /sys) under
 * `root`: "". */
void mbn_count_cpus(const char *root, mbn_cpus *cpus);

#endif
