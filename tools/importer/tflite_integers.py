"""The integers of a quantised TensorFlow Lite graph: what each operation computes with them, as its
runtime does in one of two ways (litert.py)."""
import numpy

from . import litert, tflite_names
from .errors import ImportFailure
from .graph import Value
from .integers import Bytes, check_scales, check_zero, quantisation
from .plane import Plane

_KINDS = ("int8", "uint8")
# The axis of outputs in the weights.
_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# These leave bytes as they are, in another shape or place.
_MOVES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PAD", "PADV2", "MAX_POOL_2D",
          "REDUCE_MAX", "STRIDED_SLICE", "REVERSE_V2", "GATHER", "SPLIT", "CONCATENATION", "TILE")
# Where the options say which activation is fused.
_FUSED = {"ADD": 0, "MUL": 0, "SUB": 0, "FULLY_CONNECTED": 0, "CONCATENATION": 1, "CONV_2D": 3,
          "DEPTHWISE_CONV_2D": 4, "AVERAGE_POOL_2D": 5, "MAX_POOL_2D": 5}


def throughout(graph, operators):
    """Whether all layers with weights compute with 8-bit integers."""
    layers = [operator for operator in operators if graph.operation(operator) in _WEIGHTED]
    return bool(layers) and all(
        graph.type_of(index) in _KINDS and graph.scales(index) for operator in layers
        for index in (*operator.vector(1, "i32")[:2], *operator.vector(2, "i32")[:1]))


