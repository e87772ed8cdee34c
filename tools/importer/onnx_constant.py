"""Nodes of an ONNX graph none of whose inputs depend on the image."""
import math

import numpy

from . import onnx_tensor
from .errors import ImportFailure


class _Unknown:
    """A number that depends on the batch size or the input's: only shapes are made of them."""


UNKNOWN = _Unknown()
# In an array of sizes: one that is not known.  Such arrays are only taken apart and put together.
SIZE = -1 << 40
_SIZES = ("Identity", "Cast", "Concat", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape")


def has_unknown_sizes(array):
    return array.dtype.kind == "i" and bool((array == SIZE).any())


# What arithmetic makes of constants of other sizes: shapes, for the most part.
_MOST_ELEMENTS = 1 << 22


def _elements(node, operation, inputs):
    """How many numbers an operation makes that may make more of them than it gets; else 0."""
    arrays = [value for value in inputs if value is not None]
    if operation == "ConstantOfShape":
        sizes = inputs[0].reshape(-1).tolist()
        if len(sizes) > 8 or any(size < 0 for size in sizes):
            raise ImportFailure(f"{node.name}: a constant of shape {sizes[:9]}")
        return math.prod(sizes)
    if operation == "Gather":
        axis = node.integer("axis", 0)
        return math.prod(arrays[0].shape) // max(1, arrays[0].shape[axis]) * arrays[1].size
    if operation == "Concat":
        size = sum(array.size for array in arrays)
    elif operation in ("Add", "Sub", "Mul", "Div"):
        size = math.prod(numpy.broadcast_shapes(*(array.shape for array in arrays)))
    else:
        return 0
    return 0 if size <= max(array.size for array in arrays) else size


def fold(node, inputs):
    operation = node.operation
    if any(value is UNKNOWN for value in inputs):
        return UNKNOWN
    if operation == "Constant":
        return _constant(node)
    if any(value is not None and not isinstance(value, numpy.ndarray) for value in inputs):
        raise ImportFailure(f"{node.name}: operation {operation} on something that is no tensor")
    if operation not in _SIZES and any(value is not None and has_unknown_sizes(value)
                                       for value in inputs):
        return UNKNOWN
    if operation not in _FOLDED:
        raise ImportFailure(f"{node.name}: operation {operation} on constants is not supported")
    try:
        size = _elements(node, operation, inputs)
        if size > _MOST_ELEMENTS:
            raise ImportFailure(f"{node.name}: {operation} makes a constant of {size} numbers")
        return _FOLDED[operation](node, *inputs)
    except ImportFailure:
        raise
    except Exception as error:  # shapes that do not fit, indices that do not exist
        raise ImportFailure(f"{node.name}: {operation}: {error}") from None


def _constant(node):
    value = node.tensor("value")
    if value is not None:
        return value
    for key, read in (("value_float", lambda a: numpy.float32(a.float(2))),
                      ("value_int", lambda a: numpy.int64(a.integer(3))),
                      ("value_ints", lambda a: numpy.array(a.integers(8), numpy.int64)),
                      ("value_floats", lambda a: numpy.frombuffer(a.packed(7), "<f4"))):
        if key in node.attributes:
            return numpy.asarray(read(node.attributes[key]))
    raise ImportFailure(f"{node.name}: a constant without a value")


def _axes(node, axes):
    return tuple(node.integers("axes", []) if axes is None else axes.reshape(-1).tolist())


def _reshape(node, value, shape):
    shape = [value.shape[i] if size == 0 else int(size)
             for i, size in enumerate(shape.reshape(-1).tolist())]
    return value.reshape(shape)


def _slice(node, value, starts=None, ends=None, axes=None, steps=None):
    starts = node.integers("starts", []) if starts is None else starts.tolist()
    ends = node.integers("ends", []) if ends is None else ends.tolist()
    axes = node.integers("axes", list(range(len(starts)))) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts, ends, axes, steps):
        if step < 0:
            raise ImportFailure(f"{node.name}: a slice backwards of constants")
        value = value[(slice(None),) * (axis % value.ndim) + (slice(start, end, step),)]
    return value


def _filled(node, shape):
    value = node.tensor("value")
    shape = shape.reshape(-1).tolist()
    return numpy.full(shape, 0.0 if value is None else value.reshape(()),
                      numpy.float32 if value is None else value.dtype)


def _along(node, axis, x, scale, zero):
    """Scale and zero point in the shape that a tensor's elements want."""
    def shaped(numbers):
        if numbers.size == 1:
            return numbers.reshape(())
        if not -x.ndim <= axis < x.ndim or numbers.size != x.shape[axis]:
            raise ImportFailure(f"{node.name}: {numbers.size} scales or zero points for shape "
                                f"{list(x.shape)}")
        shape = [1] * x.ndim
        shape[axis] = -1
        return numbers.reshape(shape)
    return shaped(scale), 0.0 if zero is None else shaped(zero.astype(numpy.float64))


def dequantise(node, x, scale, zero, axis):
    """The numbers that integers stand for, in double.  scale, zero: of one element, or of as many as
    that axis has."""
    scale, zero = _along(node, axis, x, scale, zero)
    return (x.astype(numpy.float64) - zero) * scale


def _quantise(node, x, scale, zero=None):
    kind = numpy.iinfo(numpy.uint8 if zero is None else zero.dtype)
    scale, offset = _along(node, node.integer("axis", 1), x, scale, zero)
    return numpy.clip(numpy.rint(x / scale) + offset, kind.min, kind.max).astype(kind.dtype)


def _dequantise(node, x, scale, zero=None):
    return dequantise(node, x, scale, zero, node.integer("axis", 1)).astype(numpy.float32)


_FOLDED = {
    "Identity": lambda node, x: x,
    "Reshape": _reshape,
    "Flatten": lambda node, x: x.reshape(
        int(numpy.prod(x.shape[:node.integer("axis", 1)])), -1),
    "Transpose": lambda node, x: x.transpose(node.integers("perm", list(range(x.ndim))[::-1])),
    "Squeeze": lambda node, x, axes=None: numpy.squeeze(x, _axes(node, axes) or None),
    "Unsqueeze": lambda node, x, axes=None: numpy.expand_dims(x, _axes(node, axes)),
    "Cast": lambda node, x: x.astype(onnx_tensor.dtype_of(node.integer("to"))),
    "Concat": lambda node, *x: numpy.concatenate(x, node.integer("axis", 0)),
    "Gather": lambda node, x, index: numpy.take(x, index, node.integer("axis", 0)),
    "Slice": _slice,
    "Shape": lambda node, x: numpy.array(x.shape, numpy.int64),
    "ConstantOfShape": _filled,
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": lambda node, a, b: a // b if a.dtype.kind == "i" else a / b,
    "Sqrt": lambda node, x: numpy.sqrt(x),
    "Neg": lambda node, x: -x,
    "Reciprocal": lambda node, x: 1 / x,
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "com.microsoft.QuantizeLinear": _quantise,
    "com.microsoft.DequantizeLinear": _dequantise,
}
