"""A tensor of a source: its shape is known at once, its values are read when they are needed."""
from collections import namedtuple

import numpy

from .errors import ImportFailure

# How each type is stored; numpy has no bfloat16, so its bits are read as integers.
DTYPES = {
    "float64": numpy.dtype("<f8"), "float32": numpy.dtype("<f4"), "float16": numpy.dtype("<f2"),
    "bfloat16": numpy.dtype("<u2"), "int64": numpy.dtype("<i8"), "int32": numpy.dtype("<i4"),
    "int16": numpy.dtype("<i2"), "int8": numpy.dtype("i1"), "uint8": numpy.dtype("u1"),
    "bool": numpy.dtype("?"), "complex64": numpy.dtype("<c8"), "complex128": numpy.dtype("<c16"),
    # Quantised values: only their size matters, they are no weights.
    "qint8": numpy.dtype("i1"), "quint8": numpy.dtype("u1"), "qint32": numpy.dtype("<i4"),
}


class Tensor(namedtuple("Tensor", "name shape dtype load")):
    """load() returns an array of `shape` with DTYPES[dtype]."""
    __slots__ = ()

    def floats(self):
        """The values as contiguous float32."""
        if self.dtype == "bfloat16":
            # The upper half of a float32.
            return (self.load().astype(numpy.uint32) << 16).view(numpy.float32)
        if not self.dtype.startswith("float"):
            raise ImportFailure(f"{self.name}: {self.dtype} values, not floating point")
        with numpy.errstate(over="ignore"):  # becomes an infinity, which the caller reports
            return numpy.ascontiguousarray(self.load(), numpy.float32).reshape(self.shape)
