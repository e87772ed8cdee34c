"""From an ONNX graph to a graph of the Builder."""
import math

import numpy

from . import onnx_constant, onnx_integers, onnx_resize, onnx_tensor, plane
from .errors import ImportFailure
from .graph import Builder, hard_sigmoid, hard_swish, relu
from .onnx_qlinear import QLinear
from .plane import Plane

UNKNOWN = onnx_constant.UNKNOWN
# Beyond any size: converters have various large numbers for "as far as it goes".
_FAR = 1 << 20
# Bytes of constants that may be computed, and how often those that are there may be.
_COMPUTED, _TIMES = 64 << 20, 32
# Some hundred nodes, thrice that where they are quantised, and few outputs, with every training head.
_MOST = {"nodes": 20_000, "outputs": 100}
_FLOATS = ("float32", "float16", "float64", "bfloat16")
# Operations whose image may be another input than the first.
_EITHER = ("Add", "Sub", "Mul", "Div", "Max", "Min", "com.microsoft.QLinearAdd",
           "com.microsoft.QLinearMul")
_QUANTISED = "computes with integers: import the graph from before it was quantised"
# Of operations, or of what they begin with, that no MobileNet has: what to do about them.
_REMEDIES = (
    ("com.microsoft.nchwc.", "is ONNX Runtime's own: import the graph from before it was optimised"),
    ("com.microsoft.Fused", "is ONNX Runtime's own: import the graph from before it was optimised"),
    ("QLinear", _QUANTISED), ("com.microsoft.QLinear", _QUANTISED), ("ConvInteger", _QUANTISED),
    ("MatMulInteger", _QUANTISED), ("DynamicQuantize", _QUANTISED),
    ("ArgMax", "picks a class: export the network without it"),
    ("TopK", "picks classes: export the network without it"),
)


class _Node:
    def __init__(self, message, folder):
        self.folder = folder
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
        return None if message is None else onnx_tensor.tensor(message, self.folder)[1]


