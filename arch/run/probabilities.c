#include "probabilities.h"

#include "probabilities_q8.h"

#include <math.h>

/* In double, whose exponential neither overflows nor vanishes before the float result is 0 or 1.
 * Heads have a few values: no instruction set's kernel would show. */
static float sigmoid(float x) {
    return (float)(1.0 / (1.0 + exp(-(double)x)));
}

void mbn_make_probabilities(const mbn_model *model, float *values) {
    const int32_t classes = model->network.classes;
    if (model->quantized != NULL) {
        mbn_make_probabilities_q8(model->quantized, values, classes);
    } else if (model->probabilities == MBN_SIGMOID) {
        for (int32_t i = 0; i < classes; i++) values[i] = sigmoid(values[i]);
    } else {
        const mbn_softmax_args args = {values, values, classes};
        model->kernels->softmax(&args);
    }
}
