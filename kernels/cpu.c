#include "cpu.h"

#include <cpuinfo.h>
#include <unistd.h>

bool mbn_cpu_known(void) {
#if defined(__linux__)
    if (access("/proc/cpuinfo", R_OK) != 0) return false;
#endif
    return cpuinfo_initialize();
}