class Graph(QLinear):
    """output: the Value of the output that was asked for; number: which of the outputs it is;
    height, width: of the image; fixed: whether the file says so; type: of its elements; exact: it
    computes with floats of 32 bits; integers: an onnx_integers.Integers, where the graph is
    quantised and they are asked for; notes: what is not as the source does it."""

    def __init__(self, model, options, integers=False):
        graph = model.message(7)
        if graph is None:
            raise ImportFailure("an ONNX model without a graph")
        self.opset = max((entry.integer(2) for entry in model.messages(8)
                          if entry.text(1) in ("", "ai.onnx")), default=1)
        folder = onnx_tensor.Folder(options.source)
        self.builder, self.values = Builder(), {}
        self.exact, self.height, self.width, self.fixed = True, None, None, False
        self.type, self.notes = "float32", []
        self.of_torch = model.text(2) == "pytorch"
        self.whole = False  # the image's pixels are whole numbers still
        for message in graph.messages(5):
            name, array = onnx_tensor.tensor(message, folder)
            self.values[name] = array
        for what, count in (("nodes", len(graph.fields.get(1, ()))),
                            ("outputs", len(graph.fields.get(12, ())))):
            if count > _MOST[what]:
                raise ImportFailure(f"{count} {what}: no MobileNet has as many")
        self.left = _COMPUTED + _TIMES * sum(array.nbytes for array in self.values.values())
        self.nodes = [_Node(message, folder) for message in graph.messages(1)]
        for node in self.nodes:
            if not node.outputs:
                raise ImportFailure(f"{node.operation}: an operation without outputs is in no "
                                    "MobileNet")
        self.makers = {name: node for node in self.nodes for name in node.outputs if name}
        self._pass_by_casts()
        self.readers = {}
        for node in self.nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)
        self.quantised = onnx_integers.among(self.nodes)
        self.integers = onnx_integers.Integers(self) if integers and self.quantised else None
        self.outputs = [message.text(1) for message in graph.messages(12)]
        inputs = {message.text(1): message for message in graph.messages(11)
                  if message.text(1) not in self.values}
        needed = self._choose(set(inputs), options.source_output)
        images = [name for name in inputs if name in needed]
        if len(images) != 1:
            raise ImportFailure(f"its output depends on {len(images)} inputs, expected one: "
                                + ", ".join(images))
        self._input(images[0], inputs[images[0]], options)
        for node in self.nodes:
            if not needed.isdisjoint(node.outputs):
                self._run(node)
        result = self.values.get(self.outputs[self.number])
        if not isinstance(result, Plane):
            raise ImportFailure("its output does not depend on the image")
        self.output = result.value

    def _pass_by_casts(self):
        """torch writes a Cast behind each QuantizeLinear, to the type that its numbers have."""
        same = {}
        for node in self.nodes:
            node.inputs = [same.get(name, name) for name in node.inputs]
            maker = self.makers.get(node.inputs[0]) if node.inputs else None
            if node.operation == "Cast" and maker is not None \
                    and maker.operation == "QuantizeLinear" \
                    and onnx_tensor.type_name(node.integer("to", 1)) == self._quantised_as(maker):
                same[node.outputs[0]] = node.inputs[0]

    def _quantised_as(self, node):
        """The type of a QuantizeLinear's numbers, that of its zero point."""
        name = node.inputs[2] if len(node.inputs) > 2 else ""
        maker = self.makers.get(name)
        zero = self.values.get(name) if maker is None else maker.tensor("value")
        return "uint8" if not name else None if zero is None else zero.dtype.name

    def _choose(self, inputs, wanted):
        """Sets the number of the output; returns the names that it depends on."""
        def needs(output):
            seen, stack = set(), [output]
            while stack:
                name = stack.pop()
                if name and name not in seen:
                    seen.add(name)
                    stack += self.makers[name].inputs if name in self.makers else []
            return seen
        found = [name for name in self.outputs if needs(name) & inputs]
        if wanted is not None:
            if wanted not in found:
                raise ImportFailure(f"--output {wanted}: its outputs are {', '.join(found)}")
            found = [wanted]
        if not found:
            raise ImportFailure("none of its outputs depends on an image")
        if len(found) > 1:
            raise ImportFailure(f"{len(found)} outputs, expected one: {', '.join(found)} (--output "
                                "NAME chooses)")
        self.number = self.outputs.index(found[0])
        return needs(found[0])

    def _input(self, name, message, options):
        kind = message.message(2)
        tensor = kind.message(1) if kind else None
        shape = tensor.message(2) if tensor else None
        dims = [dim.integer(1, 0) for dim in shape.messages(1)] if shape else []
        self.type = onnx_tensor.type_name(tensor.integer(1, 1)) if tensor else "float32"
        self.exact &= self.type not in ("float16", "bfloat16")
        self.whole = "int" in self.type
        image, height, width = plane.image(self.builder, name, dims)
        self.fixed = height is not None and width is not None
        default = options.resolution or (224, 224)
        self.height, self.width = height or default[0], width or default[1]
        self.values[name] = image

    def _run(self, node):
        operation = node.operation
        inputs = []
        for name in node.inputs:
            if name and name not in self.values:
                raise ImportFailure(f"{node.name}: its input {name} is not there")
            inputs.append(self.values[name] if name else None)
        planes = [value for value in inputs if isinstance(value, Plane)]
        if planes:
            method = getattr(self, "op_" + operation.lower().replace(".", "_"), None)
            if method is None:
                remedy = next((text for beginning, text in _REMEDIES
                               if operation.startswith(beginning)), "is in no MobileNet")
                raise ImportFailure(f"{node.name}: operation {operation} {remedy}")
            if not isinstance(inputs[0], Plane) and operation not in _EITHER:
                raise ImportFailure(f"{node.name}: its first input does not depend on the image")
            if any(p.partial for p in planes) and not operation.startswith("Reduce"):
                raise ImportFailure(f"{node.name}: {operation} between the two halves of a global "
                                    "pool")
            try:
                result = method(node, *inputs)
            except TypeError as error:  # more inputs or fewer than the operation has
                raise ImportFailure(f"{node.name}: {operation} with {len(inputs)} inputs: "
                                    f"{error}") from None
            if self.integers is not None:
                result = self.integers.follow(node, inputs, result)
        else:
            result = onnx_constant.fold(node, inputs)
            self._spend(node, result)
            if self.integers is not None:
                self.integers.constant(node, inputs, result)
        results = result if isinstance(result, list) else [result]
        for name, value in zip(node.outputs, results):
            self.values[name] = value

    def _spend(self, node, result):
        """Constants are computed as long as they are not many more than the file has."""
        self.left -= getattr(result, "nbytes", 0)
        if self.left < 0:
            raise ImportFailure(f"{node.name}: constants beyond all measure are computed from those in "
                                "the file")

    def _number(self, node, value):
        value = self.constant(node, value)
        if value.size != 1:
            raise ImportFailure(f"{node.name}: {node.operation} with {value.size} numbers in place of "
                                "one")
        return float(value.reshape(()))

    @staticmethod
    def constant(node, value):
        if not isinstance(value, numpy.ndarray):
            raise ImportFailure(f"{node.name}: a weight that is computed from something unknown")
        return value

    def _weight(self, node, value):
        value = self.constant(node, value)
        self.exact &= value.dtype != numpy.float16
        return value

    def _integers(self, node, key, value, default=None):
        """Axes, sizes and the like: of an attribute, or of the input that newer versions have."""
        if value is None:
            return node.integers(key, default)
        value = self.constant(node, value)
        if value.dtype.kind not in "iu":
            raise ImportFailure(f"{node.name}: its {key} are no integers")
        return value.reshape(-1).tolist()

    # ---- Convolutions and fully connected layers ----

    def op_conv(self, node, x, weight, bias=None):
        weight = self._weight(node, weight)
        if x.axes[1:2] != "c" or len(x.axes) != 4:
            raise ImportFailure(f"{node.name}: a convolution whose input is not NCHW")
        if weight.ndim != 4 or any(d != 1 for d in node.integers("dilations", [1, 1])):
            raise ImportFailure(f"{node.name}: not a plain 2-d convolution")
        bias = None if bias is None else self.constant(node, bias)
        return x.with_value(self.builder.conv(
            x.value, weight, bias, self._pair(node, "strides", [1, 1]), self._pads(node),
            node.integer("group", 1), node.name))

    @staticmethod
    def _pair(node, key, default=()):
        values = node.integers(key, default)
        if len(values) != 2:
            raise ImportFailure(f"{node.name}: {key} {list(values)[:9]}, expected two")
        return values

    @staticmethod
    def _pads(node):
        automatic = node.text("auto_pad", "NOTSET")
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            return "same" if automatic == "SAME_UPPER" else "same_lower"
        if automatic not in ("NOTSET", "VALID", ""):
            raise ImportFailure(f"{node.name}: auto_pad {automatic}")
        pads = node.integers("pads", [0, 0, 0, 0])
        if len(pads) != 4:
            raise ImportFailure(f"{node.name}: {len(pads)} pads")
        return (0, 0, 0, 0) if automatic == "VALID" else tuple(pads)

    def op_gemm(self, node, x, weight, bias=None):
        self._vector(node, x)
        weight = self._weight(node, weight).astype(numpy.float64)
        if not node.integer("transB", 0):
            weight = weight.T
        if node.integer("transA", 0):
            raise ImportFailure(f"{node.name}: transA")
        bias = None if bias is None else \
            node.float("beta", 1.0) * self.constant(node, bias).reshape(-1)
        if bias is not None and bias.size == 1:
            bias = numpy.repeat(bias, weight.shape[0])
        return x.with_value(self.builder.dense(x.value, node.float("alpha", 1.0) * weight, bias,
                                               node.name))

    def op_matmul(self, node, x, weight):
        self._vector(node, x)
        return x.with_value(self.builder.dense(x.value, self._weight(node, weight).T, None,
                                               node.name))

    @staticmethod
    def _vector(node, x):
        if not x.is_vector or x.axes[-1] != "c":
            raise ImportFailure(f"{node.name}: a fully connected layer on a whole plane; "
                                "MobileNets have a global pool before it")

    # ---- Batch norm and elementwise ----

    def op_batchnormalization(self, node, x, gamma, beta, mean, variance):
        if node.integer("training_mode", 0):
            raise ImportFailure(f"{node.name}: a batch norm that is still being trained, by each "
                                "batch's mean: export the network for inference (model.eval())")
        values = [self.constant(node, v) for v in (gamma, beta, mean, variance)]
        if x.axes[1:2] != "c" and values[0].size != 1:
            raise ImportFailure(f"{node.name}: a batch norm along an axis that is not the "
                                "channels'")
        return x.with_value(self.builder.batch_norm(
            x.value, *values, node.float("epsilon", 1e-5), node.name))

    def _binary(self, node, a, b, both, with_constant):
        if isinstance(a, Plane) and isinstance(b, Plane):
            return Plane(both(a.value, b.value), plane.combined(a, b))
        x, constant = (a, b) if isinstance(a, Plane) else (b, a)
        constant = self.constant(node, constant).astype(numpy.float64)
        return x.with_value(with_constant(x.value, plane.per_channel(x, constant, node.name),
                                          x is b))

    def op_add(self, node, a, b):
        return self._binary(
            node, a, b, lambda x, y: self.builder.add(x, y, node.name),
            lambda x, c, _: self.builder.scale_shift(x, 1.0, c, node.name))

    def op_sub(self, node, a, b):
        def with_constant(x, c, swapped):
            return self.builder.scale_shift(x, *((-1.0, c) if swapped else (1.0, -c)), node.name)
        return self._binary(node, a, b, self._unsupported(node, "difference"), with_constant)

    def op_mul(self, node, a, b):
        return self._binary(
            node, a, b, lambda x, y: self.builder.multiply(x, y, node.name),
            lambda x, c, _: self.builder.scale_shift(x, c, 0.0, node.name))

    def op_div(self, node, a, b):
        def with_constant(x, c, swapped):
            if swapped or not numpy.all(c):
                raise ImportFailure(f"{node.name}: a division that is not by a constant")
            return self.builder.scale_shift(x, 1.0 / c, 0.0, node.name)
        return self._binary(node, a, b, self._unsupported(node, "quotient"), with_constant)

    def op_neg(self, node, x):
        return x.with_value(self.builder.scale_shift(x.value, -1.0, 0.0, node.name))

    @staticmethod
    def _unsupported(node, what):
        def refuse(*_):
            raise ImportFailure(f"{node.name}: a {what} of two planes is in no MobileNet")
        return refuse

    def _unary(self, node, x, function):
        return x.with_value(self.builder.unary(x.value, function, node.name))

    def op_relu(self, node, x):
        return self._unary(node, x, relu)

    def op_clip(self, node, x, low=None, high=None):
        def bound(value, key, default):
            if value is None:
                return node.float(key, default)
            return self._number(node, value)
        low, high = bound(low, "min", -math.inf), bound(high, "max", math.inf)
        return self._unary(node, x, lambda v: numpy.clip(v, low, high))

    def _extreme(self, node, a, b, function):
        x, constant = (a, b) if isinstance(a, Plane) else (b, a)
        number = self._number(node, constant)
        return self._unary(node, x, lambda v: function(v, number))

    def op_max(self, node, a, b):
        return self._extreme(node, a, b, numpy.maximum)

    def op_min(self, node, a, b):
        return self._extreme(node, a, b, numpy.minimum)

    def op_hardsigmoid(self, node, x):
        return self._unary(node, x, hard_sigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)))

    def op_hardswish(self, node, x):
        return self._unary(node, x, hard_swish)

    def op_sigmoid(self, node, x):
        return x.with_value(self.builder.final(x.value, "sigmoid", node.name))

    def _over_classes(self, node, x, kind):
        new = self.opset >= 13
        axis = node.integer("axis", -1 if new else 1) % len(x.axes)
        # Before version 13 the axes from that one on were one.
        covered = x.axes[axis] if new else x.axes[axis:]
        if not x.is_vector or "c" not in covered or "n" in covered:
            raise ImportFailure(f"{node.name}: a {node.operation} that is not over the classes")
        return x.with_value(self.builder.final(x.value, kind, node.name))

    def op_softmax(self, node, x):
        return self._over_classes(node, x, "softmax")

    def op_logsoftmax(self, node, x):
        return self._over_classes(node, x, "log_softmax")

    # ---- Pools ----

    def op_globalaveragepool(self, node, x):
        return plane.reduce(self.builder, x, plane.spatial_axes(x, node.name), True, False,
                            node.name)

    def op_globalmaxpool(self, node, x):
        return plane.reduce(self.builder, x, plane.spatial_axes(x, node.name), True, True,
                            node.name)

    def _reduced(self, node, x, axes, maximum):
        axes = self._integers(node, "axes", axes)
        if not axes:
            raise ImportFailure(f"{node.name}: {node.operation} over everything")
        return plane.reduce(self.builder, x, axes, node.integer("keepdims", 1), maximum, node.name)

    def op_reducemean(self, node, x, axes=None):
        return self._reduced(node, x, axes, False)

    def op_reducemax(self, node, x, axes=None):
        return self._reduced(node, x, axes, True)

    def op_averagepool(self, node, x):
        # What follows a pool of the whole plane needs it to be one pixel, so it is checked there.
        if x.axes != "nchw" or any(self._pads(node)):
            raise ImportFailure(f"{node.name}: an average pool that is not of the whole plane")
        return Plane(self.builder.global_pool(x.value, node.name, window=tuple(
            self._pair(node, "kernel_shape"))), "nc11")

    def op_maxpool(self, node, x):
        window = self._pair(node, "kernel_shape")
        if x.axes != "nchw" or node.integer("ceil_mode", 0) \
                or any(d != 1 for d in node.integers("dilations", [1, 1])):
            raise ImportFailure(f"{node.name}: not a plain 2-d max pool")
        return x.with_value(self.builder.max_pool(
            x.value, window, self._pair(node, "strides", [1, 1]), node.name, self._pads(node)))

    # ---- Shapes ----

    def op_pad(self, node, x, pads=None, value=None, axes=None):
        pads = self._integers(node, "pads", pads)
        fill = node.float("value", 0.0) if value is None else self._number(node, value)
        places = list(range(len(x.axes))) if axes is None else \
            [axis % len(x.axes) for axis in self._integers(node, "axes", axes)]
        if fill != 0 or len(pads or []) != 2 * len(places) \
                or node.text("mode", "constant") != "constant":
            raise ImportFailure(f"{node.name}: not a padding of an image with zeros")
        around = {x.axes[axis]: (before, after) for axis, before, after in
                  zip(places, pads, pads[len(places):]) if before or after}
        if set(around) - set("hw"):
            raise ImportFailure(f"{node.name}: pads something other than rows and columns")
        (top, bottom), (left, right) = around.get("h", (0, 0)), around.get("w", (0, 0))
        return x.with_value(self.builder.pad(x.value, (top, left, bottom, right), node.name))

    def op_transpose(self, node, x):
        order = node.integers("perm", list(range(len(x.axes)))[::-1])
        return plane.transpose(x, order, node.name)

    def op_reshape(self, node, x, shape=None):
        known = shape is None or isinstance(shape, numpy.ndarray)
        if known:
            shape = [-1 if size == onnx_constant.SIZE else size
                     for size in self._integers(node, "shape", shape, [])]
        return plane.reshape(self.builder, x, shape if known else None, node.name)

    def op_flatten(self, node, x):
        if node.integer("axis", 1) % len(x.axes) != 1:
            raise ImportFailure(f"{node.name}: flattens other than the axes of one image")
        return plane.reshape(self.builder, x, [-1, x.value.channels], node.name)

    def op_squeeze(self, node, x, axes=None):
        axes = self._integers(node, "axes", axes)
        return plane.squeeze(self.builder, x, axes, node.name)

    def op_unsqueeze(self, node, x, axes=None):
        axes = self._integers(node, "axes", axes)
        return plane.unsqueeze(x, axes, node.name)

    def op_identity(self, node, x, *_):
        return x

    op_dropout = op_identity

    def op_cast(self, node, x):
        kind = onnx_tensor.type_name(node.integer("to", 1))
        if kind not in _FLOATS:
            raise ImportFailure(f"{node.name}: the image becomes {kind}")
        self.exact &= kind not in ("float16", "bfloat16")
        self.whole = False
        return x

    def op_shape(self, node, x):
        start, end = node.integer("start", 0), node.integer("end")
        sizes = [x.value.channels if letter == "c" else 1 if letter == "1" else onnx_constant.SIZE
                 for letter in x.axes]
        return numpy.array(sizes[start:end], numpy.int64)

    # ---- Of the image ----

    def _channels(self, node, x, axis, numbers):
        if x.axes[axis % len(x.axes)] != "c":
            raise ImportFailure(f"{node.name}: takes a part of the image or the batch")
        return x.with_value(self.builder.select(x.value, numbers, node.name))

    def op_gather(self, node, x, indices):
        return self._channels(node, x, node.integer("axis", 0), self.constant(node, indices))

    def op_gathernd(self, node, x, indices):
        """As torch writes x[:, [2, 1, 0]]: numbers of what is the first axis."""
        indices = self.constant(node, indices)
        if indices.ndim != 2 or indices.shape[1] != 1 \
                or node.integer("batch_dims", 0):
            raise ImportFailure(f"{node.name}: operation GatherND is in no MobileNet")
        return self._channels(node, x, 0, indices)

    def op_slice(self, node, x, starts=None, ends=None, axes=None, steps=None):
        starts = self._integers(node, "starts", starts, [])
        ends = self._integers(node, "ends", ends, [])
        axes = self._integers(node, "axes", axes, list(range(len(starts))))
        steps = self._integers(node, "steps", steps, [1] * len(starts))
        for start, end, axis, step in zip(starts, ends, axes, steps):
            if step == 0:
                raise ImportFailure(f"{node.name}: a slice in steps of 0")
            if x.axes[axis % len(x.axes)] != "c" and start == 0 and step == 1 and end >= _FAR:
                continue  # all of it
            numbers = numpy.arange(x.value.channels)[_slice(start, end, step)]
            x = self._channels(node, x, axis, numbers)
        return x

    def op_split(self, node, x, sizes=None):
        sizes = self._integers(node, "split", sizes)
        count = x.value.channels
        if not sizes:
            parts = max(1, len(node.outputs))
            sizes = [-(-count // parts)] * (count // -(-count // parts))
        ends = numpy.cumsum(sizes)
        if ends[-1] > count:
            raise ImportFailure(f"{node.name}: splits {count} channels into {sizes}")
        return [self._channels(node, x, node.integer("axis", 0), numpy.arange(end - size, end))
                for size, end in zip(sizes, ends)]

    def op_concat(self, node, *planes):
        if not all(isinstance(x, Plane) for x in planes) \
                or any(x.axes != planes[0].axes for x in planes) \
                or planes[0].axes[node.integer("axis", 0) % len(planes[0].axes)] != "c":
            raise ImportFailure(f"{node.name}: operation Concat is in no MobileNet")
        return planes[0].with_value(self.builder.concatenate([x.value for x in planes], node.name))

    def _repeated(self, node, x, wanted):
        """wanted: how often each axis is repeated, from the last on."""
        by_letter = dict(zip(x.axes[::-1], wanted[::-1]))
        times = by_letter.pop("c", 1)
        if any(size != 1 for size in by_letter.values()) or not 1 <= times <= 4:
            raise ImportFailure(f"{node.name}: repeats something other than channels")
        return self._channels(node, x, x.index("c"),
                              numpy.tile(numpy.arange(x.value.channels), times))

    def op_expand(self, node, x, shape):
        if x.value.channels != 1 or not isinstance(shape, numpy.ndarray):
            raise ImportFailure(f"{node.name}: operation Expand is in no MobileNet")
        shape = self._integers(node, "shape", shape)
        size = dict(zip(x.axes[::-1], shape[::-1])).get("c", 1)
        return self._repeated(node, x, [size if letter == "c" else 1 for letter in x.axes])

    def op_tile(self, node, x, repeats):
        return self._repeated(node, x, self._integers(node, "repeats", repeats))

    def op_resize(self, node, x, *inputs):
        return x.with_value(self.builder.resize(
            x.value, onnx_resize.resizing(self, node, x, inputs), node.name))


def _slice(start, end, step):
    """As ONNX has it: an end below -size, for a step of -1, means to the first one."""
    return slice(start, None if step < 0 and end < -_FAR else end, step)
