/* 8-bit integers (q8): what kernels of integers are told beyond what those of floats are.
 *
 * A byte of a plane stands for scale * (byte - zero).  Bytes are unsigned: of a tensor of signed
 * numbers they are these plus 128 (its origin), and its zero point likewise, so that there is one
 * kind of plane.  What is beside a plane, and so what a tap beyond its border reads, is its zero
 * point.
 *
 * A sum of products of (byte - zero) and weights is an int32, in which a layer's bias begins; it is
 * computed modulo 2^32, so its order does not show.  All tables give the same bytes for the same
 * arguments.  What becomes of the sum is one of three definitions (mbn_rescaling):
 *
 *   FLOAT   zero + rint(x * m), x the sum as float32, m a float32, the product rounded to float32,
 *           rint to nearest, ties to even: TensorFlow Lite by XNNPACK, ONNX Runtime's QLinear
 *           operators.
 *   FIXED   zero + RDBPOT(SRDHM(x << left, m), right) with m an int32 (a multiple of 2^-31), left =
 *           max(shift, 0), right = max(-shift, 0): TensorFlow Lite's reference kernels (gemmlowp).
 *           x << left is modulo 2^32, too.
 *             SRDHM(a, b)    (a b + (a b >= 0 ? 2^30 : 1 - 2^30)) / 2^31, truncated; 2^31 - 1 where
 *                            both are -2^31
 *             RDBPOT(a, n)   a / 2^n to nearest, ties away from zero
 *   DOUBLE  zero + round(x * m) in double, ties away from zero: its fully connected layers.
 *
 * then clamped to the range's low .. high.
 *
 * Jacob et al. 2018 ("Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference") is where this comes from. */
