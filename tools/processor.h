/* The machine, for the head of what is measured on it. */
#ifndef MBN_TOOLS_PROCESSOR_H
#define MBN_TOOLS_PROCESSOR_H

/* The CPU's name; says so where it has none or cannot be read. */
const char *mbn_processor_name(void);

#endif
