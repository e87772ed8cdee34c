/* What one core of this machine can do at best, measured: the ceilings that kernels are held
 * against. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <mobilenet/kernels.h>

/* One instruction set's probes (peak_<isa>.c).  Both return something that depends on all their
 * work, so that none of it can be left out. */
typedef struct peak_probe {
    double flops; /* of one step */
    float (*multiply_add)(long steps);
    /* Reads count floats, a multiple of 1024. */
    float (*read)(const float *data, size_t count);
} peak_probe;

extern const peak_probe peak_probe_scalar, peak_probe_sse, peak_probe_avx2, peak_probe_avx512,
    peak_probe_neon;

/* Multiply-adds in floating-point operations per second: fused ones where the instruction set has
 * them, else a multiplication and an addition.  Takes some 30 ms; the instruction set must be
 * usable. */
double peak_flops(mbn_isa isa);

/* The same in some 3 ms, where the rate of a while ago is known. */
double peak_flops_again(mbn_isa isa, double before);

/* Bytes per second that are read, over and over, from a buffer of this many bytes (rounded to
 * 4096). */
double peak_read(mbn_isa isa, size_t bytes);

#endif
