/* Bias correction: rounding its weights changes the mean of what a channel sums up by the weights'
 * errors times the means of what they meet; the bias takes that back. */
#include "quantizer.h"

/* What the layer reads is in bytes of this scale. */
static float input_scale(const mbn_plan_of_bytes *plan, const mbn_layer *layer) {
    return layer->input < 0 ? plan->image.scale : plan->layers[layer->input].value.scale;
}

void mbn_correct(const mbn_statistics *statistics, const mbn_plan_of_bytes *plan,
                 mbn_folded *folded) {
    const mbn_network *network = folded->network;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->weights == 0 || plan->layers[i].floats) continue;
        const bool depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
        const int32_t window = mbn_window(layer);
        const int32_t taps = layer->kernel_height * layer->kernel_width;
        for (int32_t o = 0; o < layer->output_channels; o++) {
            const float *weights = folded->layers[i].weights + (ptrdiff_t)o * window;
            const double *means =
                statistics->values[i + 1].means + (depthwise ? (ptrdiff_t)o * window : 0);
            float *bias = &folded->layers[i].bias[o];
            const float scale =
                mbn_weight_scale_of(&folded->layers[i], o, input_scale(plan, layer));
            double error = 0.0;
            for (int32_t k = 0; k < window; k++) {
                const float rounded = scale * (float)mbn_round_weight(weights[k], scale);
                const float factor = mbn_factor(folded, layer->input, depthwise ? o : k / taps);
                error += (double)(rounded - weights[k]) * means[k] * (double)factor;
            }
            *bias -= (float)error;
        }
    }
}