#ifndef MOBILENET_Q8_H
#define MOBILENET_Q8_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How floats become bytes; halves: x / scale lies in the middle between two whole numbers.
 *   INVERSE   x * (1 / scale) in float32, halves to even (TensorFlow Lite by XNNPACK)
 *   QUOTIENT  x / scale in float32, halves to even (ONNX)
 *   AWAY      x / scale in float32, halves away from zero (TensorFlow Lite's reference kernels)
 * The result is clamped to 0 .. 255 after `zero` is added; NaN gives 0. */
typedef enum mbn_quantizing {
    MBN_QUANTIZE_INVERSE = 0,
    MBN_QUANTIZE_QUOTIENT,
    MBN_QUANTIZE_AWAY
} mbn_quantizing;

/* What a plane's bytes stand for: scale * (byte - zero), in float32. */
typedef struct mbn_quantization {
    float scale;
    int32_t zero;   /* 0 to 255 */
    int32_t origin; /* 128: the source's bytes are signed, and these are those plus 128; else 0 */
    mbn_quantizing quantizing;
} mbn_quantization;

typedef enum mbn_rescaling {
    MBN_RESCALE_FLOAT = 0,
    MBN_RESCALE_FIXED,
    MBN_RESCALE_DOUBLE
} mbn_rescaling;

/* A factor, in the form that its rescaling wants; the others' fields are of no meaning. */
typedef struct mbn_multiplier {
    float real;    /* FLOAT */
    int32_t fixed; /* FIXED: 0, or 2^30 to 2^31 - 1 ... */
    int32_t shift; /* ... times 2^(shift - 31); -31 to 30 */
    double wide;   /* DOUBLE */
} mbn_multiplier;

/* The bytes that a result may have, and the one that stands for 0. */
typedef struct mbn_byte_range {
    uint8_t zero, low, high;
} mbn_byte_range;

/* The sum of two quantised numbers a (what the layer computed) and b (the residual, or `other`).
 *   SHIFT  (m_a (a - zero_a) + m_b (b - zero_b) + 2^(shift - 1)) >> shift, + zero (XNNPACK), modulo
 *          2^32 before the shift; m: multiplier[].fixed, any; shift: output.shift, 1 to 31
 *   FLOAT  rint(fma(a', m_a, fma(b', m_b, offset))) + origin with a' = a - origin_a, likewise b'
 *          (ONNX Runtime; other_first: with a and b exchanged); m: multiplier[].real.  offset has
 *          the zero point inside, less the origin, which is one for all three: origin[0]
 *   FIXED  with D = RDBPOT(SRDHM(. << max(shift, 0), fixed), max(-shift, 0)) of a multiplier:
 *          D_output(D_a((a - zero_a) << 20) + D_b((b - zero_b) << 20)) + zero (TensorFlow Lite's
 *          reference kernel)
 * then clamped to the range. */
typedef enum mbn_q8_add_kind { MBN_ADD_SHIFT = 0, MBN_ADD_FLOAT, MBN_ADD_FIXED } mbn_q8_add_kind;

typedef struct mbn_q8_add {
    mbn_q8_add_kind kind;
    mbn_multiplier multiplier[2]; /* of a, of b */
    mbn_multiplier output;
    int32_t zero[2];
    int32_t origin[2];
    float offset;
    bool other_first;
    mbn_byte_range range;
} mbn_q8_add;

/* The mean of n bytes of a plane, at most 2^23, whose sum is s.
 *   INTEGER  (s - n origin) / n to nearest, halves away from zero, + origin: input and output have
 *            one scale (TensorFlow Lite's AVERAGE_POOL_2D)
 *   FLOAT    zero + rint(x * m): x = s - n input_zero as float32, m = input_scale / (n *
 *            output_scale), each operation rounded to float32 (ONNX Runtime)
 *   OFFSET   origin + rint(x * m + (z - i * m)): x = s - n origin, z = zero - origin, i = n
 *            (input_zero - origin), all as float32; m = (input_scale / output_scale) * (1 / n);
 *            each operation rounded to float32, none fused (TensorFlow Lite by XNNPACK).  The zero
 *            point is inside the rounding, and the origin shows
 *   FIXED    zero + RDBPOT(SRDHM(x, fixed), -shift), x = s - n input_zero; with input_scale /
 *            output_scale = f * 2^(e - 31) in double, f rounded to a whole number from 2^30 to
 *            2^31 - 1 (halves away from zero), and k = min(floor(log2 n), 31 + e): fixed = f * 2^k
 *            / n, truncated, shift = e - k (TensorFlow Lite's reference MEAN)
 *   VALUES   zero + rint(S / n / output_scale), S the sum of values[byte], all in float32.  Of the
 *            pixels, row after row, every fourth from the first, second, third and fourth on is
 *            summed by itself, as far as there are four; S = (first + third) + (second + fourth),
 *            then the one to three pixels that are left (ONNX Runtime's mean of floats that were
 *            computed of bytes)
 * then clamped to the range, but for INTEGER. */
typedef enum mbn_q8_mean_kind {
    MBN_MEAN_INTEGER = 0,
    MBN_MEAN_FLOAT,
    MBN_MEAN_FIXED,
    MBN_MEAN_OFFSET,
    MBN_MEAN_VALUES
} mbn_q8_mean_kind;

typedef struct mbn_q8_mean {
    mbn_q8_mean_kind kind;
    float input_scale, output_scale;
    int32_t origin;
    const float *values; /* [256], of VALUES */
} mbn_q8_mean;

/* Softmax of n bytes, by a table of e(d), the exponential of what is d below the largest byte.
 *   FLOAT  r = 1 / (S * output_scale), S the sum of e over all bytes, in their order; y = e * r,
 *          all in float32; the byte is zero + y to nearest, halves away from zero; of unsigned
 *          numbers (origin 0) y + 0.5 in float32, truncated (TensorFlow Lite, without gemmlowp)
 *   FIXED  e are whole numbers, times 2^-31.  S = the sum of RDBPOT(e, 12), 19 bits behind the
 *          point; z the zero bits above its highest one (of 32), h = S * 2^z / 2, truncated;
 *          x = 1515870810 + SRDHM(h, -1010580540), 29 bits behind the point; three times x += 4 *
 *          SRDHM(x, 2^29 - SRDHM(h, x)); r = 2 x; sums and products saturate.  The byte is
 *          RDBPOT(SRDHM(r, e), 12 - z + 31 - 8): the output's scale is 1/256 (TensorFlow Lite's
 *          reference kernel)
 * then clamped to 0 .. 255. */

/* What becomes of a q8 kernel's sums.  Which parts a kernel reads:
 *   pointwise, convolution, depthwise, fully_connected
 *                       rescaling (of the packed channels), range; lookup; with a residual `add`
 *   depthwise and convolution with taps beyond the plane also input_zero
 *   channel_scale       rescaling, multiplier, input_zero, gate_zero, range: the rescaled product
 *                       of (input - input_zero) and (gate - gate_zero); of FLOAT also zero_inside:
 *                       then origin + rint(x * m + (zero - origin)), each operation rounded to
 *                       float32, none fused (ONNX Runtime); lookup: of the input, before all that
 *   add                 `add`
 *   batch_norm          lookup: output = lookup[input]; scale and shift are not read
 *   global_average_pool mean, input_zero, range */
typedef struct mbn_q8_finish {
    mbn_rescaling rescaling;
    mbn_multiplier multiplier;
    int32_t input_zero, gate_zero;
    bool zero_inside;
    int32_t origin; /* read with zero_inside */
    mbn_byte_range range;
    const uint8_t *lookup; /* [256]: what becomes of a rescaled byte, or of a channel scale's input;
                            * NULL: it stays */
    const mbn_q8_add *add; /* NULL where nothing is added */
    mbn_q8_mean mean;
} mbn_q8_finish;

#ifdef __cplusplus
}
#endif

#endif
