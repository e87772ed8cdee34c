/* Running a model over labelled images, on several threads. */
#ifndef MBN_TOOLS_EVALUATION_H
#define MBN_TOOLS_EVALUATION_H

#include "dataset.h"
#include "preprocessing.h"
#include "scores.h"

typedef struct mbn_outcome {
    int32_t best;      /* the most probable class; -1: the image could not be classified */
    int32_t rank;      /* of the right class: 0 for the most probable; -1 behind the first `top` */
    float probability; /* of the most probable class */
    char *failure;     /* why, from malloc, or NULL */
} mbn_outcome;

typedef struct mbn_evaluation {
    const mbn_model *model;
    const mbn_labels *labels;
    const mbn_dataset *dataset;
    mbn_scoring scoring;
    const mbn_preprocessing_options *preprocessing;
    int32_t top;           /* ranks that count */
    int32_t threads;       /* each with a context of its own */
    mbn_outcome *outcomes; /* [dataset->count], from malloc */
    float *scores; /* [dataset->count][scoring.classes] if keeps_scores, from malloc; else NULL */
    bool keeps_scores;
    double seconds;
} mbn_evaluation;

/* Fills outcomes, scores and seconds.  Shows on stderr how far it is.  Outcomes do not depend on
 * threads. */
mbn_status mbn_evaluate(mbn_evaluation *evaluation, mbn_error *error);

void mbn_evaluation_free(mbn_evaluation *evaluation);

#endif
