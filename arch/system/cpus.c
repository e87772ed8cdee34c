#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "cpus.h"

#include "cgroup.h"

#include <math.h>
#include <sched.h>
#include <unistd.h>

static int32_t count_online(void) {
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int32_t)online;
}

static int32_t count_affinity(int32_t online) {
#if defined(__linux__)
    cpu_set_t
        set; /* 1024 CPUs; on a larger machine the call fails, and all that are online count */
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (int32_t)CPU_COUNT(&set);
#endif
    return online;
}

void mbn_count_cpus(const char *root, mbn_cpus *cpus) {
    const int32_t online = count_online();
    *cpus = (mbn_cpus){
        .online = online, .affinity = count_affinity(online), .quota = mbn_cgroup_cpus(root)};
    cpus->usable = cpus->affinity;
    if (cpus->quota > 0 && cpus->quota < cpus->affinity) cpus->usable = (int32_t)ceil(cpus->quota);
}

void mbn_usable_cpus(mbn_cpus *cpus) {
    mbn_count_cpus("", cpus);
}
