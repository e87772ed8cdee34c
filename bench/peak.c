#include "peak.h"

#include "clock.h"

#include <stdlib.h>

enum { PROBES = 9, PROBES_AGAIN = 3 };

/* Long enough for a clock of microseconds, short enough to fit between two time slices. */
static const double probe_seconds = 2e-3, probe_again_seconds = 1e-3;

static volatile float sink;

static const peak_probe *probe_for(mbn_isa isa) {
    switch (isa) {
#ifdef MBN_HAVE_SSE
    case MBN_ISA_SSE: return &peak_probe_sse;
#endif
#ifdef MBN_HAVE_AVX2
    case MBN_ISA_AVX2: return &peak_probe_avx2;
#endif
#ifdef MBN_HAVE_AVX512
    case MBN_ISA_AVX512: return &peak_probe_avx512;
#endif
#ifdef MBN_HAVE_NEON
    case MBN_ISA_NEON: return &peak_probe_neon;
#endif
    default: return &peak_probe_scalar;
    }
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

double peak_flops(mbn_isa isa) {
    struct work work = {probe_for(isa), NULL, 0};
    return repeats_per_second(&work) * work.probe->flops;
}

double peak_flops_again(mbn_isa isa, double before) {
    struct work work = {probe_for(isa), NULL, 0};
    const double flops = work.probe->flops;
    const long repeats = (long)(before * probe_again_seconds / flops) + 1;
    return median_rate(&work, repeats, PROBES_AGAIN) * flops;
}

double peak_read(mbn_isa isa, size_t bytes) {
    size_t count = (bytes + 4095) / 4096 * 1024;
    float *data = NULL;
    if (posix_memalign((void **)&data, 4096, count * sizeof(float)) != 0) return 0;
    for (size_t i = 0; i < count; i++) data[i] = 1.0f;
    struct work work = {probe_for(isa), data, count};
    double rate = repeats_per_second(&work) * (double)count * sizeof(float);
    free(data);
    return rate;
}
