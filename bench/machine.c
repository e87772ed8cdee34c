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

static double peaks[MBN_ELEMENT_COUNT][MBN_ISA_COUNT];

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

const mbn_kernels *machine_table(uint32_t isa_mask, int index) {
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            const mbn_kernels *kernels = mbn_kernels_for((mbn_element)element, (mbn_isa)isa);
            const bool wanted = kernels != NULL && (isa_mask >> isa & 1u) != 0;
            if (wanted && index-- == 0) return kernels;
        }
    }
    return NULL;
}

machine_table_name machine_name(const mbn_kernels *kernels) {
    machine_table_name name;
    const bool plain = kernels->element == MBN_ELEMENT_F32;
    snprintf(name.text, sizeof name.text, "%s%s%s", kernels->name, plain ? "" : ":",
             plain ? "" : mbn_element_name(kernels->element));
    return name;
}

/* Of all tables, whose list goes into the head, too. */
static void measure_peaks(uint32_t isa_mask) {
    char tables[256] = "", key[64], value[64];
    const mbn_kernels *kernels;
    for (int i = 0; (kernels = machine_table(isa_mask, i)) != NULL; i++) {
        const double peak = peak_flops(kernels);
        peaks[kernels->element][kernels->isa] = peak;
        const machine_table_name name = machine_name(kernels);
        snprintf(tables + strlen(tables), sizeof tables - strlen(tables), "%s%s", i == 0 ? "" : ",",
                 name.text);
        snprintf(key, sizeof key, "peak GFLOP/s %s", name.text);
        snprintf(value, sizeof value, "%.2f", 1e-9 * peak);
        bench_context(key, value);
    }
    bench_context("tables", tables);
}

void machine_measure(uint32_t isa_mask) {
    bench_context("cpu", cpu_name());
#ifdef NDEBUG
    bench_context("build", "optimised");
#else
    bench_context("build", "DEBUG: these times say nothing");
#endif
    measure_peaks(isa_mask);
    struct level levels[4];
    const int count = levels_of(levels);
    const mbn_kernels *best = mbn_kernels_best(MBN_ELEMENT_F32, isa_mask);
    char key[64], value[64];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "read GB/s %s", levels[i].name);
        snprintf(value, sizeof value, "%.0f (%zu KiB)", 1e-9 * peak_read(best, levels[i].bytes),
                 levels[i].bytes >> 10);
        bench_context(key, value);
    }
}

double machine_peak(const mbn_kernels *kernels) {
    return peak_flops_again(kernels, peaks[kernels->element][kernels->isa]);
}

int machine_cpus(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}
