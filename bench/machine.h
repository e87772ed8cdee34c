/* The machine that the benchmarks run on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <mobilenet/kernels.h>

/* The tables of the instruction sets in a mask, one by one, element type by element type; NULL past
 * the end. */
const mbn_kernels *machine_table(uint32_t isa_mask, int index);

/* What benchmarks call a table: the instruction set's name, with the element's behind it unless
 * that is float32 ("avx2", "avx2:bf16"). */
typedef struct machine_table_name {
    char text[32];
} machine_table_name;

machine_table_name machine_name(const mbn_kernels *kernels);

/* Measures the peaks of the tables in the mask and the read bandwidth of each level of memory, and
 * puts them and the CPU's name into the report's head. */
void machine_measure(uint32_t isa_mask);

/* FLOP/s of one core now: a core's clock drifts by some percent within a minute.  Of a table that
 * machine_measure has measured. */
double machine_peak(const mbn_kernels *kernels);

/* CPUs that this process may run on. */
int machine_cpus(void);

#endif
