/* What a model says of an image, class by class. */
#ifndef MBN_TOOLS_SCORES_H
#define MBN_TOOLS_SCORES_H

#include "labels.h"

/* How a model's outputs are to be read. */
typedef struct mbn_scoring {
    mbn_probability_kind kind;
    int32_t outputs; /* of the network */
    int32_t
        classes; /* the outputs; of a single sigmoid 0 and 1, no and yes, unless it has one label */
} mbn_scoring;

mbn_scoring mbn_scoring_of(const mbn_model *model, const mbn_labels *labels);

/* Classes that do not exclude each other: an image may show several, or none. */
bool mbn_scores_labels(const mbn_scoring *scoring);

/* scores[classes]: probabilities, or the outputs as they are where they are none. */
mbn_status mbn_score_image(const mbn_scoring *scoring, mbn_context *context, const mbn_image *image,
                           float *scores, mbn_error *error);

#endif
