"""The integers of a quantised ONNX graph: of QLinear operations, and of operations of floats between
DequantizeLinear and QuantizeLinear, which are taken for the QLinear operations that they stand for.

Bytes are unsigned here: of signed numbers they are these plus 128."""
from dataclasses import dataclass

import numpy

from . import onnx_arithmetic as arithmetic
from .errors import ImportFailure
from .graph import Value
from .integers import Bytes, NotInIntegers, check_scales, check_zero, quantisation
from .plane import Plane

_KINDS = ("int8", "uint8")
# Numbers stay the same, where their shape or place does not.
_MOVES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Pad",
          "MaxPool", "GlobalMaxPool", "ReduceMax")
_ENDS = ("Softmax", "LogSoftmax", "Sigmoid")
_CONSTANTS_MOVE = ("Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze")
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")


def _short(operation):
    return operation.removeprefix("com.microsoft.")


def among(nodes):
    """Whether a graph has quantised operations at all."""
    return any(_short(node.operation) in _QUANTISED for node in nodes)


@dataclass
class Stored:
    """A constant's integers; scale and zero have one element, or one for each index of the axis."""
    name: str
    values: numpy.ndarray
    scale: numpy.ndarray
    zero: numpy.ndarray
    axis: int

    def transposed(self, order):
        rank = self.values.ndim
        axis = [axis % rank for axis in order].index(self.axis % rank) if rank else 0
        return Stored(self.name, self.values.transpose(order), self.scale, self.zero, axis)


class Floats:
    """What a graph computes in floats of each of a node's 256 bytes."""

    def __init__(self, values):
        self.values = numpy.asarray(values, numpy.float32)


class Pending:
    """What a node computes of integers, before it is quantised: complete(out) gives its tensors,
    prefix says which quantise it.  low, high: what floats between are clamped to."""

    def __init__(self, complete, prefix="output", low=-numpy.inf, high=numpy.inf, add_bias=None):
        self.complete, self.prefix, self.add_bias = complete, prefix, add_bias
        self.low, self.high = low, high

    def clamped(self, low, high):
        return Pending(self.complete, self.prefix, *numpy.clip((self.low, self.high), low, high))


