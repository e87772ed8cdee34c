"""Whether all runtimes compute the same: without that, their times mean nothing."""

import numpy

# Of the range of this library's logits.
TOLERANCE = 1e-3


def difference(ours, theirs):
    """The largest one, as a part of the range of ours."""
    if ours.shape != theirs.shape or not numpy.isfinite(theirs).all():
        return float("inf")
    return float(numpy.abs(ours - theirs).max() / numpy.ptp(ours))


def read(path):
    return numpy.fromfile(path, numpy.float32)
