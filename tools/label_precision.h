/* Average precision of labels that do not exclude each other. */
#ifndef MBN_TOOLS_LABEL_PRECISION_H
#define MBN_TOOLS_LABEL_PRECISION_H

#include "evaluation.h"

#include <jansson.h>

typedef struct mbn_label_precision {
    int64_t images;           /* that show the label, and could be classified */
    double average_precision; /* NaN where there is none */
} mbn_label_precision;

typedef struct mbn_precisions {
    mbn_label_precision *labels; /* [scoring.classes], from malloc */
    int32_t counted;             /* labels that an image shows */
    double mean;                 /* of their average precisions; NaN of none */
} mbn_precisions;

/* Of an evaluation that keeps its scores.  Average precision is the sum of (R_n - R_n-1) P_n over
 * the scores n in descending order, with P_n and R_n the precision and recall of the images of that
 * score and above: as scikit-learn's average_precision_score, without interpolation. */
mbn_status mbn_precisions_of(const mbn_evaluation *evaluation, mbn_precisions *precisions,
                             mbn_error *error);

void mbn_precisions_free(mbn_precisions *precisions);

void mbn_precisions_print(const mbn_evaluation *evaluation, const mbn_precisions *precisions);

/* An array of an object for each label; NULL when out of memory. */
json_t *mbn_precisions_json(const mbn_evaluation *evaluation, const mbn_precisions *precisions);

#endif
