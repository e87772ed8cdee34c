#include "scores.h"

mbn_scoring mbn_scoring_of(const mbn_model *model, const mbn_labels *labels) {
    mbn_scoring scoring = {.kind = mbn_model_probabilities(model),
                           .outputs = mbn_model_network(model)->classes};
    const bool either_or =
        scoring.kind == MBN_SIGMOID && scoring.outputs == 1 && labels->count != 1;
    scoring.classes = either_or ? 2 : scoring.outputs;
    return scoring;
}

bool mbn_scores_labels(const mbn_scoring *scoring) {
    return scoring->kind == MBN_SIGMOID && scoring->classes == scoring->outputs;
}

mbn_status mbn_score_image(const mbn_scoring *scoring, mbn_context *context, const mbn_image *image,
                           float *scores, mbn_error *error) {
    const mbn_output kind = scoring->kind == MBN_NO_PROBABILITIES ? MBN_LOGITS : MBN_PROBABILITIES;
    const int32_t first = scoring->classes - scoring->outputs; /* 1: the output is that of yes */
    const mbn_status status = mbn_run_images(context, image, 1, kind, scores + first, error);
    if (status == MBN_OK && first == 1) scores[0] = 1.0F - scores[1];
    return status;
}
