/* From values to the ranges that bytes stand for, and what becomes of a layer's sums. */
#include "quantizer.h"

#include <math.h>
#include <stdlib.h>

/* PERCENTILE leaves out this part of the values at either end. */
static const double LEFT_OUT = 1e-4;

/* MSE tries ends from a tenth of the largest value on. */
enum { STEPS = 45 };

/* The outputs' range reaches this many times as far up as on the calibration's images. */
static const float ROOM = 1.25F;

/* ---- Methods --------------------------------------------------------------------------------- */

static double width_of(const mbn_histogram *h) {
    return ((double)h->high - (double)h->low) / (double)MBN_BINS;
}

static uint64_t count_of(const mbn_histogram *h) {
    uint64_t count = 0;
    for (int i = 0; i < MBN_BINS; i++) count += h->counts[i];
    return count;
}

/* The value below which this part of all values lies; within a bin they lie evenly. */
static double quantile(const mbn_histogram *h, double part) {
    const double wanted = part * (double)count_of(h);
    double below = 0.0;
    for (int i = 0; i < MBN_BINS; i++) {
        const double count = (double)h->counts[i];
        if (count > 0.0 && below + count >= wanted) {
            return (double)h->low + width_of(h) * (i + (wanted - below) / count);
        }
        below += count;
    }
    return (double)h->high;
}

/* The sum of squares of what a range's bytes miss of the values, each taken for its bin's
 * centre. */
static double squared_error(const mbn_histogram *h, double low, double high) {
    const mbn_affine bytes = mbn_affine_of((float)low, (float)high);
    const double scale = (double)bytes.scale, width = width_of(h);
    double sum = 0.0;
    for (int i = 0; i < MBN_BINS; i++) {
        if (h->counts[i] == 0) continue;
        const double value = (double)h->low + width * (i + 0.5);
        const double byte = fmin(fmax(rint(value / scale) + bytes.zero, 0.0), 255.0);
        const double missed = (byte - bytes.zero) * scale - value;
        sum += (double)h->counts[i] * missed * missed;
    }
    return sum;
}

/* Moves one end, then the other, twice: what is best for one hardly depends on the other. */
static void least_squares(const mbn_histogram *h, float *low, float *high) {
    const double lowest = (double)*low, highest = (double)*high;
    double best_low = lowest, best_high = highest;
    double best = squared_error(h, lowest, highest);
    for (int round = 0; round < 2; round++) {
        for (int end = 0; end < 2; end++) {
            for (int step = 0; step <= STEPS; step++) {
                const double part = 0.1 + 0.9 * (double)step / (double)STEPS;
                const double l = end == 0 ? best_low : lowest * part;
                const double r = end == 0 ? highest * part : best_high;
                if (!(r > l)) continue;
                const double error = squared_error(h, l, r);
                if (error >= best) continue;
                best = error;
                best_low = l;
                best_high = r;
            }
        }
    }
    *low = (float)best_low;
    *high = (float)best_high;
}

void mbn_range_of(mbn_range_method method, const mbn_histogram *h, float *low, float *high) {
    *low = fminf(h->low, 0.0F);
    *high = fmaxf(h->high, 0.0F);
    if (method == MBN_RANGE_PERCENTILE) {
        *low = fminf((float)quantile(h, LEFT_OUT), 0.0F);
        *high = fmaxf((float)quantile(h, 1.0 - LEFT_OUT), 0.0F);
        if (!(*high > *low)) { /* all but a few values are 0 */
            *low = fminf(h->low, 0.0F);
            *high = fmaxf(h->high, 0.0F);
        }
    } else if (method == MBN_RANGE_MSE) {
        least_squares(h, low, high);
    }
}

mbn_affine mbn_affine_of(float low, float high) {
    const float scale = fmaxf((high - low) / 255.0F, 0x1p-100F);
    const float zero = rintf(-low / scale);
    return (mbn_affine){scale, (uint8_t)fminf(fmaxf(zero, 0.0F), 255.0F)};
}

/* ---- Activations ----------------------------------------------------------------------------- */

static double gate(const mbn_activation *a, double x) {
    return fmin(fmax((double)a->slope * x + (double)a->offset, 0.0), 1.0);
}

/* What a lookup computes. */
static double activate(const mbn_activation *a, double x) {
    return a->kind == MBN_ACTIVATION_HARD_SIGMOID ? gate(a, x) : x * gate(a, x);
}

/* The x at which the gate has this value. */
static double ungate(const mbn_activation *a, double y) {
    return (y - (double)a->offset) / (double)a->slope;
}

/* The sums from which a range of activated values comes.  Below a closed gate they are all alike,
 * and so they are above an open one of a hard sigmoid. */
