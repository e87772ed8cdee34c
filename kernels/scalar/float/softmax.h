#include "kernels/contract.h"

#include <math.h>

/* Special values need no care beyond keeping a NaN as the maximum: infinity - infinity is NaN, and
 * one NaN in the sum reaches every output. */
static void softmax(const mbn_softmax_args *args) {
    mbn_assert_softmax(args);
    float max = -INFINITY;
    for (int32_t i = 0; i < args->count; i++) {
        if (args->input[i] > max || isnan(args->input[i])) max = args->input[i];
    }
    float sum = 0.0f;
    for (int32_t i = 0; i < args->count; i++) {
        args->output[i] = expf(args->input[i] - max);
        sum += args->output[i];
    }
    for (int32_t i = 0; i < args->count; i++) args->output[i] /= sum;
}