class Integers:
    """falls_back: names of layers that LiteRT's default computes in another way than it computes the
    rest."""

    def __init__(self, graph, rescale):
        self.graph, self.falls_back = graph, []
        self.arithmetic = litert.Fixed() if rescale == "fixed" else litert.Float()

    def notes(self):
        if not self.falls_back:
            return []
        more = f" and {len(self.falls_back) - 1} more" if len(self.falls_back) > 1 else ""
        return [f"LiteRT's default rounds {self.falls_back[0]}{more} in another way than the rest (a "
                "weight scale of 0, or a zero point): by up to one step; --rescale fixed is exact"]

    # ---- What tensors say ----

    def quantisation(self, index):
        """Of a tensor of 8 bits with one scale; None: it has floats."""
        scales, kind = self.graph.scales(index), self.graph.type_of(index)
        if kind not in _KINDS or not scales:
            return None
        if len(scales) != 1:
            raise ImportFailure(f"{self.graph.name(index)}: {len(scales)} scales, expected one")
        zeros = self.graph.tensor(index).table(4).vector(3, "i64") or [0]
        return quantisation(self.graph.name(index), scales[0], zeros[0], kind)

    def output(self, node):
        """The same of an operation's output, by whose scale its numbers are divided."""
        index = node.outputs[0]
        quantised = self.quantisation(index)
        if quantised is None:
            raise ImportFailure(f"{node.name}: floats, where its input is quantised")
        if not quantised.scale > 0:
            raise ImportFailure(f"{node.name}: its scale is 0, by which numbers are divided")
        return quantised

    def weights(self, index, axis):
        """(integers, scales, zero points) of a layer's weights."""
        name, values = self.graph.name(index), self.graph.numbers(index)
        parameters = self.graph.tensor(index).table(4)
        scales = numpy.array(self.graph.scales(index), numpy.float32)
        zeros = numpy.array(parameters.vector(3, "i64") or [0], numpy.int64)
        if len(scales) > 1 and (parameters.scalar(6, "i32") != axis
                                or len(scales) != values.shape[axis]) \
                or len(zeros) not in (1, len(scales)):
            raise ImportFailure(f"{name}: {len(scales)} scales for shape {list(values.shape)}")
        check_scales(name, scales)
        for zero in zeros:
            check_zero(name, zero, self.graph.type_of(index))
        return values, scales, zeros

    def bias(self, node, channels):
        if len(node.indices) < 3 or node.indices[2] == -1:
            return numpy.zeros(channels, numpy.int32)
        name, kind = self.graph.name(node.indices[2]), self.graph.type_of(node.indices[2])
        if kind != "int32":
            raise ImportFailure(f"{name}: a bias of {kind}, expected int32")
        return self.graph.numbers(node.indices[2]).reshape(-1)

    @staticmethod
    def activation(operation, node):
        if operation not in _FUSED:
            return "none"
        return tflite_names.name(tflite_names.FUSED, node.option(_FUSED[operation], "u8"))

    @staticmethod
    def bytes(node, index=0):
        known = node.plane(index).value.bytes
        if known is None:
            raise ImportFailure(f"{node.name}: computes with floats between integers")
        return known

    # ---- Operations ----

    def image(self, value, index):
        quantised = self.quantisation(index)
        if quantised is not None:
            value.node.integers, value.node.quantisation = {}, quantised
            value.bytes = Bytes(quantised)

    def follow(self, operation, node, result):
        """An operation's result, a Plane or several, with its Value's bytes; its node gets its
        integers."""
        if isinstance(result, list):
            return [self.follow(operation, node, part) for part in result]
        value = result.value.copy()
        self.compute(operation, node, value)
        return result.with_value(value)

    def compute(self, operation, node, value):
        planes = [x for x in node.inputs if isinstance(x, Plane)]
        known = [x.value.bytes for x in planes]
        if all(of is None for of in known) and operation != "QUANTIZE":
            return  # of an image in floats
        if any(of is not None and of.floats for of in known):
            self.ends_in_floats(operation, node, value)
        elif operation in _WEIGHTED:
            self.layer(operation, node, value)
        elif operation in ("MEAN", "AVERAGE_POOL_2D"):
            self.mean(operation, node, value)
        elif operation in _MOVES:
            self.move(operation, node, value)
        elif operation in ("SOFTMAX", "LOGISTIC"):
            self.end(operation, node, value)
        elif operation in ("QUANTIZE", "DEQUANTIZE"):
            self.convert(operation, node, value)
        elif len({id(x.value.node) for x in planes}) == 2:
            self.planes(operation, node, value)
        else:
            self.elementwise(operation, node, value)

    def become(self, value, integers, out, operation, node, prefix="output"):
        """Completes the integers of a graph's node: what its rescaled sums become."""
        integers.update(out.tensors(prefix))
        low, high = self.arithmetic.limits(self.activation(operation, node), out)
        if (low, high) != (0, 255):
            integers[f"{prefix}_range"] = out.numbers([low, high])
        value.node.integers, value.node.quantisation = integers, out
        value.bytes = Bytes(out)

    def layer(self, operation, node, value):
        source, out = self.bytes(node).quantisation, self.output(node)
        index = node.indices[1]
        name, kind = self.graph.name(index), self.graph.type_of(index)
        if not kind == source.kind == out.kind:
            raise ImportFailure(f"{name}: {kind} weights, {source.kind} input and {out.kind} "
                                "output")
        weight, scales, zeros = self.weights(index, _WEIGHTED[operation])
        channels = value.node.channels
        order = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}.get(operation)
        integers = {"weight": weight if order is None else weight.transpose(order),
                    "weight_scale": scales}
        if kind == "uint8" or zeros.any():
            if kind == "int8" and (operation != "FULLY_CONNECTED" or len(scales) > 1):
                raise ImportFailure(f"{name}: its zero point is {zeros[zeros != 0][0]}, expected 0 "
                                    f"of an int8 {operation}")
            integers["weight_zero_point"] = zeros.astype(kind)
        integers["bias"] = self.bias(node, channels)
        integers["multiplier"] = self.multipliers(
            operation, node, numpy.broadcast_to(scales, channels), source, out)
        if not self.follows_float(operation, kind, scales, zeros):
            self.falls_back.append(node.name)
        self.become(value, integers, out, operation, node)

    def follows_float(self, operation, kind, scales, zeros):
        """Whether LiteRT's default leaves the layer to XNNPACK."""
        return self.arithmetic.name == "fixed" or litert.is_normal(scales).all() and not (
            operation == "FULLY_CONNECTED" and kind == "int8" and zeros.any())

    def multipliers(self, operation, node, scales, source, out):
        """A number for each output, in the form of the arithmetic."""
        index = node.indices[1]
        if self.arithmetic.name == "float":
            factors = source.scale * scales / out.scale
            if factors.max() >= 256:
                raise ImportFailure(f"{self.graph.name(index)}: its sums are multiplied by "
                                    f"{factors.max():.6g}, which XNNPACK refuses (--rescale fixed)")
            return factors
        if source.kind == "uint8" or operation == "FULLY_CONNECTED" \
                and len(self.graph.scales(index)) == 1:
            factors = (source.scale * scales).astype(numpy.float64) / float(out.scale)
        else:
            factors = float(source.scale) * scales.astype(numpy.float64) / float(out.scale)
        if operation == "FULLY_CONNECTED":
            return factors
        return numpy.array([litert.fixed_point(factor) for factor in factors], numpy.int32)

    def mean(self, operation, node, value):
        source, out = self.bytes(node).quantisation, self.output(node)
        if value.node is node.plane(0).value.node:
            raise ImportFailure(f"{node.name}: rounded between the two halves of a global pool")
        if out.kind != source.kind:
            raise ImportFailure(f"{node.name}: {source.kind} becomes {out.kind}")
        if operation == "MEAN":
            self.become(value, {}, out, operation, node)
            return
        if out != source:
            raise ImportFailure(f"{node.name}: an average pool whose output is quantised otherwise "
                                "than its input")
        self.become(value, {}, out, operation, node)
        if value.node.integers.get("output_range") is not None:
            raise ImportFailure(f"{node.name}: an average pool with an activation that matters")
        value.node.integers = {}

    def planes(self, operation, node, value):
        """A sum or product of two nodes."""
        a, b = (self.bytes(node, i).quantisation for i in (0, 1))
        out = self.output(node)
        if not a.kind == b.kind == out.kind:
            raise ImportFailure(f"{node.name}: {a.kind} and {b.kind} become {out.kind}")
        if operation == "ADD":
            factors = {"sum_multiplier": self.arithmetic.sum_factors(a, b, out)}
            self.become(value, factors, out, operation, node, "sum")
        elif operation == "MUL":
            factors = {"multiplier": self.arithmetic.product_factor(a, b, out)}
            self.become(value, factors, out, operation, node)
        else:
            node.refuse()

    # ---- Elementwise ----

    def elementwise(self, operation, node, value):
        out = self.output(node)
        compute = getattr(self, "each_" + operation.lower(), None)
        if compute is None:
            raise ImportFailure(f"{node.name}: {operation} of integers, of which there is no exact "
                                "arithmetic here")
        values = compute(node, *(self.operand(node, i) for i in range(len(node.inputs))), out)
        low, high = self.arithmetic.limits(self.activation(operation, node), out)
        value.bytes = Bytes(out, numpy.clip(values, low, high).astype(numpy.uint8))

    def operand(self, node, position):
        """(which byte it is for each of the node's, their quantisation)."""
        if isinstance(node.inputs[position], Plane):
            known = self.bytes(node, position)
            return known.each(), known.quantisation
        index = node.indices[position]
        numbers, quantised = self.graph.numbers(index), self.quantisation(index)
        if quantised is None:
            raise ImportFailure(f"{node.name}: floats meet integers")
        numbers = numbers.reshape(-1, 1).astype(numpy.int64) + quantised.origin
        if numbers.size == 1:
            return numbers[0], quantised
        image = next(x.value.node for x in node.inputs if isinstance(x, Plane))
        if image.kind != "input" or numbers.size != image.channels:
            raise ImportFailure(f"{node.name}: {numbers.size} numbers for the channels of a "
                                "quantised plane")
        return numbers, quantised

    def each_add(self, node, x, y, out):
        return self.arithmetic.add(*x, *y, out)

    def each_sub(self, node, x, y, out):
        return self.arithmetic.subtract(*x, *y, out)

    def each_mul(self, node, x, y, out):
        return self.arithmetic.multiply(*x, *y, out)

    @staticmethod
    def each_hard_swish(node, x, out):
        if x[1].scale >= 128 * out.scale:
            raise ImportFailure(f"{node.name}: its scale is less than a 128th of its input's")
        return litert.hard_swish(*x, out)

    @staticmethod
    def extreme(node, function, x, y, out):
        if not x[1] == y[1] == out:
            raise ImportFailure(f"{node.name}: a maximum or minimum of numbers that are quantised in "
                                "several ways")
        return function(x[0], y[0])

    def each_maximum(self, node, x, y, out):
        return self.extreme(node, numpy.maximum, x, y, out)

    def each_minimum(self, node, x, y, out):
        return self.extreme(node, numpy.minimum, x, y, out)

    @staticmethod
    def clipped(activation, x, out):
        """An activation by itself, which all modes compute by fixed point."""
        values, quantised = x
        if quantised != out:
            values = litert.Fixed.requantise(values, quantised, out)
        return numpy.clip(values, *litert.limits(activation, out))

    def each_relu(self, node, x, out):
        return self.clipped("relu", x, out)

    def each_relu6(self, node, x, out):
        return self.clipped("relu6", x, out)

    # ---- What changes no numbers, and ends ----

    def move(self, operation, node, value):
        known = self.bytes(node, 1 if operation == "SPLIT" else 0)
        if self.quantisation(node.outputs[0]) != known.quantisation:
            raise ImportFailure(f"{node.name}: is quantised otherwise than its input")
        if self.arithmetic.limits(self.activation(operation, node), known.quantisation) != (0, 255):
            raise ImportFailure(f"{node.name}: {operation} with an activation that matters")
        if value.node is not node.plane(0).value.node and value.node.kind != "input":
            value.node.integers, value.node.quantisation = {}, known.quantisation
            value.bytes = Bytes(known.quantisation)
        elif value.bytes is None:
            value.bytes = known

    def convert(self, operation, node, value):
        if operation == "DEQUANTIZE":
            value.bytes = value.bytes.as_floats()
            return
        out = self.output(node)
        if value.final:
            self.probabilities_again(node, value, out)
        elif value.bytes is not None:
            values = self.arithmetic.requantise(value.bytes.each(), value.bytes.quantisation, out)
            value.bytes = Bytes(out, numpy.clip(values, 0, 255).astype(numpy.uint8))
        elif value.node.kind == "input" and value.node.integers is None:
            value.node.integers, value.node.quantisation = {}, out
            value.bytes = Bytes(out)
        else:
            raise ImportFailure(f"{node.name}: computes with floats between integers")

    def ends_in_floats(self, operation, node, value):
        """After the last layer's numbers have been made floats."""
        if operation not in ("RESHAPE", "SQUEEZE", "SOFTMAX", "LOG_SOFTMAX", "LOGISTIC"):
            raise ImportFailure(f"{node.name}: computes with floats between integers")
        value.bytes = node.plane(0).value.bytes

    def end(self, operation, node, value):
        known, out = self.bytes(node), self.output(node)
        if out.scale != 1 / 256 or out.zero_byte != 0:
            raise ImportFailure(f"{node.name}: probabilities with scale {out.scale:.6g} and zero "
                                f"point {out.zero}, expected 1/256 and the lowest number")
        tensors = out.tensors("probabilities")
        if operation == "SOFTMAX":
            beta = node.option(0, "f32", 0.0) or 1.0
            tensors["probabilities_table"] = self.arithmetic.exponentials(
                numpy.float32(beta), known.quantisation.scale)
        else:
            tensors["probabilities_lookup"] = out.numbers(litert.sigmoid(known.quantisation))
        value.bytes, value.probabilities = known, tensors

    @staticmethod
    def probabilities_again(node, value, out):
        """From one type to the other."""
        if out.scale != 1 / 256 or out.zero_byte != 0:
            raise ImportFailure(f"{node.name}: probabilities are quantised for a second time")
        tensors = {**value.probabilities, **out.tensors("probabilities")}
        if "probabilities_lookup" in tensors:
            old = tensors["probabilities_lookup"]
            tensors["probabilities_lookup"] = out.numbers(
                old.astype(int) + (128 if old.dtype == numpy.int8 else 0))
        value.probabilities = tensors