static void range_before(const mbn_activation *a, float low, float high, float *low_before,
                         float *high_before) {
    const double slope = (double)a->slope, offset = (double)a->offset;
    double from, to;
    if (a->kind == MBN_ACTIVATION_HARD_SIGMOID) {
        from = ungate(a, fmax((double)low, 0.0));
        to = ungate(a, fmin((double)high, 1.0));
    } else {
        from = ungate(a, 0.0);
        to = (double)high;
        /* x (slope x + offset) = high, where the gate is not open yet. */
        if (to < ungate(a, 1.0)) {
            to = (-offset + sqrt(offset * offset + 4.0 * slope * to)) / (2.0 * slope);
        }
    }
    *low_before = (float)fmin(from, 0.0);
    *high_before = (float)fmax(to, 0.0);
}

static uint8_t to_byte(mbn_affine bytes, double value) {
    const double byte = rint(value / (double)bytes.scale) + bytes.zero;
    return (uint8_t)fmin(fmax(byte, 0.0), 255.0);
}

static void plan_lookup(const mbn_activation *a, float low, float high, mbn_layer_plan *plan) {
    float low_before, high_before;
    range_before(a, low, high, &low_before, &high_before);
    plan->output = mbn_affine_of(low_before, high_before);
    plan->value = mbn_affine_of(low, high);
    plan->looks_up = true;
    for (int i = 0; i < 256; i++) {
        const double x = (double)plan->output.scale * (i - plan->output.zero);
        plan->lookup[i] = to_byte(plan->value, activate(a, x));
    }
}

static void plan_activation(const mbn_activation *a, float low, float high, mbn_layer_plan *plan) {
    if (a->kind == MBN_ACTIVATION_HARD_SIGMOID || a->kind == MBN_ACTIVATION_HARD_SWISH) {
        plan_lookup(a, low, high, plan);
        return;
    }
    plan->output = plan->value = mbn_affine_of(low, high);
    if (a->kind != MBN_ACTIVATION_NONE) plan->low = plan->output.zero;
    if (a->kind == MBN_ACTIVATION_RELU6) plan->high = to_byte(plan->output, 6.0);
}

/* ---- A network ------------------------------------------------------------------------------- */

static bool is_integer(const mbn_plan_of_bytes *plan, int32_t layer) {
    return layer >= 0 && !plan->layers[layer].floats;
}

/* Of outputs the largest are those that count, and other images may have larger ones.  The least
 * are of many classes in every image, and hardly ever far below what was seen. */
static void leave_room(const mbn_histogram *outputs, float *low, float *high) {
    mbn_range_of(MBN_RANGE_MINMAX, outputs, low, high);
    *high *= ROOM;
}

static void plan_layer(const mbn_network *network, int32_t index, mbn_range_method method,
                       const mbn_value_histograms *histograms, mbn_plan_of_bytes *plan) {
    const mbn_layer *layer = &network->layers[index];
    mbn_layer_plan *own = &plan->layers[index];
    float low, high;
    own->high = 255;
    mbn_range_of(method, &histograms->all, &low, &high);
    if (index == network->layer_count - 1) leave_room(&histograms->all, &low, &high);
    /* What hands on bytes as they are: maxima, and the mean of one pixel. */
    own->keeps =
        layer->kind == MBN_LAYER_MAX_POOL || (layer->kind == MBN_LAYER_GLOBAL_POOL &&
                                              layer->input_height == 1 && layer->input_width == 1);
    if (own->keeps && is_integer(plan, layer->input)) {
        own->output = own->value = plan->layers[layer->input].value;
        return;
    }
    own->keeps = false;
    if (layer->residual >= 0) {
        own->adds = true;
        own->value = mbn_affine_of(low, high);
        mbn_range_of(method, &histograms->own, &low, &high);
        own->output = mbn_affine_of(low, high);
        return;
    }
    plan_activation(&layer->activation, low, high, own);
}

mbn_plan_of_bytes *mbn_plan_bytes(const mbn_network *network, const bool *floats,
                                  mbn_range_method method, const mbn_value_histograms *histograms) {
    mbn_plan_of_bytes *plan =
        calloc(1, sizeof *plan + (size_t)network->layer_count * sizeof(mbn_layer_plan));
    if (plan == NULL) return NULL;
    /* All pixels that there may be are in the image's histogram's bounds. */
    float low, high;
    mbn_range_of(MBN_RANGE_MINMAX, &histograms[0].all, &low, &high);
    plan->image = mbn_affine_of(low, high);
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        plan->layers[i].floats =
            layer->weights > 0 ? floats[i] : layer->input >= 0 && plan->layers[layer->input].floats;
        plan_layer(network, i, method, &histograms[i + 1], plan);
    }
    return plan;
}
