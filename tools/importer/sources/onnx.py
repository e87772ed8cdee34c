"""ONNX files, read without onnx: exports of MobileNets by torch, tf2onnx and Paddle, batch norm
folded or not."""
import math

import numpy

from .. import check, protobuf
from ..errors import ImportFailure
from ..graph import Builder, hard_sigmoid, hard_swish, relu
from ..imported import from_structure
from ..structure import recognise as recognise_structure
from ..timm import IMAGENET_MEAN, IMAGENET_STD

NAME = "ONNX model"

_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
# TensorProto's field for the values of each type, where they are not raw bytes.
_FIELDS = {1: 4, 11: 10}
_MAX_ELEMENTS = 1 << 28


def recognise(data):
    if data[:1] != b"\x08":  # ir_version
        return False
    try:
        return protobuf.Message(data).message(7) is not None
    except ImportFailure:
        return data[2:3] == b"\x12"  # producer_name: ONNX, but damaged


def read(data, options):
    model = protobuf.Message(data)
    graph = model.message(7)
    if graph is None:
        raise ImportFailure("an ONNX model without a graph")
    output, height, width = _Graph(graph, options).output()
    structure = recognise_structure(output, height, width)
    producer = model.text(2)
    imported = from_structure(structure, f"ONNX ({producer})" if producer else "ONNX", height,
                              width)
    if producer == "pytorch" and imported.mean is None:
        imported.mean, imported.std = IMAGENET_MEAN, IMAGENET_STD
        imported.resize = round(min(height, width) * 256 / 224)
        imported.notes.append("taken for granted: ImageNet's mean and std (--mean, --std)")
    return imported


def reference(data, imported, options):
    try:
        import onnxruntime
    except ImportError:
        return "ONNX Runtime is not installed"
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    planar = image.shape[1] == 3 or image.shape[3] != 3

    def run(images):
        if planar:
            images = images.transpose(0, 3, 1, 2)
        # One by one: exported models often have a fixed batch.
        result = numpy.concatenate([session.run(None, {image.name: images[i:i + 1]})[0]
                                    for i in range(len(images))])
        if result.ndim == 4 and result.shape[1] == imported.channels:
            result = result.transpose(0, 2, 3, 1)
        return result
    return check.Reference(f"ONNX Runtime {onnxruntime.__version__}", run)


# ---- Tensors ----

class _Unknown:
    """A number that depends on the batch size or the input's: only shapes are made of them."""


UNKNOWN = _Unknown()


def _tensor(message):
    name, dims = message.text(8), message.integers(1)
    kind = message.integer(2)
    if message.integer(14) == 1:
        raise ImportFailure(f"{name}: its values are in another file")
    if kind not in _DTYPES:
        raise ImportFailure(f"{name}: data type {kind} is not supported")
    count = math.prod(dims)
    if any(d < 0 for d in dims) or len(dims) > 8 or count > _MAX_ELEMENTS:
        raise ImportFailure(f"{name}: malformed shape {dims}")
    dtype = numpy.dtype(_DTYPES[kind])
    raw = message.bytes(9)
    if raw or 9 in message.fields:
        values = _from_bytes(name, raw, dtype)
    elif kind in _FIELDS:
        values = _from_bytes(name, message.packed(_FIELDS[kind]), dtype)
    elif kind == 7:
        values = numpy.array(message.integers(7), dtype)
    elif kind == 10:
        values = numpy.array(message.integers(5), numpy.int64).astype("<u2").view("<f2")
    else:
        values = numpy.array(message.integers(5), numpy.int64).astype(dtype)
    if values.size != count:
        raise ImportFailure(f"{name}: {values.size} values for shape {dims}")
    return values.reshape(dims)


def _from_bytes(name, raw, dtype):
    if len(raw) % dtype.itemsize:
        raise ImportFailure(f"{name}: {len(raw)} bytes are no {dtype.name} values")
    return numpy.frombuffer(raw, dtype)


# ---- Nodes ----

