/* Channels whose values stay far below those of others are scaled up, where a ReLU alone is between
 * two layers: then bytes of the one scale that all channels share tell more of them apart. */
#include "quantizer.h"

#include <math.h>
#include <string.h>

/* A channel that hardly ever leaves 0 says nothing of how large it can be. */
static const float MOST = 64.0F;

/* Channels grow to a quarter of the largest value that was seen: other images have larger ones. */
static const float ROOM = 0.25F;

/* The one layer that reads a layer, if there is one alone, which is a depthwise one: its weights
 * have a scale for each channel, so that dividing them loses nothing. */
static int32_t reader_of(const mbn_network *network, int32_t index) {
    int32_t reader = -1;
    for (int32_t i = index + 1; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        if (layer->input != index && layer->gate != index && layer->residual != index) continue;
        if (reader >= 0 || layer->input != index) return -1;
        reader = i;
    }
    return reader >= 0 && network->layers[reader].kind == MBN_LAYER_DEPTHWISE ? reader : -1;
}

/* Scaling commutes with max(x, 0), and below the largest value that was seen with min(x, 6). */
static bool is_scalable(const mbn_layer *layer) {
    return layer->weights > 0 && layer->residual < 0 &&
           (layer->activation.kind == MBN_ACTIVATION_RELU ||
            layer->activation.kind == MBN_ACTIVATION_RELU6);
}

/* Feature maps that have a name of their own, not the layer's alone, keep their values. */
static bool is_stage(const mbn_network *network, int32_t index) {
    mbn_stage_info stage;
    for (int32_t i = 0; mbn_network_stage_at(network, i, &stage); i++) {
        if (stage.layer == index && strcmp(stage.name, network->layers[index].name) != 0) {
            return true;
        }
    }
    return false;
}

bool mbn_equalize(const mbn_statistics *statistics, mbn_folded *folded) {
    const mbn_network *network = statistics->network;
    bool any = false;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        const int32_t reader = reader_of(network, i);
        if (reader < 0 || !is_scalable(layer) || is_stage(network, i)) continue;
        const int32_t channels = layer->output_channels;
        const float *high = statistics->values[i + 1].high;
        const int32_t before = mbn_window(layer), behind = mbn_window(&network->layers[reader]);
        mbn_folded_layer *own = &folded->layers[i];
        float most = 0.0F;
        for (int32_t c = 0; c < channels; c++) most = fmaxf(most, high[c]);
        own->factors = own->scales + channels;
        for (int32_t c = 0; c < channels; c++) {
            /* A channel that was always 0 stays as it is. */
            const float wanted = high[c] > 0.0F ? ROOM * most / high[c] : 1.0F;
            const float factor = fminf(fmaxf(wanted, 1.0F), MOST);
            own->factors[c] = factor;
            any = any || factor != 1.0F;
            own->bias[c] *= factor;
            for (int32_t k = 0; k < before; k++) own->weights[c * before + k] *= factor;
            float *weights = folded->layers[reader].weights + (ptrdiff_t)c * behind;
            for (int32_t k = 0; k < behind; k++) weights[k] /= factor;
        }
    }
    return any;
}