class Integers:
    """follow: what each operation of a Graph does to them.  between_floats: some are operations of
    floats, which ONNX Runtime may compute as such."""

    def __init__(self, graph):
        self.graph, self.between_floats = graph, False
        self.stored = {}

    # ---- Constants ----

    def constant(self, node, inputs, result):
        """Of an operation none of whose inputs depends on the image."""
        operation, name = _short(node.operation), node.outputs[0]
        first = self.stored.get(node.inputs[0]) if node.inputs else None
        if operation == "DequantizeLinear":
            zero = inputs[2] if len(inputs) > 2 else numpy.zeros(1, inputs[0].dtype)
            self.stored[name] = Stored(node.inputs[0], inputs[0], inputs[1].reshape(-1),
                                       zero.reshape(-1), node.integer("axis", 1))
        elif first is not None and operation in _CONSTANTS_MOVE:
            if operation == "Transpose":
                order = node.integers("perm", list(range(result.ndim))[::-1])
                self.stored[name] = first.transposed(order)
            elif operation == "Identity" or first.scale.size == first.zero.size == 1:
                self.stored[name] = Stored(first.name, first.values.reshape(result.shape),
                                           first.scale, first.zero, first.axis)

    def quantisation(self, node, position):
        """By the scale that is an input of the node, and the zero point behind it."""
        names = node.inputs[position:position + 2]
        scale = self.graph.constant(node, self.graph.values.get(names[0]) if names else None)
        zero = numpy.zeros(1, numpy.uint8)
        if len(names) > 1 and names[1]:
            zero = self.graph.constant(node, self.graph.values.get(names[1]))
        kind = zero.dtype.name
        if kind not in _KINDS or scale.dtype != numpy.float32:
            raise NotInIntegers(f"{node.name}: numbers of {kind} and scales of {scale.dtype.name}")
        if scale.size != 1 or zero.size != 1:
            raise NotInIntegers(f"{node.name}: {names[0]} has {scale.size} elements, where planes "
                                "have one")
        return quantisation(names[0], float(scale.reshape(())), int(zero.reshape(())), kind)

    def divisor(self, node, position):
        """The same of an output, by whose scale numbers are divided."""
        quantised = self.quantisation(node, position)
        if not quantised.scale > 0:
            raise ImportFailure(f"{node.inputs[position]}: 0, by which numbers are divided")
        return quantised

    # ---- Following the graph ----

    def follow(self, node, inputs, result):
        """An operation's result with what is known of its integers."""
        if isinstance(result, list):
            return [self.follow(node, inputs, one) for one in result]
        if not isinstance(result, Plane):
            return result
        value = result.value
        value = Value(value.node, value.function, value.pads, value.final, value.bytes)
        operation = _short(node.operation)
        if value.node.kind == "input":
            value.bytes = self.of_image(operation, node, inputs, value)
        else:
            method = getattr(self, "of_" + operation.lower(), None)
            if method is None and operation in _MOVES:
                method = self.move
            elif method is None and operation in _ENDS:
                method = self.end
            elif method is None:
                method = self.elementwise
            value.bytes = method(node, inputs, value)
        return result.with_value(value)

    def of_image(self, operation, node, inputs, value):
        """What the network reads is quantised last: what is before is done to the image."""
        if operation not in ("QuantizeLinear", "DequantizeLinear"):
            if operation in _MOVES:
                return inputs[0].value.bytes
            value.node.integers = None
            return None
        quantised = self.divisor(node, 1)
        value.node.quantisation = quantised
        value.node.integers = quantised.tensors("input")
        return Bytes(quantised)

    def bytes(self, node, x, position=None):
        """Of an input; position: of its scale, which is to be the one it was quantised by."""
        known = x.value.bytes if isinstance(x, Plane) else None
        if not isinstance(known, Bytes):
            raise NotInIntegers(f"{node.name}: computes with floats")
        if position is not None and self.quantisation(node, position) != known.quantisation:
            raise NotInIntegers(f"{node.name}: {node.inputs[position]} is not what its numbers are "
                                "quantised by")
        return known

    @staticmethod
    def complete(target, pending, out):
        """Gives a graph node its integers."""
        integers = {**pending.complete(out), **out.tensors(pending.prefix)}
        low, high = (int(byte) for byte in arithmetic.quantise([pending.low, pending.high], out))
        if (low, high) != (0, 255):
            integers[f"{pending.prefix}_range"] = out.numbers([low, high])
        if target.quantisation not in (None, out):
            raise NotInIntegers(f"{target}: is quantised in two ways")
        target.integers, target.quantisation = integers, out
        return Bytes(out)

    # ---- QuantizeLinear, DequantizeLinear ----

    def of_quantizelinear(self, node, inputs, value):
        known, out = inputs[0].value.bytes, self.divisor(node, 1)
        if value.final:
            return self.probabilities(known)
        if isinstance(known, Pending):
            self.between_floats = True
            return self.complete(value.node, known, out)
        if isinstance(known, Bytes):
            if known.quantisation == out:
                return known
            known = Floats(arithmetic.dequantise(known.each(), known.quantisation))
        if known is None:
            raise NotInIntegers(f"{node.name}: quantises what is computed of floats")
        return Bytes(out, arithmetic.quantise(known.values, out).astype(numpy.uint8))

    def of_dequantizelinear(self, node, inputs, value):
        return inputs[0].value.bytes if value.final else self.bytes(node, inputs[0], 1)

    # ---- Layers with weights ----

    def layer(self, node, source, weight, bias):
        """weight: a Stored, its outputs first; bias: a function of the factors that say in what
        units it is, or None."""
        kind = weight.values.dtype.name
        if kind not in _KINDS:
            raise NotInIntegers(f"{weight.name}: weights of {kind}")
        channels = weight.values.shape[0]
        scale, zero = weight.scale.reshape(-1), weight.zero.reshape(-1)
        if any(of.size not in (1, channels) for of in (scale, zero)) or \
                max(scale.size, zero.size) > 1 and weight.axis % weight.values.ndim:
            raise NotInIntegers(f"{weight.name}: its scales are not those of outputs")
        check_scales(weight.name, scale)
        for one in zero.tolist():
            check_zero(weight.name, one, kind)
        tensors = {"weight": weight.values, "weight_scale": scale.astype(numpy.float32)}
        if kind == "uint8" or zero.any():
            tensors["weight_zero_point"] = zero.astype(kind)
        units = numpy.broadcast_to(source.scale * tensors["weight_scale"], channels)
        tensors["bias"] = numpy.zeros(channels, numpy.int32) if bias is None else \
            numpy.broadcast_to(bias(units), channels)  # which has one, or as many

        def complete(out):
            factors = arithmetic.layer_factors(source, tensors["weight_scale"], out)
            if not numpy.isfinite(factors).all():
                raise ImportFailure(f"{weight.name}: its scale is too large for its layer's output")
            return {**tensors, "multiplier":
                    numpy.broadcast_to(factors, channels).astype(numpy.float32)}

        def add_bias(numbers):
            tensors["bias"] = _whole(node.name, numbers, units, tensors["bias"])
        return Pending(complete, add_bias=add_bias)

    def weights(self, node, position, transposed=False):
        name = node.inputs[position]
        stored = self.stored.get(name)
        if stored is None:
            raise NotInIntegers(f"{node.name}: its weights are floats")
        return stored.transposed((1, 0)) if transposed else stored

    def bias(self, node, position):
        name = node.inputs[position] if len(node.inputs) > position else ""
        if not name:
            return None
        stored = self.stored.get(name)
        if stored is not None and stored.values.dtype == numpy.int32 and not stored.zero.any() \
                and stored.scale.size in (1, stored.values.size):
            def numbers(units):
                values = stored.values.reshape(-1)
                if numpy.allclose(stored.scale, units, 1e-3, 0):
                    return values
                return _whole(name, values * stored.scale.astype(numpy.float64), units)
            return numbers
        values = self.graph.constant(node, self.graph.values.get(name)).reshape(-1)
        return lambda units: _whole(name, values, units)

    def of_conv(self, node, inputs, value):
        return self.layer(node, self.bytes(node, inputs[0]).quantisation, self.weights(node, 1),
                          self.bias(node, 2))

    def of_gemm(self, node, inputs, value):
        if (node.float("alpha", 1.0), node.float("beta", 1.0)) != (1.0, 1.0):
            raise NotInIntegers(f"{node.name}: Gemm with alpha and beta")
        return self.layer(node, self.bytes(node, inputs[0]).quantisation,
                          self.weights(node, 1, not node.integer("transB", 0)), self.bias(node, 2))

    def of_matmul(self, node, inputs, value):
        return self.layer(node, self.bytes(node, inputs[0]).quantisation,
                          self.weights(node, 1, True), None)

    def qlinear(self, node, inputs, value, axis, bias, out):
        """axis: of the weights' outputs; bias, out: the positions of bias and output's scale."""
        source = self.bytes(node, inputs[0], 1).quantisation
        values, scale, zero = (self.graph.constant(node, v) for v in inputs[3:6])
        weight = Stored(node.inputs[3], values, scale.reshape(-1), zero.reshape(-1), axis)
        if axis:
            weight = weight.transposed((1, 0))
        numbers = None
        if bias is not None and len(inputs) > bias and inputs[bias] is not None:
            values = self.graph.constant(node, inputs[bias]).reshape(-1)
            if values.dtype != numpy.int32:
                raise NotInIntegers(f"{node.inputs[bias]}: a bias of {values.dtype.name}")
            numbers = lambda units: values
        if len(inputs) <= out:
            raise NotInIntegers(f"{node.name}: its output is floats")
        return self.complete(value.node, self.layer(node, source, weight, numbers),
                             self.divisor(node, out))

    def of_qlinearconv(self, node, inputs, value):
        return self.qlinear(node, inputs, value, 0, 8, 6)

    def of_qgemm(self, node, inputs, value):
        if node.float("alpha", 1.0) != 1.0:
            raise NotInIntegers(f"{node.name}: QGemm with alpha")
        return self.qlinear(node, inputs, value, 0 if node.integer("transB", 0) else 1, 6, 7)

    def of_qlinearmatmul(self, node, inputs, value):
        return self.qlinear(node, inputs, value, 1, None, 6)

    # ---- Global pools ----

    def of_globalaveragepool(self, node, inputs, value):
        known = inputs[0].value.bytes
        if isinstance(known, Floats):
            return Pending(lambda out: {"values": known.values})
        self.bytes(node, inputs[0])
        return Pending(lambda out: {})

    of_averagepool = of_globalaveragepool

    def of_reducemean(self, node, inputs, value):
        self.bytes(node, inputs[0])
        # Of both axes, one after the other perhaps.
        return inputs[0].value.bytes if value.node.kind != "global_pool" else \
            Pending(lambda out: {})

    def of_qlinearglobalaveragepool(self, node, inputs, value):
        self.bytes(node, inputs[0], 1)
        return self.complete(value.node, Pending(lambda out: {}), self.divisor(node, 3))

    of_qlinearaveragepool = of_qlinearreducemean = of_qlinearglobalaveragepool

    # ---- Sums and products of two nodes ----

    def planes(self, node, inputs, positions=(None, None)):
        """positions: of the scales, where there are some."""
        a, b = (self.bytes(node, x, at).quantisation for x, at in zip(inputs, positions))
        if "Add" in node.operation:
            if not a.kind == b.kind:
                raise NotInIntegers(f"{node.name}: adds {a.kind} and {b.kind}")

            def complete(out):
                if out.kind != a.kind:
                    raise NotInIntegers(f"{node.name}: its sum is {out.kind}, its terms {a.kind}")
                return {"sum_multiplier": arithmetic.sum_factors(a, b, out)}
            return Pending(complete, "sum")
        if "Mul" not in node.operation:
            raise NotInIntegers(f"{node.name}: {node.operation} of two planes")
        return Pending(lambda out: {"multiplier": arithmetic.product_factor(a, b, out)})

    def of_qlinearadd(self, node, inputs, value, each=arithmetic.add):
        out, pairs = self.divisor(node, 6), ((inputs[0], 0), (inputs[3], 3))
        if _apart(inputs[0], inputs[3]):
            pending = self.planes(node, (inputs[0], inputs[3]), (1, 4))
            return self.complete(value.node, pending, out)
        terms = []
        for x, position in pairs:
            if isinstance(x, Plane):
                known = self.bytes(node, x, position + 1)
                terms.append((known.each(), known.quantisation))
                continue
            quantised = self.quantisation(node, position + 1)
            numbers = self.graph.constant(node, x)
            if numbers.size != 1:
                raise NotInIntegers(f"{node.name}: {node.inputs[position]} has {numbers.size} "
                                    "numbers: preprocess the graph (onnxruntime.quantization"
                                    ".preprocess), which makes a bias of them")
            terms.append((numbers.reshape(-1).astype(numpy.int64) + quantised.origin, quantised))
        (x, a), (y, b) = terms
        return Bytes(out, each(x, y, a, b, out).astype(numpy.uint8))

    def of_qlinearmul(self, node, inputs, value):
        return self.of_qlinearadd(node, inputs, value, arithmetic.multiply)

    # ---- Elementwise ----

    def floats(self, node, x):
        """Of each of the node's bytes, or a constant."""
        if not isinstance(x, Plane):
            number = self.graph.constant(node, x)
            if number.size != 1:
                raise NotInIntegers(f"{node.name}: a number for each channel")
            return number.reshape(()).astype(numpy.float32)
        known = x.value.bytes
        if isinstance(known, Bytes):
            return arithmetic.dequantise(known.each(), known.quantisation)
        if not isinstance(known, Floats):
            raise NotInIntegers(f"{node.name}: computes with floats between integers")
        return known.values

    def elementwise(self, node, inputs, value):
        planes = [x for x in inputs if isinstance(x, Plane)]
        if len(planes) == 2 and _apart(*planes):
            return self.planes(node, inputs)
        known = planes[0].value.bytes
        if isinstance(known, Pending):
            return self.before_quantising(node, inputs, known)
        function = _FLOATS.get(node.operation)
        if function is None:
            raise NotInIntegers(f"{node.name}: {node.operation} of integers")
        terms = [None if x is None else self.floats(node, x) for x in inputs]
        with numpy.errstate(all="ignore"):
            return Floats(function(node, *terms))

    def before_quantising(self, node, inputs, pending):
        """What is done to sums that have not been quantised yet."""
        if node.operation == "Relu":
            return pending.clamped(0, numpy.inf)
        if node.operation == "Clip":
            low, high = (_bound(node, self.floats, inputs, position) for position in (1, 2))
            return pending.clamped(low, high)
        if node.operation == "Add" and pending.add_bias is not None \
                and (pending.low, pending.high) == (-numpy.inf, numpy.inf):
            constant = next(x for x in inputs if not isinstance(x, Plane))
            pending.add_bias(self.graph.constant(node, constant).reshape(-1))
            return pending
        raise NotInIntegers(f"{node.name}: {node.operation} of sums that are not quantised")

    # ---- What changes no numbers, and ends ----

    def move(self, node, inputs, value):
        known = inputs[0].value.bytes
        if value.node is inputs[0].value.node:
            return known
        known = self.bytes(node, inputs[0])
        value.node.integers, value.node.quantisation = {}, known.quantisation
        return Bytes(known.quantisation)

    def of_cast(self, node, inputs, value):
        if inputs[0].value.bytes is not None and self.graph.exact is False \
                and node.integer("to", 1) != 1:
            raise NotInIntegers(f"{node.name}: numbers become others")
        return inputs[0].value.bytes

    def end(self, node, inputs, value):
        return self.bytes(node, inputs[0])

    def probabilities(self, logits):
        """What is final is computed in floats here, of logits that are bytes, and stays floats."""
        note = "its probabilities are not rounded to 8 bits, as the source's are"
        if note not in self.graph.notes:
            self.graph.notes.append(note)
        return logits

    def of_qlinearsoftmax(self, node, inputs, value):
        return self.probabilities(self.bytes(node, inputs[0], 1))

    of_qlinearsigmoid = of_qlinearsoftmax


