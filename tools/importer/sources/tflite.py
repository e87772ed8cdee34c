"""TensorFlow Lite files, read without TensorFlow: float MobileNets, and quantised ones, whose
weights become floats again."""
import io
import math
import zipfile

import numpy

from .. import check, flatbuffer
from ..errors import ImportFailure
from ..graph import Builder, hard_swish, relu, relu6
from ..imported import from_structure, preprocessing_of
from ..structure import recognise as recognise_structure

NAME = "TensorFlow Lite model"

_TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1", 10: "<f8"}
_OPERATIONS = {
    0: "add", 1: "average_pool", 3: "conv", 4: "depthwise", 6: "dequantize", 9: "fully_connected",
    14: "logistic", 17: "max_pool", 18: "mul", 19: "relu", 21: "relu6", 22: "reshape",
    25: "softmax", 34: "pad", 40: "mean", 41: "sub", 42: "div", 43: "squeeze", 45: "strided_slice",
    70: "expand_dims", 77: "shape", 83: "pack", 114: "quantize", 117: "hard_swish",
}
_SAME, _VALID = 0, 1
_ACTIVATIONS = {0: None, 1: relu, 3: relu6}
_MAX_ELEMENTS = 1 << 28


def recognise(data):
    return data[4:8] == b"TFL3"


def read(data, options):
    graph = _Graph(data)
    output = graph.output(options)
    structure = recognise_structure(output, graph.height, graph.width)
    kind = "quantised, here as floats" if graph.quantised else "float"
    imported = from_structure(structure, f"TensorFlow Lite ({kind})", graph.height, graph.width)
    if graph.image_scale is not None and imported.mean is None:
        scale, zero = graph.image_scale
        imported.mean, imported.std = preprocessing_of((scale,) * 3, (-scale * zero,) * 3)
    imported.exact = not graph.quantised
    imported.labels = _labels(data, imported.classes)
    return imported


def reference(data, imported, options):
    try:
        from ai_edge_litert.interpreter import Interpreter
        runtime = "LiteRT"
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
            runtime = "tflite_runtime"
        except ImportError:
            return "LiteRT is not installed"
    interpreter = Interpreter(model_content=data)

    def run(images):
        shape = (1, *images.shape[1:])
        image = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(image["index"], shape)
        interpreter.allocate_tensors()
        image, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        results = []
        for picture in images:
            interpreter.set_tensor(image["index"], _quantised(picture[None], image))
            interpreter.invoke()
            values = interpreter.get_tensor(output["index"]).astype(numpy.float64)
            scale, zero = output["quantization"]
            results.append((values - zero) * scale if scale else values)
        return numpy.concatenate(results)
    return check.Reference(runtime, run)


def _quantised(values, image):
    scale, zero = image["quantization"]
    if not scale:
        return values.astype(image["dtype"])
    limits = numpy.iinfo(image["dtype"])
    return numpy.clip(numpy.round(values / scale + zero), limits.min, limits.max).astype(
        image["dtype"])


