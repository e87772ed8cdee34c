/* The arithmetic of mobilenet/q8.h in plain C, a number at a time: what the scalar kernels compute,
 * and other tables where they are not in their vectors. */
#ifndef MBN_KERNELS_Q8_H
#define MBN_KERNELS_Q8_H

#include <mobilenet/q8.h>

#include <math.h>
#include <stddef.h>

/* Nothing here overflows, for any arguments: what TensorFlow Lite's kernels let wrap (x << left)
 * wraps, and what follows is as if numbers had no end. */

/* a << n modulo 2^32. */
static inline int32_t mbn_shift_left(int32_t a, int32_t n) {
    return (int32_t)((uint32_t)a << n);
}

/* The rounded upper half of 2 a b; the two cases of the definition are one. */
static inline int32_t mbn_srdhm(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* a / 2^n, ties away from zero; n: 0 to 31. */
static inline int32_t mbn_rdbpot(int32_t a, int32_t n) {
    const int64_t half = ((int64_t)1 << n) >> 1;
    return (int32_t)(((int64_t)a + half - (a < 0 && n > 0)) >> n);
}

static inline int32_t mbn_scale_fixed(int32_t x, int32_t fixed, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    return mbn_rdbpot(mbn_srdhm(mbn_shift_left(x, left), fixed), right);
}

/* NaN gives the low end. */
static inline double mbn_clamp(double x, double low, double high) {
    return !(x > low) ? low : x > high ? high : x;
}

/* Ties to even, for |x| up to 2^22, inline on every target: the sum is rounded to whole numbers. */
static inline int32_t mbn_nearest_even(float x) {
    return (int32_t)(x + 0x1.8p23f - 0x1.8p23f);
}

/* Ties away from zero, for |x| below 2^31. */
static inline int32_t mbn_nearest_away(double x) {
    const int32_t whole = (int32_t)x;
    const double rest = x - whole;
    return whole + (rest >= 0.5) - (rest <= -0.5);
}

/* x + zero, clamped to the range. */
static inline uint8_t mbn_byte_of(int64_t x, mbn_byte_range range) {
    x += range.zero;
    return (uint8_t)(x < range.low ? range.low : x > range.high ? range.high : x);
}

/* zero + rint(x), clamped to the range. */
static inline uint8_t mbn_byte_of_float(float x, int32_t zero, int32_t low, int32_t high) {
    return (uint8_t)(mbn_nearest_even((float)mbn_clamp(x, low - zero, high - zero)) + zero);
}

static inline uint8_t mbn_rescale_float(int32_t sum, float real, mbn_byte_range range) {
    return mbn_byte_of_float((float)sum * real, range.zero, range.low, range.high);
}

static inline uint8_t mbn_rescale_fixed(int32_t sum, int32_t fixed, int32_t shift,
                                        mbn_byte_range range) {
    return mbn_byte_of(mbn_scale_fixed(sum, fixed, shift), range);
}

static inline uint8_t mbn_rescale_double(int32_t sum, double wide, mbn_byte_range range) {
    const double x = mbn_clamp(sum * wide, range.low - range.zero, range.high - range.zero);
    return mbn_byte_of(mbn_nearest_away(x), range);
}

static inline uint8_t mbn_rescale(int32_t sum, mbn_rescaling rescaling,
                                  const mbn_multiplier *multiplier, mbn_byte_range range) {
    switch (rescaling) {
    case MBN_RESCALE_FLOAT: return mbn_rescale_float(sum, multiplier->real, range);
    case MBN_RESCALE_FIXED:
        return mbn_rescale_fixed(sum, multiplier->fixed, multiplier->shift, range);
    case MBN_RESCALE_DOUBLE: break;
    }
    return mbn_rescale_double(sum, multiplier->wide, range);
}

/* Whether a product's zero point is inside its rounding. */
static inline bool mbn_rounds_inside(const mbn_q8_finish *finish) {
    return finish->rescaling == MBN_RESCALE_FLOAT && finish->zero_inside;
}

/* What channel_scale makes of a byte. */
static inline uint8_t mbn_scale_byte(const mbn_q8_finish *finish, uint8_t byte, uint8_t gate) {
    const mbn_byte_range range = finish->range;
    const uint8_t input = finish->lookup != NULL ? finish->lookup[byte] : byte;
    const int32_t product = (input - finish->input_zero) * (gate - finish->gate_zero);
    if (!mbn_rounds_inside(finish)) {
        return mbn_rescale(product, finish->rescaling, &finish->multiplier, range);
    }
    const float inside = (float)(range.zero - finish->origin);
    return mbn_byte_of_float((float)product * finish->multiplier.real + inside, finish->origin,
                             range.low, range.high);
}

static inline uint8_t mbn_add_shift(const mbn_q8_add *add, uint8_t a, uint8_t b) {
    const uint32_t sum = (uint32_t)add->multiplier[0].fixed * (uint32_t)(a - add->zero[0]) +
                         (uint32_t)add->multiplier[1].fixed * (uint32_t)(b - add->zero[1]) +
                         (1u << (add->output.shift - 1));
    return mbn_byte_of((int32_t)sum >> add->output.shift, add->range);
}

static inline uint8_t mbn_add_float(const mbn_q8_add *add, uint8_t a, uint8_t b) {
    const int32_t origin = add->origin[0];
    const float x[2] = {(float)(a - origin), (float)(b - add->origin[1])};
    const int outer = add->other_first, inner = !outer;
    const float rest = fmaf(x[inner], add->multiplier[inner].real, add->offset);
    const float sum = fmaf(x[outer], add->multiplier[outer].real, rest);
    return mbn_byte_of_float(sum, origin, add->range.low, add->range.high);
}

/* What a byte of term i adds. */
static inline int32_t mbn_add_term(const mbn_q8_add *add, int i, uint8_t byte) {
    const int32_t x = mbn_shift_left(byte - add->zero[i], 20);
    return mbn_scale_fixed(x, add->multiplier[i].fixed, add->multiplier[i].shift);
}

static inline uint8_t mbn_add_terms(const mbn_q8_add *add, int32_t a, int32_t b) {
    const int32_t sum = (int32_t)((uint32_t)a + (uint32_t)b);
    return mbn_rescale_fixed(sum, add->output.fixed, add->output.shift, add->range);
}

static inline uint8_t mbn_add_fixed(const mbn_q8_add *add, uint8_t a, uint8_t b) {
    return mbn_add_terms(add, mbn_add_term(add, 0, a), mbn_add_term(add, 1, b));
}

static inline uint8_t mbn_add_bytes(const mbn_q8_add *add, uint8_t a, uint8_t b) {
    switch (add->kind) {
    case MBN_ADD_SHIFT: return mbn_add_shift(add, a, b);
    case MBN_ADD_FLOAT: return mbn_add_float(add, a, b);
    case MBN_ADD_FIXED: break;
    }
    return mbn_add_fixed(add, a, b);
}

/* A positive factor as TensorFlow Lite writes it: below 2^-31 it is 0. */
static inline mbn_multiplier mbn_multiplier_of(double factor) {
    int shift = 0;
    int64_t fixed = (int64_t)round(frexp(factor, &shift) * 0x1p31);
    if (fixed == (int64_t)1 << 31) {
        fixed /= 2;
        shift++;
    }
    if (shift < -31) fixed = shift = 0;
    if (shift > 30) {
        fixed = INT32_MAX;
        shift = 30;
    }
    return (mbn_multiplier){.fixed = (int32_t)fixed, .shift = shift};
}

/* Of a mean of n numbers: TensorFlow Lite's MEAN divides the 31-bit factor, in which it first makes
 * room for n. */
static inline mbn_multiplier mbn_mean_multiplier(const mbn_q8_mean *mean, int32_t n) {
    mbn_multiplier m = {0};
    switch (mean->kind) {
    case MBN_MEAN_INTEGER:
    case MBN_MEAN_VALUES: break; /* mbn_mean_of_values */
    case MBN_MEAN_FLOAT: m.real = mean->input_scale / ((float)n * mean->output_scale); break;
    case MBN_MEAN_OFFSET:
        m.real = mean->input_scale / mean->output_scale * (1.0f / (float)n);
        break;
    case MBN_MEAN_FIXED:
        m = mbn_multiplier_of((double)mean->input_scale / (double)mean->output_scale);
        int32_t room = 0;
        while (room < 31 + m.shift && n >> room > 1) room++;
        m.fixed = (int32_t)(((int64_t)m.fixed << room) / n);
        m.shift -= room;
        break;
    }
    return m;
}

/* MBN_MEAN_INTEGER, as below. */
static inline uint8_t mbn_mean_quotient(int32_t sum, int32_t n, int32_t origin) {
    const int32_t raw = sum - n * origin;
    return (uint8_t)((raw + (raw < 0 ? -n / 2 : n / 2)) / n + origin);
}

/* Of bytes whose sum is `sum`, n of them, at most 2^23; multiplier: mbn_mean_multiplier.  Not of
 * VALUES (q8_mean.h). */
static inline uint8_t mbn_mean_of(const mbn_q8_mean *mean, const mbn_multiplier *multiplier,
                                  int32_t sum, int32_t n, int32_t input_zero,
                                  mbn_byte_range range) {
    const int32_t origin = mean->origin, raw = sum - n * origin, x = sum - n * input_zero;
    switch (mean->kind) {
    case MBN_MEAN_INTEGER: return mbn_mean_quotient(sum, n, origin);
    case MBN_MEAN_FLOAT: return mbn_rescale_float(x, multiplier->real, range);
    case MBN_MEAN_OFFSET: {
        const float m = multiplier->real, zeros = (float)(n * (input_zero - origin)) * m;
        const float mean_of_raw = (float)raw * m + ((float)(range.zero - origin) - zeros);
        return mbn_byte_of_float(mean_of_raw, origin, range.low, range.high);
    }
    case MBN_MEAN_FIXED:
    case MBN_MEAN_VALUES: break;
    }
    return mbn_rescale_fixed(x, multiplier->fixed, multiplier->shift, range);
}

static inline uint8_t mbn_quantize(float x, const mbn_quantization *q) {
    if (q->quantizing == MBN_QUANTIZE_INVERSE) {
        return mbn_byte_of_float(x * (1.0f / q->scale), q->zero, 0, 255);
    }
    const float quotient = x / q->scale;
    if (q->quantizing == MBN_QUANTIZE_QUOTIENT) {
        return mbn_byte_of_float(quotient, q->zero, 0, 255);
    }
    return (uint8_t)(mbn_nearest_away(mbn_clamp(quotient, -q->zero, 255 - q->zero)) + q->zero);
}

static inline float mbn_dequantize(uint8_t byte, const mbn_quantization *q) {
    return q->scale * (float)(byte - q->zero);
}

#endif
