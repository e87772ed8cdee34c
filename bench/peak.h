/* What one core of this machine can do at best, measured: the ceilings that kernels are held
 * against. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <mobilenet/kernels.h>

/* The probes of an instruction set for an element type (peak_<isa>_<element>.c).  Both return
 * something that depends on all their work, so that none of it can be left out. */
typedef struct peak_probe {
    mbn_isa isa;
    mbn_element element;
    double flops; /* of one step */
    float (*multiply_add)(long steps);
    /* Reads count floats, a multiple of 1024. */
    float (*read)(const float *data, size_t count);
} peak_probe;

/* Multiply-adds of a table's elements in floating-point operations per second, two for each: fused
 * ones where the instruction set has them, else a multiplication and an addition.  bfloat16 has
 * instructions of its own, or else those of floats.  Takes some 30 ms; the table must be usable. */
double peak_flops(const mbn_kernels *kernels);

/* The same in some 3 ms, where the rate of a while ago is known. */
double peak_flops_again(const mbn_kernels *kernels, double before);

/* Bytes per second that the table's instruction set reads, over and over, from a buffer of this
 * many bytes (rounded to 4096). */
double peak_read(const mbn_kernels *kernels, size_t bytes);

#endif
