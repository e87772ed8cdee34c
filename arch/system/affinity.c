#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "affinity.h"

#include <sched.h>
#include <unistd.h>

int32_t mbn_affinity_count(void) {
#if defined(__linux__)
    cpu_set_t set; /* 1024 CPUs; on a larger machine the call fails and the count below serves */
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (int32_t)CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int32_t)online;
}
