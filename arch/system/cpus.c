#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "cpus.h"

#include "cgroup.h"
#include "file.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LIST_BYTES = 4096, MOST_CPUS = 1 << 20 };

/* Of a list as "0-3,8"; 0 where it is none. */
static long count_listed(const char *list) {
    long count = 0;
    for (char *end;; list = end + 1) {
        const long first = strtol(list, &end, 10);
        if (end == list) return 0;
        long last = first;
        if (*end == '-') {
            list = end + 1;
            last = strtol(list, &end, 10);
            if (end == list) return 0;
        }
        if (first < 0 || last < first || last > MOST_CPUS) return 0;
        count += last - first + 1;
        if (*end != ',') return *end == '\n' || *end == '\0' ? count : 0;
    }
}

/* C libraries differ in what they count as online: one of them, what affinity leaves. */
static int32_t count_online(const char *root) {
    char path[PATH_BYTES], list[LIST_BYTES];
    const int length = snprintf(path, sizeof path, "%s/sys/devices/system/cpu/online", root);
    long online = 0;
    if (length > 0 && (size_t)length < sizeof path && mbn_read_text(path, list, sizeof list))
        online = count_listed(list);
    if (online == 0) online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int32_t)online;
}

/* Some containers and emulated kernels have the bits of CPUs in it that do not exist. */
static int32_t count_affinity(int32_t online) {
#if defined(__linux__)
    cpu_set_t set; /* of 1024 CPUs; on a larger machine the call fails, and all count */
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const int32_t count = (int32_t)CPU_COUNT(&set);
        return count < online ? count : online;
    }
#endif
    return online;
}

void mbn_count_cpus(const char *root, mbn_cpus *cpus) {
    const int32_t online = count_online(root);
    *cpus = (mbn_cpus){
        .online = online, .affinity = count_affinity(online), .quota = mbn_cgroup_cpus(root)};
    cpus->usable = cpus->affinity;
    if (cpus->quota > 0 && cpus->quota < cpus->affinity) cpus->usable = (int32_t)ceil(cpus->quota);
}

void mbn_usable_cpus(mbn_cpus *cpus) {
    mbn_count_cpus("", cpus);
}