class _Node:
    def __init__(self, message):
        self.inputs, self.outputs = message.texts(1), message.texts(2)
        self.operation = message.text(4)
        self.name = message.text(3) or (self.outputs[0] if self.outputs else self.operation)
        domain = message.text(7)
        if domain not in ("", "ai.onnx"):
            self.operation = f"{domain}.{self.operation}"
        self.attributes = {attribute.text(1): attribute for attribute in message.messages(5)}

    def integer(self, key, default=None):
        attribute = self.attributes.get(key)
        return default if attribute is None else attribute.integer(3)

    def float(self, key, default):
        attribute = self.attributes.get(key)
        return default if attribute is None else attribute.float(2)

    def integers(self, key, default=None):
        attribute = self.attributes.get(key)
        return default if attribute is None else attribute.integers(8)

    def text(self, key, default=""):
        attribute = self.attributes.get(key)
        return default if attribute is None else attribute.text(4)

    def tensor(self, key):
        attribute = self.attributes.get(key)
        message = None if attribute is None else attribute.message(5)
        return None if message is None else _tensor(message)


class _Plane:
    """A Value with what ONNX says of its axes: NCHW, NHWC, or flat (after the global pool)."""

    def __init__(self, value, layout):
        self.value, self.layout = value, layout


class _Graph:
    def __init__(self, graph, options):
        self.builder = Builder()
        self.values = {}
        for message in graph.messages(5):
            self.values[message.text(8)] = _tensor(message)
        self.nodes = [_Node(message) for message in graph.messages(1)]
        self.outputs = [message.text(1) for message in graph.messages(12)]
        self.height = self.width = None
        for message in graph.messages(11):
            name = message.text(1)
            if name not in self.values:
                self._input(name, message, options)

    def _input(self, name, message, options):
        kind = message.message(2)
        tensor = kind.message(1) if kind else None
        shape = tensor.message(2) if tensor else None
        dims = [dim.integer(1, 0) for dim in shape.messages(1)] if shape else []
        if len(dims) == 4 and dims[1] == 3:
            layout, height, width = "nchw", dims[2], dims[3]
        elif len(dims) == 4 and dims[3] == 3:
            layout, height, width = "nhwc", dims[1], dims[2]
        else:
            raise ImportFailure(f"input {name} has shape {dims}, expected an image of 3 channels")
        height, width = (size if 0 < size <= 65536 else None for size in (height, width))
        self.height = height or (options.resolution or (224, 224))[0]
        self.width = width or (options.resolution or (224, 224))[1]
        self.values[name] = _Plane(self.builder.input(name, 3), layout)

    def output(self):
        for node in self.nodes:
            self._run(node)
        planes = [self.values[name] for name in self.outputs
                  if isinstance(self.values.get(name), _Plane)]
        if len(planes) != 1:
            raise ImportFailure(f"{len(planes)} outputs depend on the image, expected one")
        return planes[0].value, self.height, self.width

    def _run(self, node):
        operation = node.operation
        inputs = []
        for name in node.inputs:
            if name and name not in self.values:
                raise ImportFailure(f"{node.name}: its input {name} is not there")
            inputs.append(self.values[name] if name else None)
        method = getattr(self, "_" + operation.lower().replace(".", "_"), None)
        if any(isinstance(value, _Plane) for value in inputs):
            if method is None or operation.lower() in ("run", "input"):
                raise ImportFailure(f"{node.name}: operation {operation} is in no MobileNet")
            result = method(node, *inputs)
        else:
            result = _fold(node, inputs)
        results = result if isinstance(result, list) else [result]
        for name, value in zip(node.outputs, results):
            self.values[name] = value

    @staticmethod
    def _constant_of(node, value):
        if not isinstance(value, numpy.ndarray):
            raise ImportFailure(f"{node.name}: a weight that is computed from something unknown")
        return value

    # ---- Convolutions and fully connected layers ----

    def _conv(self, node, x, weight, bias=None):
        weight = self._constant_of(node, weight)
        if x.layout == "nhwc":
            raise ImportFailure(f"{node.name}: a convolution whose input is not NCHW")
        if weight.ndim != 4 or any(d != 1 for d in node.integers("dilations", [1, 1])):
            raise ImportFailure(f"{node.name}: not a plain 2-d convolution")
        bias = None if bias is None else self._constant_of(node, bias)
        value = self.builder.conv(x.value, weight, bias, node.integers("strides", [1, 1])[:2],
                                  self._pads(node), node.integer("group", 1), node.name)
        return _Plane(value, x.layout)

    @staticmethod
    def _pads(node):
        automatic = node.text("auto_pad", "NOTSET")
        if automatic == "SAME_UPPER":
            return "same"
        if automatic not in ("NOTSET", "VALID", ""):
            raise ImportFailure(f"{node.name}: auto_pad {automatic}")
        pads = node.integers("pads", [0, 0, 0, 0])
        if len(pads) != 4:
            raise ImportFailure(f"{node.name}: {len(pads)} pads")
        return tuple(pads)

    def _gemm(self, node, x, weight, bias=None):
        self._flat(node, x)
        weight = self._constant_of(node, weight).astype(numpy.float64)
        if not node.integer("transB", 0):
            weight = weight.T
        if node.integer("transA", 0):
            raise ImportFailure(f"{node.name}: transA")
        bias = None if bias is None else \
            node.float("beta", 1.0) * self._constant_of(node, bias).reshape(-1)
        if bias is not None and bias.size == 1:
            bias = numpy.repeat(bias, weight.shape[0])
        return _Plane(self.builder.dense(x.value, node.float("alpha", 1.0) * weight, bias,
                                         node.name), "flat")

    def _matmul(self, node, x, weight):
        if not isinstance(x, _Plane):
            raise ImportFailure(f"{node.name}: a matrix product with the weights first")
        self._flat(node, x)
        return _Plane(self.builder.dense(x.value, self._constant_of(node, weight).T, None,
                                         node.name), "flat")

    @staticmethod
    def _flat(node, x):
        if not isinstance(x, _Plane) or x.layout not in ("flat", "pooled"):
            raise ImportFailure(f"{node.name}: a fully connected layer on a whole plane; "
                                "MobileNets have a global average pool before it")

    # ---- Batch norm and elementwise ----

    def _batchnormalization(self, node, x, gamma, beta, mean, variance):
        values = [self._constant_of(node, v) for v in (gamma, beta, mean, variance)]
        return _Plane(self.builder.batch_norm(x.value, *values, node.float("epsilon", 1e-5),
                                              node.name), x.layout)

    def _vector(self, node, plane, constant):
        """A constant as a number or a vector along the plane's channels."""
        constant = self._constant_of(node, constant).astype(numpy.float64)
        if constant.size == 1:
            return constant.reshape(())
        axis = {"nchw": -3, "pooled": -3, "nhwc": -1, "flat": -1}[plane.layout]
        shape = list(constant.shape)
        if len(shape) + axis < 0 or shape[axis] != constant.size:
            raise ImportFailure(f"{node.name}: a constant of shape {shape} is not one number per "
                                "channel")
        return constant.reshape(-1)

    def _binary(self, node, a, b, both, with_constant):
        if isinstance(a, _Plane) and isinstance(b, _Plane):
            layout = next((p.layout for p in (a, b) if p.layout not in ("flat", "pooled")),
                          a.layout)
            return _Plane(both(a.value, b.value), layout)
        plane, constant = (a, b) if isinstance(a, _Plane) else (b, a)
        return _Plane(with_constant(plane.value, self._vector(node, plane, constant),
                                    plane is b), plane.layout)

    def _add(self, node, a, b):
        return self._binary(
            node, a, b, lambda x, y: self.builder.add(x, y, node.name),
            lambda x, c, _: self.builder.scale_shift(x, 1.0, c, node.name))

    def _sub(self, node, a, b):
        def with_constant(x, c, swapped):
            return self.builder.scale_shift(x, *((-1.0, c) if swapped else (1.0, -c)), node.name)
        return self._binary(node, a, b, self._unsupported(node, "difference"), with_constant)

    def _mul(self, node, a, b):
        return self._binary(
            node, a, b, lambda x, y: self.builder.multiply(x, y, node.name),
            lambda x, c, _: self.builder.scale_shift(x, c, 0.0, node.name))

    def _div(self, node, a, b):
        def with_constant(x, c, swapped):
            if swapped or not numpy.all(c):
                raise ImportFailure(f"{node.name}: a division that is not by a constant")
            return self.builder.scale_shift(x, 1.0 / c, 0.0, node.name)
        return self._binary(node, a, b, self._unsupported(node, "quotient"), with_constant)

    @staticmethod
    def _unsupported(node, what):
        def refuse(*_):
            raise ImportFailure(f"{node.name}: a {what} of two planes is in no MobileNet")
        return refuse

    def _unary(self, node, x, function):
        return _Plane(self.builder.unary(x.value, function, node.name), x.layout)

    def _relu(self, node, x):
        return self._unary(node, x, relu)

    def _clip(self, node, x, low=None, high=None):
        def bound(value, key, default):
            if value is None:
                return node.float(key, default)
            return float(self._constant_of(node, value).reshape(-1)[0])
        low, high = bound(low, "min", -math.inf), bound(high, "max", math.inf)
        return self._unary(node, x, lambda v: numpy.clip(v, low, high))

    def _max(self, node, a, b):
        plane, constant = (a, b) if isinstance(a, _Plane) else (b, a)
        value = self._constant_of(node, constant).reshape(-1)[0]
        return self._unary(node, plane, lambda v: numpy.maximum(v, value))

    def _min(self, node, a, b):
        plane, constant = (a, b) if isinstance(a, _Plane) else (b, a)
        value = self._constant_of(node, constant).reshape(-1)[0]
        return self._unary(node, plane, lambda v: numpy.minimum(v, value))

    def _hardsigmoid(self, node, x):
        return self._unary(node, x, hard_sigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)))

    def _hardswish(self, node, x):
        return self._unary(node, x, hard_swish)

    def _sigmoid(self, node, x):
        return _Plane(self.builder.final(x.value, "sigmoid", node.name), x.layout)

    def _softmax(self, node, x):
        return _Plane(self.builder.final(x.value, "softmax", node.name), x.layout)

    # ---- Pools ----

    def _globalaveragepool(self, node, x):
        if x.layout != "nchw":
            raise ImportFailure(f"{node.name}: a global pool whose input is not NCHW")
        return _Plane(self.builder.global_pool(x.value, node.name), "pooled")

    def _reducemean(self, node, x, axes=None):
        axes = node.integers("axes") if axes is None else self._constant_of(node, axes).tolist()
        wanted = {"nchw": [2, 3], "nhwc": [1, 2]}.get(x.layout)
        if axes is None or sorted(axis % 4 for axis in axes) != wanted:
            raise ImportFailure(f"{node.name}: a mean that is not a global average pool")
        layout = "pooled" if node.integer("keepdims", 1) and x.layout == "nchw" else "flat"
        return _Plane(self.builder.global_pool(x.value, node.name), layout)

    def _averagepool(self, node, x):
        # What follows a pool of the whole plane needs it to be one pixel, so it is checked there.
        value = self.builder.global_pool(x.value, node.name)
        value.node.window = tuple(node.integers("kernel_shape", []))
        if x.layout != "nchw" or any(self._pads(node)):
            raise ImportFailure(f"{node.name}: an average pool that is not of the whole plane")
        return _Plane(value, "pooled")

    def _maxpool(self, node, x):
        window = node.integers("kernel_shape", [])
        if x.layout != "nchw" or len(window) != 2 or self._pads(node) != (0, 0, 0, 0) \
                or node.integer("ceil_mode", 0):
            raise ImportFailure(f"{node.name}: a max pool with padding")
        return _Plane(self.builder.max_pool(x.value, window, node.integers("strides", [1, 1]),
                                            node.name), x.layout)

    # ---- Shapes ----

    def _pad(self, node, x, pads=None, value=None, axes=None):
        pads = node.integers("pads") if pads is None else self._constant_of(node, pads).tolist()
        fill = node.float("value", 0.0) if value is None else \
            float(self._constant_of(node, value).reshape(-1)[0])
        if fill != 0 or len(pads or []) != 8 or node.text("mode", "constant") != "constant" \
                or axes is not None:
            raise ImportFailure(f"{node.name}: not a padding of an image with zeros")
        before, after = pads[:4], pads[4:]
        rows, columns = {"nchw": (2, 3), "nhwc": (1, 2)}.get(x.layout, (0, 0))
        if any(before[i] or after[i] for i in range(4) if i not in (rows, columns)):
            raise ImportFailure(f"{node.name}: pads something other than rows and columns")
        pads = (before[rows], before[columns], after[rows], after[columns])
        return _Plane(self.builder.pad(x.value, pads, node.name), x.layout)

    def _transpose(self, node, x):
        change = (x.layout, tuple(node.integers("perm", [])))
        layouts = {("nchw", (0, 2, 3, 1)): "nhwc", ("nhwc", (0, 3, 1, 2)): "nchw"}
        if x.layout in ("flat", "pooled"):
            return _Plane(x.value, "flat")
        if change not in layouts:
            raise ImportFailure(f"{node.name}: transposes {x.layout} by {list(change[1])}")
        return _Plane(x.value, layouts[change])

    def _reshaped(self, node, x, *_):
        if x.layout not in ("flat", "pooled"):
            raise ImportFailure(f"{node.name}: {node.operation} of a whole plane; MobileNets have "
                                "a global average pool before it")
        # Either a vector or a plane of one pixel: both are what a 1x1 convolution and a fully
        # connected layer can read.
        return _Plane(x.value, "pooled" if self._ends_with_pixel(node, x, _) else "flat")

    @staticmethod
    def _ends_with_pixel(node, x, arguments):
        shape = arguments[0] if arguments else None
        if node.operation == "Reshape" and isinstance(shape, numpy.ndarray):
            return shape.size == 4 and shape.reshape(-1)[2:].tolist() == [1, 1]
        return node.operation == "Unsqueeze"

    _reshape = _flatten = _squeeze = _unsqueeze = _reshaped

    def _identity(self, node, x, *_):
        return x

    _dropout = _identity

    def _cast(self, node, x):
        if node.integer("to", 1) not in (1, 10, 11):
            raise ImportFailure(f"{node.name}: the image becomes integers")
        return x

    def _shape(self, node, x):
        return UNKNOWN


