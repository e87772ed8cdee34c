#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "machine.h"

#include "benchmark_c.h"
#include "peak.h"

#include <cpuinfo.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double peaks[MBN_ISA_COUNT];

struct level {
    const char *name;
    size_t bytes; /* of the buffer that is read */
};

/* Half of each cache, which then holds it whatever else is there; and twice the last one for
 * DRAM, but at least 64 MiB, as a virtual machine may be told of a slice of a larger cache.  Where
 * cpuinfo knows nothing, sizes that are safe on anything of this decade. */
static int levels_of(struct level levels[4]) {
    size_t l1 = 32 << 10, l2 = 256 << 10, l3 = 4 << 20;
    if (cpuinfo_initialize()) {
        const struct cpuinfo_cache *cache;
        if ((cache = cpuinfo_get_l1d_cache(0)) != NULL) l1 = cache->size;
        if ((cache = cpuinfo_get_l2_cache(0)) != NULL) l2 = cache->size;
        cache = cpuinfo_get_l3_cache(0);
        l3 = cache != NULL ? cache->size : 0;
    }
    int count = 0;
    levels[count++] = (struct level){"L1", l1 / 2};
    levels[count++] = (struct level){"L2", l2 / 2};
    if (l3 != 0) levels[count++] = (struct level){"L3", l3 / 2};
    const size_t least = (size_t)64 << 20, last = l3 != 0 ? l3 : l2;
    levels[count++] = (struct level){"DRAM", 2 * last > least ? 2 * last : least};
    return count;
}

static const char *cpu_name(void) {
    if (!cpuinfo_initialize() || cpuinfo_get_packages_count() == 0) return "unknown";
    return cpuinfo_get_package(0)->name;
}

void machine_measure(uint32_t isa_mask) {
    bench_context("cpu", cpu_name());
#ifdef NDEBUG
    bench_context("build", "optimised");
#else
    bench_context("build", "DEBUG: these times say nothing");
#endif
    char isas[64] = "", key[64], value[64];
    mbn_isa best = MBN_ISA_SCALAR;
    for (int i = 0; i < MBN_ISA_COUNT; i++) {
        if ((isa_mask >> i & 1u) == 0) continue;
        best = (mbn_isa)i;
        peaks[i] = peak_flops(best);
        snprintf(isas + strlen(isas), sizeof isas - strlen(isas), "%s%s", isas[0] == 0 ? "" : ",",
                 mbn_isa_name(best));
        snprintf(key, sizeof key, "peak GFLOP/s %s", mbn_isa_name(best));
        snprintf(value, sizeof value, "%.2f", 1e-9 * peaks[i]);
        bench_context(key, value);
    }
    bench_context("isa", isas);
    struct level levels[4];
    const int count = levels_of(levels);
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "read GB/s %s", levels[i].name);
        snprintf(value, sizeof value, "%.0f (%zu KiB)", 1e-9 * peak_read(best, levels[i].bytes),
                 levels[i].bytes >> 10);
        bench_context(key, value);
    }
}

double machine_peak(mbn_isa isa) {
    return peak_flops_again(isa, peaks[isa]);
}

int machine_cpus(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}