def _labels(data, classes):
    """Class names that are packed into the file, as TensorFlow Lite's metadata has them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".txt") and info.file_size < 1 << 24:
                    lines = archive.read(info).decode("utf-8").rstrip().split("\n")
                    if len(lines) == classes and all(line.strip() for line in lines):
                        return [line.strip() for line in lines]
    except Exception:  # no zip, a damaged one, or no text: there are no labels then
        pass
    return None


class _Constant:
    def __init__(self, values):
        self.values = values


class _Plane:
    """A Value; pooled: of one pixel, or flat."""

    def __init__(self, value, pooled=False):
        self.value, self.pooled = value, pooled


UNKNOWN = object()


class _Graph:
    def __init__(self, data):
        self.data = data
        model = flatbuffer.root(data)
        graphs = model.tables(2)
        if len(graphs) != 1:
            raise ImportFailure(f"{len(graphs)} graphs in one file")
        self.graph = graphs[0]
        self.buffers = model.tables(4)
        self.tensors = self.graph.tables(0)
        self.codes = [max(code.scalar(0, "i8"), code.scalar(3, "i32"))
                      for code in model.tables(1)]
        self.custom = [code.text(1) for code in model.tables(1)]
        self.builder = Builder()
        self.values = {}
        self.quantised = False
        self.image_scale = None
        self.height = self.width = None

    # ---- Tensors ----

    def tensor(self, index):
        if not 0 <= index < len(self.tensors):
            raise ImportFailure(f"malformed file: there is no tensor {index}")
        return self.tensors[index]

    def name(self, index):
        return self.tensor(index).text(3) or f"tensor {index}"

    def value(self, index):
        """A _Plane, a _Constant or None for an absent input."""
        if index == -1:
            return None
        if index not in self.values:
            self.values[index] = self.constant(index)
        return self.values[index]

    def constant(self, index):
        tensor, name = self.tensor(index), self.name(index)
        buffer = tensor.scalar(2, "u32")
        if not 0 < buffer < len(self.buffers):
            raise ImportFailure(f"{name}: used before it is computed")
        kind = tensor.scalar(1, "u8")
        if kind not in _TYPES:
            raise ImportFailure(f"{name}: type {kind} is not supported")
        shape, dtype = tensor.vector(0, "i32"), numpy.dtype(_TYPES[kind])
        raw = self.raw(self.buffers[buffer])
        count = math.prod(shape)
        if any(size < 0 for size in shape) or count > _MAX_ELEMENTS \
                or len(raw) != count * dtype.itemsize:
            raise ImportFailure(f"{name}: {len(raw)} bytes for {dtype.name} {shape}")
        values = numpy.frombuffer(raw, dtype).reshape(shape)
        return _Constant(self.dequantise(tensor, name, values))

    def raw(self, buffer):
        offset, size = buffer.scalar(1, "u64"), buffer.scalar(2, "u64")
        if offset > 1:  # files of more than 2 GB keep their buffers behind the flatbuffer
            return self.data[offset:offset + size]
        return buffer.bytes(0)

    def dequantise(self, tensor, name, values):
        parameters = tensor.table(4)
        scale = [] if parameters is None else parameters.vector(2, "f32")
        if not scale:
            return values
        self.quantised = True
        zero = parameters.vector(3, "i64") or [0]
        axis = parameters.scalar(6, "i32")
        if len(scale) == 1:
            return (values.astype(numpy.float64) - zero[0]) * scale[0]
        if not 0 <= axis < values.ndim or len(scale) != values.shape[axis] \
                or len(zero) not in (1, len(scale)):
            raise ImportFailure(f"{name}: {len(scale)} scales for shape {list(values.shape)}")
        shape = [1] * values.ndim
        shape[axis] = -1
        zero = numpy.broadcast_to(numpy.array(zero, numpy.float64), len(scale))
        return (values.astype(numpy.float64) - zero.reshape(shape)) * \
            numpy.array(scale).reshape(shape)

    # ---- The graph ----

    def output(self, options):
        inputs, outputs = self.graph.vector(1, "i32"), self.graph.vector(2, "i32")
        if len(inputs) != 1 or len(outputs) != 1:
            raise ImportFailure(f"{len(inputs)} inputs and {len(outputs)} outputs, expected one of "
                                "each")
        shape = self.tensor(inputs[0]).vector(0, "i32")
        if len(shape) != 4 or shape[3] != 3:
            raise ImportFailure(f"input {self.name(inputs[0])} has shape {shape}, expected an "
                                "image of 3 channels")
        signature = self.tensor(inputs[0]).vector(7, "i32") or shape
        fixed = [size if sign > 0 else None for size, sign in zip(shape, signature)]
        default = options.resolution or (224, 224)
        self.height, self.width = fixed[1] or default[0], fixed[2] or default[1]
        self.values[inputs[0]] = _Plane(self.builder.input(self.name(inputs[0]), 3))
        self.image(self.tensor(inputs[0]))
        for operator in self.graph.tables(3):
            self.run(operator)
        result = self.values.get(outputs[0])
        if not isinstance(result, _Plane):
            raise ImportFailure("its output does not depend on the image")
        return result.value

    def image(self, tensor):
        """What a quantised input stands for."""
        parameters, kind = tensor.table(4), tensor.scalar(1, "u8")
        scale = [] if parameters is None else parameters.vector(2, "f32")
        if len(scale) == 1 and kind in (3, 9):
            zero = (parameters.vector(3, "i64") or [0])[0] + (128 if kind == 9 else 0)
            self.image_scale = scale[0], zero

    def run(self, operator):
        index = operator.scalar(0, "u32")
        if index >= len(self.codes):
            raise ImportFailure(f"malformed file: there is no operator code {index}")
        code = self.codes[index]
        outputs = operator.vector(2, "i32")
        if len(outputs) != 1:
            raise ImportFailure(f"an operator with {len(outputs)} outputs is in no MobileNet")
        name = self.name(outputs[0])
        operation = _OPERATIONS.get(code)
        if operation is None:
            raise ImportFailure(f"{name}: operation {self.custom[index] or f'number {code}'} is in "
                                "no MobileNet")
        inputs = [self.values.get(i) if self.values.get(i) is UNKNOWN else self.value(i)
                  for i in operator.vector(1, "i32")]
        node = _Operator(name, operator.table(4), inputs)
        self.values[outputs[0]] = self.compute(operation, node)

    def compute(self, operation, node):
        if not any(isinstance(value, _Plane) for value in node.inputs):
            if operation in ("dequantize", "quantize") and node.inputs:
                return node.inputs[0]  # constants are dequantised as they are read
            return UNKNOWN  # arithmetic on shapes
        return getattr(self, "op_" + operation)(node)

    def activate(self, node, value, field):
        kind = node.option(field, "u8")
        if kind not in _ACTIVATIONS:
            raise ImportFailure(f"{node.name}: fused activation {kind} is in no MobileNet")
        function = _ACTIVATIONS[kind]
        return value if function is None else self.builder.unary(value, function, node.name)

    # ---- Convolutions, fully connected layers ----

    def pads(self, node):
        return "same" if node.option(0, "u8") == _SAME else (0, 0, 0, 0)

    def op_conv(self, node):
        plane, weight, bias = node.plane(0), node.constant(1), node.constant(2)
        if weight.ndim != 4 or node.option(4, "i32", 1) != 1 or node.option(5, "i32", 1) != 1:
            raise ImportFailure(f"{node.name}: not a plain 2-d convolution")
        strides = node.option(2, "i32"), node.option(1, "i32")
        value = self.builder.conv(plane.value, weight.transpose(0, 3, 1, 2), bias, strides,
                                  self.pads(node), 1, node.name)
        return _Plane(self.activate(node, value, 3), plane.pooled)

    def op_depthwise(self, node):
        plane, weight, bias = node.plane(0), node.constant(1), node.constant(2)
        channels = plane.value.channels
        if weight.ndim != 4 or weight.shape[3] != channels or node.option(5, "i32", 1) != 1 \
                or node.option(6, "i32", 1) != 1:
            raise ImportFailure(f"{node.name}: not a plain depthwise convolution: weights "
                                f"{list(weight.shape)} for {channels} channels")
        strides = node.option(2, "i32"), node.option(1, "i32")
        value = self.builder.conv(plane.value, weight.transpose(3, 0, 1, 2), bias, strides,
                                  self.pads(node), channels, node.name)
        return _Plane(self.activate(node, value, 4), plane.pooled)

    def op_fully_connected(self, node):
        plane = node.plane(0)
        if not plane.pooled:
            raise ImportFailure(f"{node.name}: a fully connected layer on a whole plane; "
                                "MobileNets have a global average pool before it")
        value = self.builder.dense(plane.value, node.constant(1), node.constant(2), node.name)
        return _Plane(self.activate(node, value, 0), True)

    # ---- Elementwise ----

    def binary(self, node, both, with_constant):
        a, b = node.inputs[0], node.inputs[1]
        if isinstance(a, _Plane) and isinstance(b, _Plane):
            value = both(a.value, b.value)
        else:
            swapped = isinstance(b, _Plane)
            plane = b if swapped else a
            constant = node.constant(0 if swapped else 1)
            if constant.size not in (1, constant.shape[-1] if constant.ndim else 1):
                raise ImportFailure(f"{node.name}: a constant of shape {list(constant.shape)} is "
                                    "not one number per channel")
            value = with_constant(plane.value, constant.reshape(-1), swapped)
        planes = [v for v in (a, b) if isinstance(v, _Plane)]
        return _Plane(self.activate(node, value, 0), all(plane.pooled for plane in planes))

    def op_add(self, node):
        return self.binary(node, lambda x, y: self.builder.add(x, y, node.name),
                           lambda x, c, _: self.builder.scale_shift(x, 1.0, c, node.name))

    def op_mul(self, node):
        return self.binary(node, lambda x, y: self.builder.multiply(x, y, node.name),
                           lambda x, c, _: self.builder.scale_shift(x, c, 0.0, node.name))

    def op_sub(self, node):
        return self.binary(node, node.refuse, lambda x, c, swapped: self.builder.scale_shift(
            x, *((-1.0, c) if swapped else (1.0, -c)), node.name))

    def op_div(self, node):
        def with_constant(x, c, swapped):
            if swapped or not numpy.all(c):
                raise ImportFailure(f"{node.name}: a division that is not by a constant")
            return self.builder.scale_shift(x, 1.0 / c, 0.0, node.name)
        return self.binary(node, node.refuse, with_constant)

    def unary(self, node, function):
        plane = node.plane(0)
        return _Plane(self.builder.unary(plane.value, function, node.name), plane.pooled)

    def op_relu(self, node):
        return self.unary(node, relu)

    def op_relu6(self, node):
        return self.unary(node, relu6)

    def op_hard_swish(self, node):
        return self.unary(node, hard_swish)

    def op_softmax(self, node):
        return _Plane(self.builder.final(node.plane(0).value, "softmax", node.name), True)

    def op_logistic(self, node):
        return _Plane(self.builder.final(node.plane(0).value, "sigmoid", node.name), True)

    def op_quantize(self, node):
        self.quantised = True
        return node.inputs[0]

    def op_dequantize(self, node):
        return node.inputs[0]

    # ---- Pools and shapes ----

    def op_mean(self, node):
        axes = node.constant(1).reshape(-1).tolist()
        if sorted(axis % 4 for axis in axes) != [1, 2]:
            raise ImportFailure(f"{node.name}: a mean that is not a global average pool")
        return _Plane(self.builder.global_pool(node.plane(0).value, node.name), True)

    def op_average_pool(self, node):
        value = self.builder.global_pool(node.plane(0).value, node.name)
        value.node.window = node.option(4, "i32"), node.option(3, "i32")
        return _Plane(self.activate(node, value, 5), True)

    def op_max_pool(self, node):
        if node.option(0, "u8") != _VALID:
            raise ImportFailure(f"{node.name}: a max pool with padding")
        value = self.builder.max_pool(
            node.plane(0).value, (node.option(4, "i32"), node.option(3, "i32")),
            (node.option(2, "i32"), node.option(1, "i32")), node.name)
        return _Plane(self.activate(node, value, 5))

    def op_pad(self, node):
        pads = node.constant(1).reshape(-1).tolist()
        if len(pads) != 8 or any(pads[:2]) or any(pads[6:]):
            raise ImportFailure(f"{node.name}: pads something other than rows and columns")
        pads = (pads[2], pads[4], pads[3], pads[5])
        return _Plane(self.builder.pad(node.plane(0).value, pads, node.name))

    def op_reshape(self, node):
        plane = node.plane(0)
        if not plane.pooled:
            raise ImportFailure(f"{node.name}: reshapes a whole plane; MobileNets have a global "
                                "average pool before that")
        return plane

    op_squeeze = op_expand_dims = op_reshape

    def op_shape(self, node):
        return UNKNOWN

    def op_strided_slice(self, node):
        node.refuse()

    op_pack = op_strided_slice


class _Operator:
    def __init__(self, name, options, inputs):
        self.name, self.options, self.inputs = name, options, inputs

    def option(self, field, kind, default=0):
        return default if self.options is None else self.options.scalar(field, kind, default)

    def plane(self, index):
        if index < len(self.inputs) and isinstance(self.inputs[index], _Plane):
            return self.inputs[index]
        raise ImportFailure(f"{self.name}: its input does not depend on the image")

    def constant(self, index):
        """The values of a constant input, None where there is none."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            return None
        if not isinstance(value, _Constant):
            raise ImportFailure(f"{self.name}: weights that are computed")
        return value.values

    def refuse(self, *_):
        raise ImportFailure(f"{self.name}: this operation on planes is in no MobileNet")