# ---- Constants ----

def _fold(node, inputs):
    """A node none of whose inputs depend on the image."""
    operation = node.operation
    if any(value is UNKNOWN for value in inputs):
        return UNKNOWN
    if operation == "Constant":
        return _constant(node)
    if any(value is not None and not isinstance(value, numpy.ndarray) for value in inputs):
        raise ImportFailure(f"{node.name}: operation {operation} on something that is no tensor")
    try:
        return _FOLDED[operation](node, *inputs)
    except KeyError:
        raise ImportFailure(f"{node.name}: operation {operation} on constants is not supported") \
            from None
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


def _reshape_constant(node, value, shape):
    shape = [value.shape[i] if size == 0 else int(size)
             for i, size in enumerate(shape.reshape(-1).tolist())]
    return value.reshape(shape)


_FOLDED = {
    "Identity": lambda node, x: x,
    "Reshape": _reshape_constant,
    "Transpose": lambda node, x: x.transpose(node.integers("perm", list(range(x.ndim))[::-1])),
    "Squeeze": lambda node, x, axes=None: numpy.squeeze(x, _axes(node, axes) or None),
    "Unsqueeze": lambda node, x, axes=None: numpy.expand_dims(x, _axes(node, axes)),
    "Cast": lambda node, x: x.astype(_DTYPES[node.integer("to")]),
    "Concat": lambda node, *x: numpy.concatenate(x, node.integer("axis", 0)),
    "Gather": lambda node, x, index: numpy.take(x, index, node.integer("axis", 0)),
    "Shape": lambda node, x: numpy.array(x.shape, numpy.int64),
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": lambda node, a, b: a // b if a.dtype.kind == "i" else a / b,
    "Sqrt": lambda node, x: numpy.sqrt(x),
    "Neg": lambda node, x: -x,
    "Reciprocal": lambda node, x: 1 / x,
    "DequantizeLinear": lambda node, x, scale, zero=None: _dequantize(node, x, scale, zero),
}


def _dequantize(node, x, scale, zero):
    zero = numpy.zeros(1) if zero is None else zero.astype(numpy.float64)
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[node.integer("axis", 1)] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((x.astype(numpy.float64) - zero) * scale).astype(numpy.float32)
