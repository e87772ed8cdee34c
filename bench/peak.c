#include "peak.h"

#include "clock.h"

#include <assert.h>
#include <stdlib.h>

enum { PROBES = 9, PROBES_AGAIN = 3 };

/* Long enough for a clock of microseconds, short enough to fit between two time slices. */
static const double probe_seconds = 2e-3, probe_again_seconds = 1e-3;

static volatile float sink;

#define MBN_PEAK(isa, element) extern const peak_probe peak_##isa##_##element;
#include "peaks.inc"
#undef MBN_PEAK

static const peak_probe *const all[] = {
#define MBN_PEAK(isa, element) &peak_##isa##_##element,
#include "peaks.inc"
#undef MBN_PEAK
};

/* An instruction set without a probe for the table's element has one for floats. */
static const peak_probe *find(const mbn_kernels *kernels) {
    const peak_probe *found = NULL;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->isa != kernels->isa) continue;
        if (all[i]->element == kernels->element) return all[i];
        if (all[i]->element == MBN_ELEMENT_F32) found = all[i];
    }
    assert(found != NULL);
    return found;
}

struct work {
    const peak_probe *probe;
    const float *data; /* NULL: multiply-adds */
    size_t count;
};

static double seconds_for(const struct work *work, long repeats) {
    double start = bench_seconds();
    if (work->data == NULL) {
        sink = work->probe->multiply_add(repeats);
    } else {
        for (long i = 0; i < repeats; i++) sink = work->probe->read(work->data, work->count);
    }
    return bench_seconds() - start;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Repeats per second, the median of `probes`, PROBES at most. */
static double median_rate(const struct work *work, long repeats, int probes) {
    double rates[PROBES];
    for (int i = 0; i < probes; i++) rates[i] = (double)repeats / seconds_for(work, repeats);
    qsort(rates, (size_t)probes, sizeof rates[0], ascending);
    return rates[probes / 2];
}

/* The search for the number of repeats is also the warm-up: a core may take a while to clock up or
 * to power its wide units. */
static double repeats_per_second(const struct work *work) {
    long repeats = 1;
    while (seconds_for(work, repeats) < probe_seconds) repeats *= 2;
    return median_rate(work, repeats, PROBES);
}

double peak_flops(const mbn_kernels *kernels) {
    struct work work = {find(kernels), NULL, 0};
    return repeats_per_second(&work) * work.probe->flops;
}

double peak_flops_again(const mbn_kernels *kernels, double before) {
    struct work work = {find(kernels), NULL, 0};
    const double flops = work.probe->flops;
    const long repeats = (long)(before * probe_again_seconds / flops) + 1;
    return median_rate(&work, repeats, PROBES_AGAIN) * flops;
}

double peak_read(const mbn_kernels *kernels, size_t bytes) {
    size_t count = (bytes + 4095) / 4096 * 1024;
    float *data = NULL;
    if (posix_memalign((void **)&data, 4096, count * sizeof(float)) != 0) return 0;
    for (size_t i = 0; i < count; i++) data[i] = 1.0f;
    struct work work = {find(kernels), data, count};
    double rate = repeats_per_second(&work) * (double)count * sizeof(float);
    free(data);
    return rate;
}
