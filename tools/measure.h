/* Times a context's steps, and the machine that runs them. */
#ifndef MBN_TOOLS_MEASURE_H
#define MBN_TOOLS_MEASURE_H

#include "inspect.h"

/* What one step, all steps of a kind, or all steps take. */
typedef struct mbn_cost {
    double seconds; /* the sum of the steps' medians */
    double again;   /* the same, of their second runs, which find in cache what the first brought */
    int64_t multiply_adds, bytes;
} mbn_cost;

typedef struct mbn_step_cost {
    mbn_step_info info;
    int32_t kind; /* index of mbn_measurement's kinds */
    mbn_cost cost;
} mbn_step_cost;

typedef struct mbn_kind_cost {
    mbn_step_kind name;
    int32_t steps;
    mbn_cost cost;
} mbn_kind_cost;

typedef struct mbn_measurement {
    int32_t rounds;
    int32_t step_count, kind_count;
    mbn_step_cost *steps; /* in order of execution */
    mbn_kind_cost *kinds; /* the longest first */
    mbn_cost total;
    double run_seconds;     /* a plain run, median */
    double clocked_seconds; /* a run with a clock at every step, median.  More than the total where
                               other processes disturb: a step is hit less often than a run. */
    double core_peak;       /* FLOP/s of one core, measured between the rounds, median */
    double peak;            /* of as many cores as there are threads */
} mbn_measurement;

/* Each round is a plain run, and one with a clock at every step, which runs twice. */
mbn_status mbn_measure(const mbn_inspection *inspection, int32_t rounds,
                       mbn_measurement *measurement, mbn_error *error);
void mbn_measurement_free(mbn_measurement *measurement);

double mbn_cost_flops(const mbn_cost *cost);                                     /* per second */
double mbn_cost_floor(const mbn_cost *cost, const mbn_measurement *measurement); /* seconds */

#endif
