"""Writes a small network as an ONNX file of 8-bit integers, as onnxruntime's quantiser does: with
QLinear operations, or with operations of floats between DequantizeLinear and QuantizeLinear."""
import numpy

import integer_networks
import onnx_file
import small_network
from integer_file import between
from onnx_file import field, node
from small_network import Act, Add, Conv, Dense, MaxPool, Mul, Pool

F32 = numpy.float32
DOMAIN = "com.microsoft"
# By operations that ONNX itself has not.
_OWN = ("QLinearAdd", "QLinearMul", "QLinearGlobalAveragePool", "QGemm", "QLinearSoftmax",
        "QLinearSigmoid")


class IntegerWriter(onnx_file.Writer):
    """kind: of activations, uint8 or int8; weights: int8 or uint8; per_channel: a weight scale for
    each output; qdq: DequantizeLinear, an operation of floats, QuantizeLinear; swish: HardSwish,
    one that is not rounded where a plane is averaged ("averaged"), or of several operations
    ("product", "decomposed"); matmul: fully connected layers without a bias of their own; swapped:
    a residual is a sum's first term; cast: a type that what is quantised becomes, as torch writes
    it where it is that type already."""

    def __init__(self, kind="uint8", weights="int8", per_channel=True, qdq=False,
                 swish="HardSwish", matmul=False, swapped=False, cast=None):
        super().__init__()
        self.kind, self.weight_kind, self.per_channel = kind, weights, per_channel
        self.qdq, self.swish, self.matmul, self.swapped = qdq, swish, matmul, swapped
        self.cast = cast
        self.ranges, self.parameters, self.scales, self.names = {}, {}, {}, {}
        self.outputs = []  # of all nodes
        self.floats = {}  # of what is not rounded where a plane is averaged

    # ---- What tensors are quantised by ----

    def calibrate(self, operations, images):
        for image in images:
            for name, values in small_network.evaluate_each(
                    operations, image.transpose(2, 0, 1)).items():
                low, high = self.ranges.get(name, (0.0, 0.0))
                self.ranges[name] = min(low, values.min()), max(high, values.max())

    def quantised_by(self, name, low=None, high=None):
        """The names of a tensor's scale and zero point."""
        if name not in self.parameters:
            if low is None:
                low, high = self.ranges[name]
            scale, zero = self.scales[name] = between(low, high, self.kind)
            self.parameters[name] = [
                self.constant(f"{name}_scale", numpy.array(scale, F32)),
                self.constant(f"{name}_zero", numpy.array(zero, self.kind))]
        return self.parameters[name]

    def put(self, operation, inputs, output, **attributes):
        own = field(7, DOMAIN) if operation in _OWN else b""
        self.nodes.append(node(operation, inputs, output, **attributes) + own)
        self.outputs.append(output)
        return output

    # ---- From integers to integers, named NAME_q ----

    def dequantised(self, name):
        output = f"{name}_f{len(self.nodes)}"
        return self.put("DequantizeLinear", [f"{name}_q", *self.quantised_by(name)], output)

    def rounded(self, floats, name):
        output = f"{name}_q" if self.cast is None else f"{name}_bytes"
        self.put("QuantizeLinear", [floats, *self.quantised_by(name)], output)
        if self.cast is not None:
            self.put("Cast", [output], f"{name}_q", to=onnx_file.TYPES[self.cast])

    def through_floats(self, operation, inputs, name, **attributes):
        floats = [self.dequantised(x) for x in inputs]
        self.rounded(self.put(operation, floats, f"{name}_y", **attributes), name)

    def operands(self, *names):
        return [part for name in names for part in (f"{name}_q", *self.quantised_by(name))]

    # ---- Layers ----

    def weights(self, op, name):
        """Names of weights, scales, zero points and biases; the scales are of outputs, the first
        axis."""
        flat = op.weight.reshape(len(op.weight), -1)
        limits = numpy.iinfo(self.weight_kind)
        if self.weight_kind == "uint8":
            scale, zero = between(flat.min(), flat.max(), "uint8")
            scales, zeros = numpy.array(scale, F32), numpy.array(zero, "uint8")
        else:
            scales = (numpy.abs(flat).max(1 if self.per_channel else None) / 127).astype(F32)
            zeros = numpy.zeros(scales.shape, "int8")
        each = numpy.broadcast_to(scales, len(flat)).astype(numpy.float64)
        shaped = each.reshape((-1,) + (1,) * (op.weight.ndim - 1))
        integers = numpy.clip(numpy.round(op.weight / shaped) + float(zeros.flat[0]), limits.min,
                              limits.max).astype(self.weight_kind)
        self.quantised_by(op.x)
        bias = numpy.clip(numpy.round(op.bias / (each * float(self.scales[op.x][0]))), -2 ** 31,
                          2 ** 31 - 1)
        self.scales[name] = scales
        if self.matmul and isinstance(op, Dense):
            integers = integers.T.copy()
        return [self.constant(f"{name}_w", integers), self.constant(f"{name}_w_scale", scales),
                self.constant(f"{name}_w_zero", zeros),
                self.constant(f"{name}_b", bias.astype(numpy.int32))]

    def layer(self, op, operation, qlinear, order, **attributes):
        """order: how the QLinear operation has its inputs: x, w, y and b."""
        name = self.fused.get(op.name, op.name)
        weight, scales, zeros, bias = self.weights(op, op.name)
        if self.qdq:
            axis = 1 if operation == "MatMul" else 0
            w = self.put("DequantizeLinear", [weight, scales, zeros], f"{op.name}_wf", axis=axis)
            units = self.constant(f"{op.name}_b_scale", (
                self.scales[op.x][0] * self.scales[op.name]).astype(F32))
            zero = self.constant(f"{op.name}_b_zero", numpy.zeros(
                self.scales[op.name].shape, numpy.int32))
            inputs = [self.dequantised(op.x), w]
            if "b" in order:
                inputs.append(self.put("DequantizeLinear", [bias, units, zero], f"{op.name}_bf",
                                       axis=0))
            self.rounded(self.put(operation, inputs, f"{op.name}_y", **attributes), name)
            return
        parts = {"x": self.operands(op.x), "w": [weight, scales, zeros], "b": [bias],
                 "y": self.quantised_by(name)}
        self.put(qlinear, [part for key in order for part in parts[key]], f"{name}_q",
                 **attributes)

    def conv(self, op):
        self.layer(op, "Conv", "QLinearConv", "xwyb", strides=list(op.strides), pads=list(op.pads),
                   group=op.groups, kernel_shape=list(op.weight.shape[2:]))

    def dense(self, op):
        self.put("Flatten", [f"{op.x}_q"], f"{op.x}_flat_q")
        self.parameters[f"{op.x}_flat"] = self.quantised_by(op.x)
        self.scales[f"{op.x}_flat"] = self.scales[op.x]
        op = op._replace(x=f"{op.x}_flat")
        if self.matmul:
            self.layer(op, "MatMul", "QLinearMatMul", "xwy")
        else:
            self.layer(op, "Gemm", "QGemm", "xwby", transB=1)

    def act(self, op):
        if op.kind in ("relu", "relu6"):
            if op.x not in self.fused:
                self.through_floats("Relu", [op.x], op.name)
            return
        slope = {"alpha": 0.2 if op.kind.endswith("0.2") else 1 / 6}
        if op.kind != "hard_swish":
            self.through_floats("HardSigmoid", [op.x], op.name, **slope)
        elif self.swish == "product":
            gate = f"{op.name}_gate"
            self.quantised_by(gate, 0, 1)
            self.through_floats("HardSigmoid", [op.x], gate, **slope)
            self.binary("Mul", op.x, gate, op.name)
        elif self.swish == "decomposed":
            x = self.dequantised(op.x)
            self.put("Add", [x, self.scalar(f"{op.name}_three", 3.0)], f"{op.name}_1")
            self.clip(f"{op.name}_1", f"{op.name}_2", 0.0, 6.0)
            self.put("Mul", [x, f"{op.name}_2"], f"{op.name}_3")
            self.rounded(self.put("Div", [f"{op.name}_3", self.scalar(f"{op.name}_six", 6.0)],
                                  f"{op.name}_y"), op.name)
        else:
            self.through_floats("HardSwish", [op.x], op.name)
            self.floats[op.name] = f"{op.name}_y"

    def binary(self, operation, a, b, name):
        if self.swapped and operation == "Add":
            a, b = b, a
        if self.qdq:
            self.through_floats(operation, [a, b], name)
        else:
            self.put(f"QLinear{operation}", [*self.operands(a, b), *self.quantised_by(name)],
                     f"{name}_q")

    def pool(self, op):
        if op.maximum:
            self.keeps(op)
            self.through_floats("GlobalMaxPool", [op.x], op.name)
        elif self.swish == "averaged" and op.x in self.floats:
            self.rounded(self.put("GlobalAveragePool", [self.floats[op.x]], f"{op.name}_y"),
                         op.name)
        elif self.qdq:
            self.through_floats("GlobalAveragePool", [op.x], op.name)
        else:
            self.put("QLinearGlobalAveragePool", [*self.operands(op.x),
                                                  *self.quantised_by(op.name)],
                     f"{op.name}_q", channels_last=0)

    def keeps(self, op):
        self.parameters[op.name] = self.quantised_by(op.x)
        self.scales[op.name] = self.scales[op.x]

    def max_pool(self, op):
        self.keeps(op)
        self.put("MaxPool", [f"{op.x}_q"], f"{op.name}_q", kernel_shape=[op.window] * 2,
                 strides=[op.stride] * 2)

    def write(self, operations, shape, images, **options):
        """The graph's output is what the last one's integers stand for."""
        self.calibrate(operations, images)
        # Activations that are in the range of what is before.
        readers = [op.x for op in operations if hasattr(op, "x")]
        self.fused = {op.x: op.name for op in operations if isinstance(op, Act)
                      and op.kind in ("relu", "relu6") and readers.count(op.x) == 1}
        self.rounded("image", "image")
        for op in operations:
            if isinstance(op, Conv):
                self.conv(op)
            elif isinstance(op, Act):
                self.act(op)
            elif isinstance(op, Pool):
                self.pool(op)
            elif isinstance(op, MaxPool):
                self.max_pool(op)
            elif isinstance(op, Dense):
                self.dense(op)
            elif isinstance(op, (Add, Mul)):
                self.binary(type(op).__name__, op.a, op.b, op.name)
        name = operations[-1].name
        self.put("DequantizeLinear", [f"{name}_q", *self.quantised_by(name)], "output")
        return self.model(shape, **options)

    def model(self, shape, output="output", **options):
        data = onnx_file.model(self.nodes, self.tensors, shape, output, **options)
        return data + field(8, field(1, DOMAIN) + field(2, 1))

    def of_all_integers(self, shape, **options):
        """The graph with all of its planes' integers as outputs."""
        names = [name for name in self.outputs if name.endswith("_q")]
        return self.model(shape, dict.fromkeys(names, onnx_file.TYPES[self.kind]), **options), names


# What is recorded: keywords of integer_networks.network and of the writer.
CASES = {
    "uint8": ({}, {}),
    "int8": ({}, {"kind": "int8", "per_channel": False, "swish": "product", "swapped": True}),
    "averaged": ({"pool": False}, {"swish": "averaged"}),
    "averaged int8": ({"pool": False}, {"kind": "int8", "swish": "averaged"}),
    "uint8 weights": ({}, {"weights": "uint8", "swish": "decomposed"}),
    "products": ({"maximum": True, "channels": 1}, {"matmul": True}),
}
SHAPE = (48, 64)


def case(name, qdq=False, cast=None):
    """(the writer, the file, the images that it is recorded for) of one of the cases."""
    network, options = CASES[name]
    operations = integer_networks.network("symmetric", **network)
    images = small_network.images(*SHAPE, channels=network.get("channels", 3))
    writer = IntegerWriter(qdq=qdq, cast=cast, **options)
    data = writer.write(operations, [1, images.shape[3], *SHAPE], images, opset=17)
    return writer, data, images
