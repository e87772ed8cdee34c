/* What this machine's CPU offers: all that kernels and the planner ask of it. */
#ifndef MBN_KERNELS_CPU_H
#define MBN_KERNELS_CPU_H

#include <mobilenet/kernels.h>

/* The instruction sets that the CPU and its operating system can run. */
uint32_t mbn_cpu_isas(void);

/* Bytes of the L2 cache; 256 KiB where that is not known. */
size_t mbn_cpu_l2_bytes(void);

#endif