def _apart(a, b):
    return isinstance(a, Plane) and isinstance(b, Plane) and a.value.node is not b.value.node


def _whole(name, numbers, units, already=0):
    """Floats in these units, as int32."""
    numbers = numpy.asarray(numbers, numpy.float64)
    with numpy.errstate(all="ignore"):
        whole = numpy.where(numbers == 0, 0, numpy.rint(numbers / units)) + already
    if not (numpy.abs(whole) < 2.0 ** 31).all():
        raise ImportFailure(f"{name}: beyond 32 bits, in units of its input's scale and its "
                            "weights'")
    return whole.astype(numpy.int32)


def _bound(node, floats, inputs, position):
    """Of Clip: an input since version 11, an attribute before."""
    key, default = (("min", -numpy.inf), ("max", numpy.inf))[position - 1]
    if len(inputs) > position and inputs[position] is not None:
        return floats(node, inputs[position])
    return numpy.float32(node.float(key, default))


def _clip(node, x, *bounds):
    low, high = (_bound(node, lambda _, bound: bound, (x, *bounds), at) for at in (1, 2))
    return numpy.minimum(numpy.maximum(x, low), high)


# Each in float32, as ONNX Runtime has it.
_FLOATS = {
    "Relu": lambda node, x: numpy.maximum(x, numpy.float32(0)),
    "Clip": _clip,
    "HardSigmoid": lambda node, x: arithmetic.hard_sigmoid(x, node.float("alpha", 0.2),
                                                           node.float("beta", 0.5)),
    "HardSwish": lambda node, x: arithmetic.hard_swish(x),
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": lambda node, a, b: a / b,
    "Max": lambda node, a, b: numpy.maximum(a, b),
    "Min": lambda node, a, b: numpy.minimum(a, b),
    "Neg": lambda node, x: -x,
}
