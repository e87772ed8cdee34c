/* The time, for measuring. */
#ifndef MBN_ARCH_CLOCK_H
#define MBN_ARCH_CLOCK_H

/* Seconds since some moment in the past; never goes back. */
double mbn_seconds(void);

#endif
