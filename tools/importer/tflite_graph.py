"""From a TensorFlow Lite graph to a graph of the Builder."""
import math

import numpy

from . import flatbuffer, plane, tflite_names
from .errors import ImportFailure
from .graph import Builder, Resizing, cut_off, hard_swish, relu, relu6
from .plane import Plane
from .tflite_integers import Integers, throughout

_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "int64": "<i8",
           "bool": "?", "int16": "<i2", "int8": "i1", "float64": "<f8", "uint32": "<u4",
           "uint16": "<u2"}
_FLOATS = ("float32", "float16", "float64", "bfloat16")
_SAME = 0
_ACTIVATIONS = {"none": None, "relu": relu, "relu6": relu6}
_MAX_ELEMENTS = 1 << 28
_MOST_OUTPUTS = 100


class _Constant:
    def __init__(self, values):
        self.values = values


UNKNOWN = object()


class Graph:
    """output: the Value of the output that was asked for; number: which of the outputs it is;
    height, width: of the image; fixed: whether the file says so; type: of its elements;
    image_scale: (scale, zero point) of a quantised one, whose bytes are taken as unsigned."""

    def __init__(self, data, options):
        self.data = data
        model = flatbuffer.root(data)
        graphs = model.tables(2)
        if len(graphs) != 1:
            raise ImportFailure(f"{len(graphs)} graphs in one file")
        self.model, self.graph = model, graphs[0]
        self.buffers = model.tables(4)
        self.tensors = self.graph.tables(0)
        self.codes = [max(code.scalar(0, "i8"), code.scalar(3, "i32"))
                      for code in model.tables(1)]
        self.custom = [code.text(1) for code in model.tables(1)]
        self.builder = Builder()
        self.values = {}
        self.quantised = self.fixed = False
        self.integers = None
        self.image_scale = None
        self.height = self.width = None
        self.output = self.walk(options)

    # ---- Tensors ----

    def tensor(self, index):
        if not 0 <= index < len(self.tensors):
            raise ImportFailure(f"malformed file: there is no tensor {index}")
        return self.tensors[index]

    def name(self, index):
        return self.tensor(index).text(3) or f"tensor {index}"

    def value(self, index):
        """A Plane, a _Constant or None for an absent input."""
        if index == -1:
            return None
        if index not in self.values:
            self.values[index] = self.constant(index)
        return self.values[index]

    def numbers(self, index):
        """A constant as it is stored."""
        tensor, name = self.tensor(index), self.name(index)
        buffer = tensor.scalar(2, "u32")
        if not 0 < buffer < len(self.buffers):
            raise ImportFailure(f"{name}: used before it is computed")
        kind = self.type_of(index)
        if kind not in _DTYPES:
            raise ImportFailure(f"{name}: its values are {kind}, which is not supported")
        shape, dtype = tensor.vector(0, "i32"), numpy.dtype(_DTYPES[kind])
        raw = self.raw(self.buffers[buffer])
        # A product of thousands of sizes takes minutes.
        if len(shape) > 8 or any(size < 0 for size in shape) or math.prod(shape) > _MAX_ELEMENTS \
                or len(raw) != math.prod(shape) * dtype.itemsize:
            raise ImportFailure(f"{name}: {len(raw)} bytes for {dtype.name} {shape[:9]}")
        values = numpy.frombuffer(raw, dtype).reshape(shape)
        return values

    def constant(self, index):
        return _Constant(self.dequantise(index, self.numbers(index)))

    def raw(self, buffer):
        offset, size = buffer.scalar(1, "u64"), buffer.scalar(2, "u64")
        if offset > 1:  # files of more than 2 GB keep their buffers behind the flatbuffer
            return self.data[offset:offset + size]
        return buffer.bytes(0)

    def scales(self, index):
        parameters = self.tensor(index).table(4)
        return [] if parameters is None else parameters.vector(2, "f32")

    def dequantise(self, index, values):
        tensor, name = self.tensor(index), self.name(index)
        parameters, scale = tensor.table(4), self.scales(index)
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

    def walk(self, options):
        inputs, outputs = self.graph.vector(1, "i32"), self.graph.vector(2, "i32")
        operators = self.graph.tables(3)
        needed = self.choose(inputs, outputs, operators, options.source_output)
        images = [index for index in inputs if index in needed]
        if len(images) != 1:
            raise ImportFailure(f"its output depends on {len(images)} inputs, expected one")
        operators = [operator for operator in operators
                     if not needed.isdisjoint(operator.vector(2, "i32"))]
        if throughout(self, operators) and not options.dequantise:
            self.integers = Integers(self, options.rescale or "float")
        self.image(images[0], options)
        for operator in operators:
            self.run(operator)
        result = self.values.get(outputs[self.number])
        if not isinstance(result, Plane):
            raise ImportFailure("its output does not depend on the image")
        return result.value

    def choose(self, inputs, outputs, operators, wanted):
        """Sets the number of the output; returns the tensors that it depends on."""
        makers = {index: operator for operator in operators
                  for index in operator.vector(2, "i32")}

        def needs(output):
            seen, stack = set(), [output]
            while stack:
                index = stack.pop()
                if index not in seen:
                    seen.add(index)
                    stack += makers[index].vector(1, "i32") if index in makers else []
            return seen
        if len(outputs) > _MOST_OUTPUTS:
            raise ImportFailure(f"{len(outputs)} outputs: no MobileNet has as many")
        needed = [needs(index) for index in outputs]
        names = [self.output_names(index) for index in outputs]
        found = [i for i, tensors in enumerate(needed) if tensors & set(inputs)]
        listed = ", ".join(names[i][0] for i in found)
        if wanted is not None:
            chosen = [i for i in found if wanted in names[i]]
            if not chosen:
                raise ImportFailure(f"--output {wanted}: its outputs are {listed}")
            found = chosen[:1]
        if len(found) != 1:
            raise ImportFailure(f"{len(found)} outputs, expected one: {listed} (--output NAME "
                                "chooses)" if found else "none of its outputs depends on an image")
        self.number = found[0]
        return needed[found[0]]

    def output_names(self, index):
        """As its signature calls it, if it has one, and the tensor's own."""
        signed = [entry.text(0) for signature in self.model.tables(7)
                  for entry in signature.tables(1) if entry.scalar(1, "u32") == index]
        return [*signed, self.name(index)]

    def type_of(self, index):
        return tflite_names.name(tflite_names.TYPES, self.tensor(index).scalar(1, "u8"))

    def image(self, index, options):
        tensor = self.tensor(index)
        shape = tensor.vector(0, "i32")
        signature = tensor.vector(7, "i32") or shape
        sizes = [size if sign > 0 else -1 for size, sign in zip(shape, signature)]
        self.values[index], height, width = plane.image(self.builder, self.name(index), sizes)
        if self.integers is not None:
            self.integers.image(self.values[index].value, index)
        self.fixed = height is not None and width is not None
        default = options.resolution or (224, 224)
        self.height, self.width = height or default[0], width or default[1]
        self.type = self.type_of(index)
        scale = self.scales(index)
        if len(scale) == 1 and self.type in ("uint8", "int8"):
            zero = (tensor.table(4).vector(3, "i64") or [0])[0]
            self.image_scale = scale[0], zero + (128 if self.type == "int8" else 0)

    def operation(self, operator):
        index = operator.scalar(0, "u32")
        if index >= len(self.codes):
            raise ImportFailure(f"malformed file: there is no operator code {index}")
        return tflite_names.name(tflite_names.OPERATIONS, self.codes[index])

    def run(self, operator):
        operation = self.operation(operator)
        outputs = operator.vector(2, "i32")
        if not outputs:
            raise ImportFailure(f"{operation}: an operation without outputs is in no MobileNet")
        name = self.name(outputs[0])
        inputs = [self.values.get(i) if self.values.get(i) is UNKNOWN else self.value(i)
                  for i in operator.vector(1, "i32")]
        node = _Operator(name, operator.table(4), inputs, operator.vector(1, "i32"), outputs)
        result = self.compute(operation, self.custom[operator.scalar(0, "u32")], node)
        results = result if isinstance(result, list) else [result]
        if len(results) != len(outputs):
            raise ImportFailure(f"{name}: {operation} with {len(outputs)} outputs is in no "
                                "MobileNet")
        self.values.update(zip(outputs, results))

    def compute(self, operation, custom, node):
        planes = [value for value in node.inputs if isinstance(value, Plane)]
        if not planes:
            if operation in ("DEQUANTIZE", "QUANTIZE") and node.inputs:
                return node.inputs[0]  # constants are dequantised as they are read
            return [UNKNOWN] * len(node.outputs)  # arithmetic on shapes
        method = getattr(self, "op_" + operation.lower(), None)
        if method is None:
            raise ImportFailure(f"{node.name}: operation {custom or operation} is in no MobileNet")
        if any(p.partial for p in planes) and operation not in ("MEAN", "REDUCE_MAX"):
            raise ImportFailure(f"{node.name}: {operation} between the two halves of a global pool")
        result = method(node)
        if self.integers is None or result is UNKNOWN:
            return result
        return self.integers.follow(operation, node, result)

    def activate(self, node, value, field):
        kind = tflite_names.name(tflite_names.FUSED, node.option(field, "u8"))
        if kind not in _ACTIVATIONS:
            raise ImportFailure(f"{node.name}: fused activation {kind} is in no MobileNet")
        function = _ACTIVATIONS[kind]
        return value if function is None else self.builder.unary(value, function, node.name)

    def cut_off(self, node, value):
        scale, kind = self.scales(node.outputs[0]), self.type_of(node.outputs[0])
        if len(scale) != 1 or kind not in ("uint8", "int8"):
            return value
        zeros = self.tensor(node.outputs[0]).table(4).vector(3, "i64") or [0]
        if zeros[0] != numpy.iinfo(kind).min:
            return value
        return self.builder.unary(value, cut_off(255 * scale[0]), node.name)

    # ---- Convolutions, fully connected layers ----

    def pads(self, node):
        return "same" if node.option(0, "u8") == _SAME else (0, 0, 0, 0)

    def image_plane(self, node):
        x = node.plane(0)
        if len(x.axes) != 4 or x.axes[3] != "c":
            raise ImportFailure(f"{node.name}: a convolution or pool whose input is not NHWC")
        return x

    def op_conv_2d(self, node):
        x, weight, bias = self.image_plane(node), node.weight(), node.constant(2)
        if weight.ndim != 4 or node.option(4, "i32", 1) != 1 or node.option(5, "i32", 1) != 1:
            raise ImportFailure(f"{node.name}: not a plain 2-d convolution")
        strides = node.option(2, "i32"), node.option(1, "i32")
        groups = max(1, x.value.channels // max(1, weight.shape[3]))
        value = self.builder.conv(x.value, weight.transpose(0, 3, 1, 2), bias, strides,
                                  self.pads(node), groups, node.name)
        return x.with_value(self.cut_off(node, self.activate(node, value, 3)))

    def op_depthwise_conv_2d(self, node):
        x, weight, bias = self.image_plane(node), node.weight(), node.constant(2)
        channels = x.value.channels
        if weight.ndim != 4 or weight.shape[3] != channels or node.option(5, "i32", 1) != 1 \
                or node.option(6, "i32", 1) != 1:
            raise ImportFailure(f"{node.name}: not a plain depthwise convolution: weights "
                                f"{list(weight.shape)} for {channels} channels")
        strides = node.option(2, "i32"), node.option(1, "i32")
        value = self.builder.conv(x.value, weight.transpose(3, 0, 1, 2), bias, strides,
                                  self.pads(node), channels, node.name)
        return x.with_value(self.cut_off(node, self.activate(node, value, 4)))

    def op_fully_connected(self, node):
        x = node.plane(0)
        if not x.is_vector:
            x = plane.reshape(self.builder, x, None, node.name)
        value = self.builder.dense(x.value, node.weight(), node.constant(2), node.name)
        return Plane(self.activate(node, value, 0), x.axes if node.option(2, "u8") else "nc")

    def op_batch_matmul(self, node):
        x, weight = node.plane(0), node.weight()
        if weight.ndim != 2 or not x.is_vector or x.axes[-1] != "c" or node.option(0, "u8"):
            raise ImportFailure(f"{node.name}: a matrix product that is no fully connected layer")
        weight = weight if node.option(1, "u8") else weight.T
        return x.with_value(self.builder.dense(x.value, weight, None, node.name))

    # ---- Elementwise ----

    def binary(self, node, both, with_constant):
        if len(node.inputs) != 2:
            raise ImportFailure(f"{node.name}: {len(node.inputs)} inputs, expected 2")
        a, b = node.inputs
        if isinstance(a, Plane) and isinstance(b, Plane):
            result = Plane(both(a.value, b.value), plane.combined(a, b))
        else:
            swapped = isinstance(b, Plane)
            x, constant = (b, node.constant(0)) if swapped else (a, node.constant(1))
            if constant is None:
                raise ImportFailure(f"{node.name}: an operation without its second input")
            result = x.with_value(with_constant(
                x.value, plane.per_channel(x, constant, node.name), swapped))
        return result.with_value(self.activate(node, result.value, 0))

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
        x = node.plane(0)
        return x.with_value(self.builder.unary(x.value, function, node.name))

    def op_neg(self, node):
        x = node.plane(0)
        return x.with_value(self.builder.scale_shift(x.value, -1.0, 0.0, node.name))

    def op_relu(self, node):
        return self.unary(node, relu)

    def op_relu6(self, node):
        return self.unary(node, relu6)

    def op_relu_0_to_1(self, node):
        return self.unary(node, lambda v: numpy.clip(v, 0.0, 1.0))

    def op_hard_swish(self, node):
        return self.unary(node, hard_swish)

    def extreme(self, node, function):
        swapped = isinstance(node.inputs[-1], Plane)
        constant = node.constant(0 if swapped else 1)
        if constant is None or constant.size != 1:
            raise ImportFailure(f"{node.name}: a maximum or minimum with more than one number")
        number = float(constant.reshape(()))
        x = node.plane(1 if swapped else 0)
        return x.with_value(self.builder.unary(x.value, lambda v: function(v, number), node.name))

    def op_maximum(self, node):
        return self.extreme(node, numpy.maximum)

    def op_minimum(self, node):
        return self.extreme(node, numpy.minimum)

    def over_classes(self, node, kind):
        x = node.plane(0)
        if kind != "sigmoid" and (not x.is_vector or x.axes[-1] != "c"):
            raise ImportFailure(f"{node.name}: a softmax that is not over the classes")
        return x.with_value(self.builder.final(x.value, kind, node.name))

    def op_softmax(self, node):
        beta = node.option(0, "f32", 0.0)
        if beta not in (0.0, 1.0):  # some writers leave it out
            x = node.plane(0)
            node.inputs[0] = x.with_value(self.builder.scale_shift(x.value, beta, 0.0, node.name))
        return self.over_classes(node, "softmax")

    def op_log_softmax(self, node):
        return self.over_classes(node, "log_softmax")

    def op_logistic(self, node):
        return self.over_classes(node, "sigmoid")

    def op_quantize(self, node):
        self.quantised = True
        return node.inputs[0]

    def op_dequantize(self, node):
        return node.inputs[0]

    def op_cast(self, node):
        kind = self.type_of(node.outputs[0])
        if kind not in _FLOATS:
            raise ImportFailure(f"{node.name}: the image becomes {kind}")
        return node.plane(0)

    # ---- Pools and shapes ----

    def reduced(self, node, maximum):
        axes = node.integers(1)
        return plane.reduce(self.builder, node.plane(0), axes, node.option(0, "u8"), maximum,
                            node.name)

    def op_mean(self, node):
        return self.reduced(node, False)

    def op_reduce_max(self, node):
        return self.reduced(node, True)

    def op_average_pool_2d(self, node):
        value = self.builder.average_pool(
            self.image_plane(node).value, (node.option(4, "i32"), node.option(3, "i32")),
            (node.option(2, "i32"), node.option(1, "i32")), self.pads(node) == "same", node.name)
        return Plane(self.activate(node, value, 5), "n11c")

    def op_max_pool_2d(self, node):
        x = self.image_plane(node)
        value = self.builder.max_pool(
            x.value, (node.option(4, "i32"), node.option(3, "i32")),
            (node.option(2, "i32"), node.option(1, "i32")), node.name, self.pads(node))
        return x.with_value(self.activate(node, value, 5))

    def op_pad(self, node):
        x, pads = node.plane(0), node.integers(1)
        fill = node.constant(2)
        if len(pads) != 2 * len(x.axes) or fill is not None and numpy.any(fill):
            raise ImportFailure(f"{node.name}: not a padding of an image with zeros")
        around = {letter: of for letter, *of in zip(x.axes, pads[::2], pads[1::2]) if any(of)}
        if set(around) - set("hw"):
            raise ImportFailure(f"{node.name}: pads something other than rows and columns")
        (top, bottom), (left, right) = around.get("h", (0, 0)), around.get("w", (0, 0))
        return x.with_value(self.builder.pad(x.value, (top, left, bottom, right), node.name))

    op_padv2 = op_pad

    def op_reshape(self, node):
        shape = node.inputs[1] if len(node.inputs) > 1 else None
        if isinstance(shape, _Constant):
            shape = node.integers(1)
        elif shape is None and node.options is not None:
            shape = node.options.vector(0, "i32") or None
        else:
            shape = None
        return plane.reshape(self.builder, node.plane(0), shape, node.name)

    def op_squeeze(self, node):
        axes = [] if node.options is None else node.options.vector(0, "i32")
        return plane.squeeze(self.builder, node.plane(0), axes or None, node.name)

    def op_expand_dims(self, node):
        return plane.unsqueeze(node.plane(0), node.integers(1), node.name)

    def op_transpose(self, node):
        return plane.transpose(node.plane(0), node.integers(1), node.name)

    def op_shape(self, node):
        return UNKNOWN

    # ---- Of the image ----

    def channels(self, node, x, axis, numbers):
        if not -len(x.axes) <= axis < len(x.axes) or x.axes[axis] != "c":
            raise ImportFailure(f"{node.name}: takes a part of the image or the batch")
        return x.with_value(self.builder.select(x.value, numbers, node.name))

    def op_strided_slice(self, node):
        x = node.plane(0)
        begin, end, step = (node.integers(i) for i in (1, 2, 3))
        begins, ends, *others = (node.option(i, "i32") for i in range(5))
        if any(others) or not len(begin) == len(end) == len(step) <= len(x.axes):
            node.refuse()
        for axis, (low, high, by) in enumerate(zip(begin, end, step)):
            low = None if begins >> axis & 1 else low
            high = None if ends >> axis & 1 else high
            if x.axes[axis] == "c" and by:
                x = self.channels(node, x, axis, numpy.arange(x.value.channels)[low:high:by])
            elif (low or 0, high, by) != (0, None, 1):
                raise ImportFailure(f"{node.name}: takes a part of the image or the batch")
        return x

    def op_reverse_v2(self, node):
        x = node.plane(0)
        for axis in node.integers(1):
            x = self.channels(node, x, axis, numpy.arange(x.value.channels)[::-1])
        return x

    def op_gather(self, node):
        return self.channels(node, node.plane(0), node.option(0, "i32"), node.integers(1))

    def op_split(self, node):
        x, axis = node.plane(1), next(iter(node.integers(0)), 0)
        parts = numpy.array_split(numpy.arange(x.value.channels), max(1, len(node.outputs)))
        return [self.channels(node, x, axis, part) for part in parts]

    def op_concatenation(self, node):
        planes = [node.plane(i) for i in range(len(node.inputs))]
        axis = node.option(0, "i32")
        if any(x.axes != planes[0].axes for x in planes) \
                or not -len(planes[0].axes) <= axis < len(planes[0].axes) or planes[0].axes[axis] != "c":
            node.refuse()
        value = self.builder.concatenate([x.value for x in planes], node.name)
        return planes[0].with_value(self.activate(node, value, 1))

    def op_tile(self, node):
        x, times = node.plane(0), node.integers(1)
        by_letter = dict(zip(x.axes, times))
        repeat = by_letter.pop("c", 1)
        if len(times) != len(x.axes) or any(size != 1 for size in by_letter.values()) \
                or not 1 <= repeat <= 4:
            node.refuse()
        return self.channels(node, x, x.index("c"),
                             numpy.tile(numpy.arange(x.value.channels), repeat))

    def resized(self, node, interpolation, corners, half):
        x, size = node.plane(0), node.integers(1)
        if x.axes != "nhwc" or len(size) != 2:
            node.refuse()
        if corners or not half:
            raise ImportFailure(f"{node.name}: resizes the image as TensorFlow 1 does ("
                                + ("align_corners" if corners else "not half_pixel_centers")
                                + "), which no preprocessing here does: export it without")
        return x.with_value(self.builder.resize(
            x.value, Resizing(size[0], size[1], interpolation), node.name))

    def op_resize_bilinear(self, node):
        return self.resized(node, "bilinear", node.option(2, "u8"), node.option(3, "u8"))

    def op_resize_nearest_neighbor(self, node):
        return self.resized(node, "nearest", node.option(0, "u8"), node.option(1, "u8"))


class _Operator:
    """indices: of the tensors that its inputs are."""

    def __init__(self, name, options, inputs, indices, outputs):
        self.name, self.options = name, options
        self.inputs, self.indices, self.outputs = inputs, indices, outputs

    def option(self, field, kind, default=0):
        return default if self.options is None else self.options.scalar(field, kind, default)

    def plane(self, index):
        if index < len(self.inputs) and isinstance(self.inputs[index], Plane):
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

    def weight(self):
        """The second input, of a layer."""
        values = self.constant(1)
        if values is None:
            raise ImportFailure(f"{self.name}: a layer without weights")
        return values

    def integers(self, index):
        """A constant input of axes, sizes and the like."""
        values = self.constant(index)
        if values is None or values.dtype.kind not in "iu":
            raise ImportFailure(f"{self.name}: its input {index} is not there, or no integers")
        return values.reshape(-1).tolist()

    def refuse(self, *_):
        raise ImportFailure(f"{self.name}: this operation on planes is in no MobileNet")
