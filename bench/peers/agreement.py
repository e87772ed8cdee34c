"""Whether all runtimes compute the same: without that, their times mean nothing."""

import numpy

# Of the range of this library's logits in float32, by what was computed in.  bfloat16 keeps eight bits of
# every activation, which is 1e-3 to 1e-2 in the end; integers are steps of 1/255 of a tensor's range, which
# is 1e-2 to 2e-2, and 4e-2 in narrow networks.
TOLERANCE = {"f32": 1e-3, "bf16": 3e-2, "f16": 3e-2, "int8": 1e-1}


def difference(ours, theirs):
    """The largest one, as a part of the range of ours."""
    if ours.shape != theirs.shape or not numpy.isfinite(theirs).all():
        return float("inf")
    return float(numpy.abs(ours - theirs).max() / numpy.ptp(ours))


def cosine(ours, theirs):
    ours, theirs = ours.astype(numpy.float64), theirs.astype(numpy.float64)
    return float(ours @ theirs / numpy.sqrt((ours @ ours) * (theirs @ theirs)))


def equal(affine, ours, theirs):
    """How many logits are of the same byte."""
    return int((affine.quantized(ours) == affine.quantized(theirs)).sum())


def read(path):
    return numpy.fromfile(path, numpy.float32)
