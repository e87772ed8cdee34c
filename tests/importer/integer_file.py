"""Writes a small network as a TensorFlow Lite file of 8-bit integers, as converters do: every tensor
is quantised by the values that it has for some images."""
import numpy

import small_network
from small_network import Act, Conv, Dense, MaxPool, Pool
from tflite_file import KINDS, Writer, vector

F32 = numpy.float32
ONE_256TH = 1 / 256


def between(low, high, kind):
    """(scale, zero point) of numbers from low to high and 0."""
    low, high = min(float(low), 0.0), max(float(high), 1e-3)
    scale = F32((high - low) / 255)
    lowest = numpy.iinfo(kind).min
    return scale, int(numpy.clip(round(lowest - low / float(scale)), lowest, lowest + 255))


class IntegerWriter(Writer):
    """kind: int8 or uint8; per_channel: a weight scale for each output; alone: activations that are
    operations by themselves instead of being fused; made_of_several: hard-swish as additions and
    products; average_pool: instead of a mean; scales: {layer: a function of its weight scales}; quantised:
    {tensor: (scale, zero point)} where they are not those of its values."""

    def __init__(self, kind="int8", per_channel=True, alone=False, made_of_several=False,
                 average_pool=False, scales=None, quantised=None):
        super().__init__()
        self.kind, self.per_channel, self.alone = kind, per_channel, alone
        self.made_of_several, self.scales = made_of_several, scales or {}
        self.average_pool = average_pool
        self.ranges, self.quantised, self.fused = {}, dict(quantised or {}), {}
        self.shapes = {}  # XNNPACK takes no operations whose output has another

    # ---- What tensors are quantised by ----

    def calibrate(self, operations, images):
        for image in images:
            for name, values in small_network.evaluate_each(
                    operations, image.transpose(2, 0, 1)).items():
                self.shapes[name] = [1, *values.shape[1:], len(values)]
                low, high = self.ranges.get(name, (0.0, 0.0))
                self.ranges[name] = min(low, values.min()), max(high, values.max())

    def quantisation(self, name):
        if name not in self.quantised:
            self.quantised[name] = between(*self.ranges[name], self.kind)
        return self.quantised[name]

    def numbers(self, name, values):
        """A constant tensor, quantised."""
        values = numpy.asarray(values, numpy.float64)
        scale, zero = between(values.min(), values.max(), self.kind)
        limits = numpy.iinfo(self.kind)
        integers = numpy.clip(numpy.round(values / float(scale)) + zero, limits.min, limits.max)
        self.quantised[name] = scale, zero
        return self.tensor(name, integers.astype(self.kind), quantisation=([scale], [zero], 0))

    def operator(self, kind, inputs, name, options=None, shape=None, quantised=True, of=None):
        """quantised: False for an output of floats; of: its type.  Shapes that are not known are the
        first input's."""
        first = self.tensors[inputs[0]][0][2]
        if shape is None:
            shape = self.shapes.get(name if isinstance(name, str) else name[0], first)
        super().operator(kind, inputs, name, options, shape)
        if not quantised:
            return
        for output in [name] if isinstance(name, str) else name:
            scale, zero = self.quantisation(output)
            tensor = self.tensors[self.index[output]]
            tensor[1] = ("u8", KINDS[of or self.kind])
            tensor[4] = {2: vector("f32", [scale]), 3: vector("i64", [zero])}

    # ---- Layers ----

    def weights(self, op):
        """(integers, scales, zero points) of [O,...]."""
        limits = numpy.iinfo(self.kind)
        flat = op.weight.reshape(len(op.weight), -1)
        if self.kind == "uint8":
            scale, zero = between(flat.min(), flat.max(), "uint8")
            scales, zeros = numpy.array([scale]), [zero]
        elif self.per_channel:
            scales, zeros = (numpy.abs(flat).max(1) / 127).astype(F32), [0] * len(flat)
        else:
            scales, zeros = numpy.array([numpy.abs(flat).max() / 127], F32), [0]
        each = scales.astype(numpy.float64).reshape((-1,) + (1,) * (op.weight.ndim - 1))
        integers = numpy.clip(numpy.round(op.weight / each) + zeros[0], limits.min, limits.max)
        if op.name in self.scales:
            scales = numpy.asarray(self.scales[op.name](scales), F32)
        return integers.astype(self.kind), scales, zeros

    def layer(self, operation, op, order, axis, options, field):
        integers, scales, zeros = self.weights(op)
        source = self.quantisation(op.x)[0]
        units = source * scales
        with numpy.errstate(divide="ignore", invalid="ignore"):
            bias = numpy.nan_to_num(numpy.round(op.bias / units.astype(numpy.float64)), posinf=0,
                                    neginf=0)
        weight = self.tensor(f"{op.name}_w", integers.transpose(order),
                             quantisation=(scales, zeros, axis if len(scales) > 1 else 0))
        bias = self.tensor(f"{op.name}_b", numpy.clip(bias, -2 ** 31, 2 ** 31 - 1).astype(
            numpy.int32), quantisation=(units, [0] * len(units), 0))
        inputs, name = [self.index[op.x], weight, bias], op.name
        if name in self.fused:
            act = self.fused[name]
            name, options = act.name, {**options, field: ("i8", {"relu": 1, "relu6": 3}[act.kind])}
        self.operator(operation, inputs, name, options)

    def conv(self, op):
        down, across = op.strides
        self.pad(op)
        valid = any(op.pads) and not self.same(op)
        options = {0: ("i8", int(valid)), 1: ("i32", across), 2: ("i32", down)}
        if op.groups > 1:
            self.layer("depthwise", op, (1, 2, 3, 0), 3, {**options, 3: ("i32", 1)}, 4)
        else:
            self.layer("conv", op, (0, 2, 3, 1), 0, options, 3)

    def same(self, op):
        """Whether what TensorFlow's padding "same" does is what it pads by."""
        total = (max(0, (size - 1) // stride * stride + kernel - size) for size, stride, kernel in
                 zip(self.shapes[op.x][1:3], op.strides, op.weight.shape[2:]))
        return (op.pads[0] + op.pads[2], op.pads[1] + op.pads[3]) == tuple(total)

    def pad(self, op):
        """A padding that the convolution cannot say itself."""
        if not any(op.pads) or self.same(op):
            return
        top, left, bottom, right = op.pads
        pads = self.constant(f"{op.name}_pads", [[0, 0], [top, bottom], [left, right], [0, 0]])
        self.quantised[f"{op.name}_padded"] = self.quantisation(op.x)
        _, rows, columns, channels = self.shapes[op.x]
        self.shapes[f"{op.name}_padded"] = [1, rows + top + bottom, columns + left + right, channels]
        self.operator("pad", [self.index[op.x], pads], f"{op.name}_padded")
        self.index[op.x] = self.index[f"{op.name}_padded"]

    def put(self, op):
        if isinstance(op, Act) and op.x in self.fused:
            return
        before = dict(self.index)
        if isinstance(op, MaxPool) or isinstance(op, Pool) and op.maximum:
            self.quantised[op.name] = self.quantisation(op.x)
        if isinstance(op, Pool) and not op.maximum and self.average_pool:
            _, rows, columns, _ = self.shapes[op.x]
            self.quantised[op.name] = self.quantisation(op.x)
            self.operator("average_pool", [self.index[op.x]], op.name, {
                0: ("i8", 1), 1: ("i32", columns), 2: ("i32", rows), 3: ("i32", columns),
                4: ("i32", rows)})
        elif isinstance(op, Dense):
            self.layer("fully_connected", op, (0, 1), 0, {}, 0)
        else:
            super().put(op)
        if isinstance(op, Conv):  # others read what has not been padded
            self.index.update({name: place for name, place in before.items()})

    def act(self, op):
        x, name = self.index[op.x], op.name
        low, high = self.ranges[op.x]
        if op.kind not in ("hard_sigmoid", "hard_swish") or \
                op.kind == "hard_swish" and not self.made_of_several:
            self.operator(op.kind, [x], name)
            return
        self.ranges[f"{name}_clipped"] = 0, 6
        self.operator("add", [x, self.numbers(f"{name}_3", [3])], f"{name}_clipped", {0: ("i8", 3)})
        gate, sixth = self.index[f"{name}_clipped"], self.numbers(f"{name}_6", [1 / 6])
        if op.kind == "hard_swish":
            self.ranges[f"{name}_product"] = min(low, 0) * 3, max(high, 0) * 6
            self.operator("mul", [x, gate], f"{name}_product")
            gate = self.index[f"{name}_product"]
        self.operator("mul", [gate, sixth], name)

    # ---- The whole ----

    def write(self, operations, shape, images, end="softmax", floats=False, before=None,
              image=None, output=None):
        """floats: the file's input and output are; before(writer): adds operators between the input
        "pixels" and "image"; image: (scale, zero point) of the input; output: the type of the last
        tensor, if another."""
        self.calibrate(operations, images)
        readers, flat = {}, set()
        for op in operations:  # what is behind a fully connected layer has two dimensions
            if isinstance(op, Dense) or getattr(op, "x", None) in flat:
                flat.add(op.name)
                self.shapes[op.name] = [1, self.shapes[op.name][3]]
        for op in operations:
            for name in (getattr(op, field) for field in ("x", "a", "b") if hasattr(op, field)):
                readers.setdefault(name, []).append(op)
        for op in operations:
            follow = readers.get(op.name, [])
            if isinstance(op, (Conv, Dense)) and not self.alone and len(follow) == 1 \
                    and isinstance(follow[0], Act) and follow[0].kind in ("relu", "relu6"):
                self.fused[op.name] = follow[0]
        first = "pixels" if before or floats else "image"
        if image:
            self.quantised[first] = image
        if floats:
            self.tensor(first, shape=shape)
            self.operator("quantize", [0], "image")
        else:
            scale, zero = self.quantisation(first)
            self.tensor(first, shape=shape, kind=KINDS[self.kind],
                        quantisation=([scale], [zero], 0))
        if before:
            before(self)
        for op in operations:
            self.put(op)
        last = operations[-1].name
        if end:
            lowest = numpy.iinfo(self.kind).min
            self.quantised["probabilities"] = ONE_256TH, lowest
            self.operator(end, [self.index[last]], "probabilities",
                          {0: ("f32", 1.0)} if end == "softmax" else {})
            last = "probabilities"
        if floats:
            self.operator("dequantize", [self.index[last]], "floats", quantised=False)
            last = "floats"
        elif output:
            scale, zero = self.quantisation(last)
            self.quantised["as_other"] = scale, zero + (128 if output == "uint8" else -128)
            self.operator("quantize", [self.index[last]], "as_other", of=output)
            last = "as_other"
        return self.finish(last)

