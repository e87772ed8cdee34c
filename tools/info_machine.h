/* What `mobilenet info` and `mobilenet selftest` say of the machine. */
#ifndef MBN_TOOLS_INFO_MACHINE_H
#define MBN_TOOLS_INFO_MACHINE_H

/* Prints this version, the CPU, its caches, which instruction sets may be used, why others may not,
 * and which are chosen.  Returns an exit status; if nothing can run, which is reported, it is
 * MBN_EXIT_FAILED. */
int mbn_info_machine(void);

#endif
