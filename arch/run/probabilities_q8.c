#include "probabilities_q8.h"

#include "kernels/q8.h"

/* Of x from 0 to 256.  Unsigned numbers are rounded by adding a half, which may round, too. */
static int32_t to_nearest(float x, bool is_signed) {
    return is_signed ? mbn_nearest_away((double)x) : (int32_t)(x + 0.5F);
}

/* values: the logits' distances from the largest; they become what is before the zero point. */
static void float_softmax(const mbn_q8_probabilities *p, float *values, int32_t count) {
    float sum = 0.0F;
    for (int32_t i = 0; i < count; i++) sum += p->table.real[(int)values[i]];
    const float scaled = sum * p->output.scale;
    const float inverse = 1.0F / scaled;
    for (int32_t i = 0; i < count; i++) {
        const float x = p->table.real[(int)values[i]] * inverse;
        values[i] = (float)to_nearest(x < 256.0F ? x : 256.0F, p->output.origin != 0);
    }
}

/* a << n, saturated. */
static int32_t shift_saturated(int32_t a, int32_t n) {
    const int64_t wide = (int64_t)a * ((int64_t)1 << n);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* 1 / (1 + a) for a from 0 to 1, both in multiples of 2^-31: Newton's method, whose numbers count
 * 2^-29. */
static int32_t inverse_of_one_plus(int32_t a) {
    enum { X48_OVER_17 = 1515870810, MINUS_X32_OVER_17 = -1010580540, ONE = 1 << 29 };
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = X48_OVER_17 + mbn_srdhm(half, MINUS_X32_OVER_17);
    for (int i = 0; i < 3; i++) {
        x += shift_saturated(mbn_srdhm(x, ONE - mbn_srdhm(half, x)), 2);
    }
    return shift_saturated(x, 1);
}

/* The same; fewer than 2^12 classes keep the sum below 2^31. */
static void fixed_softmax(const mbn_q8_probabilities *p, float *values, int32_t count) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += (uint32_t)mbn_rdbpot(p->table.fixed[(int)values[i]], 12);
    }
    int32_t headroom = 0;
    while (headroom < 31 && (sum << headroom & 1U << 31) == 0) headroom++;
    const int32_t inverse = inverse_of_one_plus((int32_t)((sum << headroom) - (1U << 31)));
    for (int32_t i = 0; i < count; i++) {
        const int32_t product = mbn_srdhm(inverse, p->table.fixed[(int)values[i]]);
        values[i] = (float)mbn_rdbpot(product, 12 - headroom + 31 - 8);
    }
}

/* The byte that a float stands for, exactly. */
static uint8_t byte_of(const mbn_quantization *q, float value) {
    return mbn_byte_of_float(q->scale > 0.0F ? value / q->scale : 0.0F, q->zero, 0, 255);
}

void mbn_make_probabilities_q8(const mbn_q8_probabilities *p, float *values, int32_t count) {
    float largest = 0.0F;
    for (int32_t i = 0; i < count; i++) {
        values[i] = byte_of(&p->logits, values[i]);
        if (values[i] > largest) largest = values[i];
    }
    const bool softmax = p->kind != MBN_Q8_SIGMOID;
    for (int32_t i = 0; softmax && i < count; i++) values[i] = largest - values[i];
    switch (p->kind) {
    case MBN_Q8_SOFTMAX_FLOAT: float_softmax(p, values, count); break;
    case MBN_Q8_SOFTMAX_FIXED: fixed_softmax(p, values, count); break;
    case MBN_Q8_SIGMOID:
        for (int32_t i = 0; i < count; i++) {
            values[i] = (float)(p->table.lookup[(int)values[i]] - p->output.zero);
        }
        break;
    }
    const float low = (float)-p->output.zero, high = low + 255.0F;
    for (int32_t i = 0; i < count; i++) {
        const float inside = values[i] < low ? low : values[i] > high ? high : values[i];
        values[i] = p->output.scale * inside;
    }
}
