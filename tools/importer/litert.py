"""The arithmetic of LiteRT (TensorFlow Lite) on 8-bit integers: of its default, which is XNNPACK
with float rescaling, and of its reference kernels, which have fixed-point multipliers.

Bytes are int64 arrays here, unsigned, and results are not clamped yet; a, b, out are what operands
and result are quantised by (integers.Quantisation)."""
import math

import numpy

_F32 = numpy.float32


def is_normal(scales):
    """XNNPACK takes no others."""
    return numpy.asarray(scales) >= numpy.finfo(_F32).tiny


def away(x):
    """To the nearest whole number, halves away from zero."""
    return numpy.sign(x) * numpy.floor(numpy.abs(x) + 0.5)


def limits(activation, quantised, rounded=away):
    """The bytes that an activation leaves: (lowest, highest)."""
    if activation not in ("relu", "relu6"):
        return 0, 255
    high = 255
    if activation == "relu6" and quantised.scale > 0:
        high = int(min(high, quantised.zero_byte + rounded(float(_F32(6) / quantised.scale))))
    return quantised.zero_byte, high


# ---- Fixed point ----


def fixed_point(real):
    """(multiplier, shift): real = multiplier * 2^(shift - 31)."""
    fraction, shift = math.frexp(real)
    multiplier = int(away(fraction * 2.0 ** 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < -31:
        return 0, 0
    return ((1 << 31) - 1, 30) if shift > 30 else (multiplier, shift)


def high_product(a, b):
    """gemmlowp's SaturatingRoundingDoublingHighMul."""
    product = numpy.asarray(a, numpy.int64) * b
    nudged = product + numpy.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = numpy.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    return numpy.minimum(high, (1 << 31) - 1)


def rounding_shift(x, by):
    """By a power of two, halves away from zero."""
    half = (1 << by) >> 1
    return numpy.where(x >= 0, (x + half) >> by, -((-x + half) >> by))


def shift_up(x, by):
    """The same, halves upwards."""
    return (x + ((1 << by) >> 1)) >> by


def times_fixed(x, multiplier, shift, down=rounding_shift):
    return down(high_product(x << max(shift, 0), multiplier), max(-shift, 0))


# ---- The two ways ----


class Fixed:
    """BUILTIN_REF."""
    name = "fixed"

    @staticmethod
    def limits(activation, quantised):
        """Of an activation that is fused."""
        return limits(activation, quantised)

    @staticmethod
    def sum_factors(a, b, out):
        largest = 2 * max(float(a.scale), float(b.scale))
        reals = (float(a.scale) / largest, float(b.scale) / largest,
                 largest / ((1 << 20) * float(out.scale)))
        return numpy.array([fixed_point(real) for real in reals], numpy.int32)

    @staticmethod
    def product_factor(a, b, out):
        return numpy.array([fixed_point(float(a.scale * b.scale / out.scale))], numpy.int32)

    @staticmethod
    def add(x, a, y, b, out, sign=1):
        of_a, of_b, of_sum = Fixed.sum_factors(a, b, out).tolist()
        of_b[0] *= sign
        total = times_fixed((x - a.zero_byte) << 20, *of_a) + \
            times_fixed((y - b.zero_byte) << 20, *of_b)
        return times_fixed(total, *of_sum) + out.zero_byte

    @staticmethod
    def subtract(x, a, y, b, out):
        return Fixed.add(x, a, y, b, out, -1)

    @staticmethod
    def multiply(x, a, y, b, out):
        (factor,) = Fixed.product_factor(a, b, out).tolist()
        return times_fixed((x - a.zero_byte) * (y - b.zero_byte), *factor) + out.zero_byte

    @staticmethod
    def requantise(x, a, out, down=rounding_shift):
        factor = fixed_point(float(a.scale) / float(out.scale))
        return times_fixed(x - a.zero_byte, *factor, down) + out.zero_byte

    @staticmethod
    def exponentials(beta, scale):
        """exp(-beta * scale * d) for d from 0 to 255 in 31-bit fixed point, 0 where softmax leaves
        it out."""
        integer_bits = 5
        unit = 1 << (31 - integer_bits)
        multiplier, shift = fixed_point(min(float(beta) * float(scale) * unit, (1 << 31) - 1.0))
        # Not more than what 5 bits before the point hold.
        largest = ((1 << integer_bits) - 1) * unit // (1 << max(shift, 0))
        d = numpy.arange(256)
        x = high_product(-d << max(shift, 0), multiplier)
        return numpy.where(d <= largest, _exp_of_negative(x), 0).astype(numpy.int32)


class Float:
    """The default: XNNPACK, and the builtin kernels where that declines."""
    name = "float"

    @staticmethod
    def limits(activation, quantised):
        return limits(activation, quantised, numpy.rint)

    @staticmethod
    def sum_factors(a, b, out):
        ratios = [_F32(q.scale / out.scale) for q in (a, b)]
        if min(ratios) < 2.0 ** -10:
            return Fixed.sum_factors(a, b, out)
        shift = 20 - (math.frexp(max(ratios))[1] - 1)
        return numpy.array([*(int(numpy.rint(math.ldexp(r, shift))) for r in ratios), shift],
                           numpy.int32)

    @staticmethod
    def product_factor(a, b, out):
        factor = a.scale * b.scale / out.scale
        return numpy.array([factor], _F32) if factor >= 2.0 ** -16 else \
            Fixed.product_factor(a, b, out)

    @staticmethod
    def add(x, a, y, b, out, sign=1):
        factors = Float.sum_factors(a, b, out)
        if factors.ndim == 2:
            return Fixed.add(x, a, y, b, out, sign)
        of_a, of_b, shift = factors.tolist()
        total = of_a * (x - a.zero_byte) + sign * of_b * (y - b.zero_byte)
        return shift_up(total, shift) + out.zero_byte

    @staticmethod
    def subtract(x, a, y, b, out):
        return Float.add(x, a, y, b, out, -1)

    @staticmethod
    def multiply(x, a, y, b, out):
        factor = Float.product_factor(a, b, out)
        if factor.ndim == 2:
            return Fixed.multiply(x, a, y, b, out)
        product = ((x - a.zero_byte) * (y - b.zero_byte)).astype(_F32)
        return numpy.rint(product * factor[0]).astype(numpy.int64) + out.zero_byte

    @staticmethod
    def requantise(x, a, out):
        ratio = _F32(a.scale / out.scale)
        if a.kind == out.kind and ratio >= 2.0 ** -8:
            factor = int(numpy.rint(_F32(256) * ratio))
            return shift_up((x - a.zero_byte) * factor, 8) + out.zero_byte
        return Fixed.requantise(x, a, out, shift_up if a.kind == "int8" else rounding_shift)

    @staticmethod
    def exponentials(beta, scale):
        """exp(-beta * scale * d) for d from 0 to 255, as float32."""
        exponents = _F32(-scale * beta) * numpy.arange(256, dtype=_F32)
        return numpy.exp(exponents.astype(numpy.float64)).astype(_F32)


# ---- Functions, which are the same in both ----


def hard_swish(x, a, out):
    """16-bit fixed point."""
    def multiplier_16(real):
        multiplier, shift = fixed_point(real)
        return min((multiplier + (1 << 15)) >> 16, 32767), shift

    def saturate(x):
        return numpy.clip(x, -32768, 32767)

    fine = _F32(1 / 128) * a.scale
    to_out, out_shift = multiplier_16(float(fine / out.scale))
    to_three, three_shift = multiplier_16(float(fine) / (3.0 / 32768.0))
    h = (x - a.zero_byte) * 128
    product = shift_up(h * to_out, 15)
    gate = saturate(h << (three_shift - 1)) if three_shift > 0 else h
    gate = saturate(shift_up(gate * to_three, 15))
    if three_shift > 0:
        gate = saturate(gate << 1)
    elif three_shift < 0:
        gate = rounding_shift(gate, -three_shift)
    y = ((gate + 32768) >> 1) * product
    y = numpy.where(y >= 0, y >> 15, -(-y >> 15))
    return rounding_shift(y, -out_shift) + out.zero_byte


def sigmoid(a):
    """Of each byte, in units of 1/256."""
    x = (numpy.arange(256) - a.zero_byte) * float(a.scale)
    return numpy.clip(away(256 / (1 + numpy.exp(-numpy.clip(x, -700, 700)))), 0, 255)


def _exp_of_negative(a):
    """gemmlowp's; a: in units of 2^-26."""
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    # A Taylor polynomial around -1/8.
    x = (rest << 5) + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    terms = high_product(rounding_shift(x4, 2) + x3, 715827883) + x2
    centre = 1895147668
    result = centre + high_product(centre, x + rounding_shift(terms, 1))
    remainder = rest - a
    for exponent, factor in ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308),
                             (2, 39332535), (3, 720401), (4, 242)):
        result = numpy.where(remainder & (1 << (26 + exponent)), high_product(result, factor),
                             result)
    return numpy.where(a == 0, (1 << 31) - 1, result)
