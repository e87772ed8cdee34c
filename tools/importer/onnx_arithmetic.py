"""The arithmetic of ONNX Runtime on 8-bit integers, and on the floats that are computed of them one
by one, as it is on x86 with FMA and its optimiser off.

Bytes are int64 arrays here, quantisations integers.Quantisation."""
import numpy

_F32 = numpy.float32


def fused(a, b, c):
    """a * b + c, rounded once: of float32 a product is exact in double."""
    return (numpy.asarray(a, _F32).astype(numpy.float64) * float(b)
            + numpy.asarray(c, numpy.float64)).astype(_F32)


def dequantise(x, quantised):
    return (x - quantised.zero_byte).astype(_F32) * quantised.scale


def quantise(x, out):
    """Floats as bytes, ties to even."""
    return numpy.clip(numpy.rint(numpy.asarray(x, _F32) / out.scale) + out.zero_byte, 0, 255)


def layer_factors(source, scales, out):
    return source.scale * scales.astype(_F32) / out.scale


# ---- QLinearAdd, QLinearMul ----


def sum_factors(a, b, out):
    """Of both terms, and what is added, which has the zero points in it."""
    of_a, of_b = a.scale / out.scale, b.scale / out.scale
    offset = _F32(out.zero) - fused(_F32(a.zero), of_a, of_b * _F32(b.zero))
    return numpy.array([of_a, of_b, offset], _F32)


def add(x, y, a, b, out):
    of_a, of_b, offset = sum_factors(a, b, out)
    total = fused(x - a.origin, of_a, fused(y - b.origin, of_b, offset))
    return numpy.clip(numpy.rint(total) + out.origin, 0, 255)


def product_factor(a, b, out):
    return numpy.array([a.scale * b.scale / out.scale], _F32)


def multiply(x, y, a, b, out):
    product = ((x - a.zero_byte) * (y - b.zero_byte)).astype(_F32)
    scaled = product * product_factor(a, b, out)[0] + _F32(out.zero)
    return numpy.clip(numpy.rint(scaled) + out.origin, 0, 255)


# ---- Floats ----


def hard_sigmoid(x, alpha=1 / 6, beta=0.5):
    return numpy.clip(x * _F32(alpha) + _F32(beta), _F32(0), _F32(1))


def hard_swish(x):
    return x * hard_sigmoid(x)


# MLAS's: an odd polynomial over an even one.
_UPPER = (4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
          2.48287947061529e-01)
_LOWER = (6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
          1.16817656904453e-01, 9.93151921023180e-01)


def sigmoid(x):
    x = numpy.clip(numpy.asarray(x, _F32), _F32(-18), _F32(18))
    square = x * x

    def polynomial(factors):
        value = numpy.full_like(x, factors[0])
        for factor in factors[1:]:
            value = (value.astype(numpy.float64) * square + _F32(factor)).astype(_F32)
        return value
    share = x * polynomial(_UPPER) / polynomial(_LOWER) + _F32(0.5)
    return numpy.clip(share, _F32(0), _F32(1))
