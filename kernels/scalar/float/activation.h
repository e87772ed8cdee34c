#ifndef MBN_KERNELS_SCALAR_ACTIVATION_H
#define MBN_KERNELS_SCALAR_ACTIVATION_H

#include <mobilenet/kernels.h>

/* Comparisons with a NaN are false: both limits let it through. */
static inline float at_least(float x, float low) {
    return x < low ? low : x;
}

static inline float at_most(float x, float high) {
    return x > high ? high : x;
}

static inline float gate(float x, mbn_activation activation) {
    return at_most(at_least(activation.slope * x + activation.offset, 0.0f), 1.0f);
}

static inline float activate(float x, mbn_activation activation) {
    switch (activation.kind) {
    case MBN_ACTIVATION_NONE: return x;
    case MBN_ACTIVATION_RELU: return at_least(x, 0.0f);
    case MBN_ACTIVATION_RELU6: return at_most(at_least(x, 0.0f), 6.0f);
    case MBN_ACTIVATION_HARD_SIGMOID: return gate(x, activation);
    case MBN_ACTIVATION_HARD_SWISH: return x * gate(x, activation);
    }
    return x;
}

#endif
