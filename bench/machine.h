/* The machine that the benchmarks run on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <mobilenet/kernels.h>

/* Measures the peaks of the instruction sets in the mask and the read bandwidth of each level of
 * memory, and puts them and the CPU's name into the report's head. */
void machine_measure(uint32_t isa_mask);

/* FLOP/s of one core now: a core's clock drifts by some percent within a minute.  Of an instruction
 * set that machine_measure has measured. */
double machine_peak(mbn_isa isa);

/* CPUs that this process may run on. */
int machine_cpus(void);

#endif
