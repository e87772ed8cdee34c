/* The tables of this build: tables.inc has a line MBN_TABLE(instruction set, element type) for
 * each. */
#ifndef MBN_KERNELS_TABLES_H
#define MBN_KERNELS_TABLES_H

#include <mobilenet/kernels.h>

#define MBN_TABLE(isa, element) extern const mbn_kernels mbn_##isa##_##element;
#include "tables.inc"
#undef MBN_TABLE

#endif
