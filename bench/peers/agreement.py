"""Whether all runtimes compute the same: without that, their times mean nothing."""

import numpy

# Of the range of this library's logits in float32, by what was computed in.  bfloat16 keeps eight bits of
# every activation, which is 1e-3 to 1e-2 in the end.
TOLERANCE = {"f32": 1e-3, "bf16": 3e-2, "f16": 3e-2}


def difference(ours, theirs):
    """The largest one, as a part of the range of ours."""
    if ours.shape != theirs.shape or not numpy.isfinite(theirs).all():
        return float("inf")
    return float(numpy.abs(ours - theirs).max() / numpy.ptp(ours))


def read(path):
    return numpy.fromfile(path, numpy.float32)
