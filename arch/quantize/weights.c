/* Scales of weights: one for each output, without a zero point. */
#include "quantizer.h"

#include <math.h>

enum { LARGEST = 127 };

/* How many steps the largest weight is from 0.  From 128 on it is clipped, which is better where it
 * stands alone.  Weights that were on a grid of at most 127 steps to either side are found to be
 * exact: one of its multiples is in the first half. */
enum { LEAST_STEPS = 64, MOST_STEPS = 190 };

enum { PIECE = 64 }; /* weights between two looks at whether it is worth going on */

static inline float to_step(float weight, float inverse) {
    /* Adding 1.5 * 2^23 leaves no bits behind the point. */
    const float magic = 12582912.0F;
    const float step = (weight * inverse + magic) - magic, largest = (float)LARGEST;
    return step < -largest ? -largest : step > largest ? largest : step;
}

/* The sum of squared errors, or more than `most`. */
static float squared_error(const float *weights, int32_t count, float scale, float most) {
    const float inverse = 1.0F / scale;
    float sum = 0.0F;
    for (int32_t begin = 0; begin < count && sum <= most; begin += PIECE) {
        const int32_t end = begin + PIECE < count ? begin + PIECE : count;
        for (int32_t i = begin; i < end; i++) {
            const float error = weights[i] - scale * to_step(weights[i], inverse);
            sum += error * error;
        }
    }
    return sum;
}

static float best_scale(const float *weights, int32_t count) {
    float most = 0.0F;
    for (int32_t i = 0; i < count; i++) most = fmaxf(most, fabsf(weights[i]));
    if (most == 0.0F) return 1.0F;
    float best = most / (float)LARGEST, least = squared_error(weights, count, best, INFINITY);
    for (int32_t steps = LEAST_STEPS; steps <= MOST_STEPS; steps++) {
        const float scale = most / (float)steps;
        const float error = squared_error(weights, count, scale, least);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

void mbn_scale_weights(mbn_folded *folded) {
    for (int32_t i = 0; i < folded->network->layer_count; i++) {
        const mbn_layer *layer = &folded->network->layers[i];
        const mbn_folded_layer *of = &folded->layers[i];
        const int32_t window = layer->weights > 0 ? mbn_window(layer) : 0;
        for (int32_t o = 0; window > 0 && o < layer->output_channels; o++) {
            of->scales[o] = best_scale(of->weights + (ptrdiff_t)o * window, window);
        }
    }
}

float mbn_weight_scale_of(const mbn_folded_layer *layer, int32_t output, float input_scale) {
    return fmaxf(layer->scales[output], fabsf(layer->bias[output]) / input_scale * 0x1p-30F);
}

int8_t mbn_round_weight(float weight, float scale) {
    return (int8_t)fminf(fmaxf(rintf(weight / scale), -(float)LARGEST), (float)LARGEST);
}
