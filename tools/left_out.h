/* Says what a dataset does not have, and why. */
#ifndef MBN_TOOLS_LEFT_OUT_H
#define MBN_TOOLS_LEFT_OUT_H

#include "dataset.h"

#include <jansson.h>

/* A line on stderr for each reason, with the number and the first few; what has no class, with
 * why. */
void mbn_left_out_report(const mbn_dataset *dataset);

/* An array of {"what", "reason"}; NULL when out of memory. */
json_t *mbn_left_out_json(const mbn_dataset *dataset);

/* How many were left out for that reason. */
size_t mbn_left_out_count(const mbn_dataset *dataset, mbn_left_reason reason);

#endif
