/* Draws a measurement: one bar for all steps by kind, and one for each step. */
#ifndef MBN_TOOLS_PLOT_H
#define MBN_TOOLS_PLOT_H

#include "measure.h"

/* Writes an SVG file.  `machine` and `date` go below the bars. */
mbn_status mbn_plot(const char *path, const mbn_inspection *inspection,
                    const mbn_measurement *measurement, const char *machine, const char *date,
                    mbn_error *error);

#endif
