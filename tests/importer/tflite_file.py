"""Writes TensorFlow Lite files without TensorFlow: a small flatbuffer writer, and a small network
as operators."""
import struct

import numpy

from small_network import Act, Add, Conv, Dense, MaxPool, Mul, Pool

FORMATS = {"u8": "<B", "i8": "<b", "i32": "<i", "u32": "<I", "i64": "<q", "f32": "<f"}


def vector(kind, values):
    return "vector", kind, list(values)


class Buffer:
    """Lays out tables, parents before their children, so that all offsets point forward."""

    def __init__(self):
        self.bytes = bytearray(8)
        self.waiting = []

    def align(self, size):
        self.bytes += b"\0" * (-len(self.bytes) % size)

    def table(self, fields):
        """fields: {number: (kind, value)}, a dictionary for a table, ("vector", kind, values), a
        list of dictionaries, bytes or text."""
        count = max(fields, default=-1) + 1
        self.align(8)
        start = len(self.bytes) + (4 + 2 * count + 7) // 8 * 8
        offsets, body = [0] * count, bytearray(4)
        references = []
        for number, value in sorted(fields.items()):
            scalar = isinstance(value, tuple) and value[0] in FORMATS
            size = struct.calcsize(FORMATS[value[0]]) if scalar else 4
            body += b"\0" * (-len(body) % size)
            offsets[number] = len(body)
            if scalar:
                body += struct.pack(FORMATS[value[0]], value[1])
            else:
                references.append((start + len(body), value))
                body += bytes(4)
        table = struct.pack("<HH", 4 + 2 * count, len(body))
        table += b"".join(struct.pack("<H", offset) for offset in offsets)
        self.bytes += b"\0" * (start - len(self.bytes) - len(table)) + table
        struct.pack_into("<i", body, 0, len(table))
        self.bytes += body
        self.waiting += references
        return start

    def put(self, value):
        if isinstance(value, dict):
            return self.table(value)
        if isinstance(value, list):
            self.align(4)
            start = len(self.bytes)
            self.bytes += struct.pack("<I", len(value)) + bytes(4 * len(value))
            self.waiting += [(start + 4 + 4 * i, item) for i, item in enumerate(value)]
            return start
        if isinstance(value, tuple):
            _, kind, values = value
            data = b"".join(struct.pack(FORMATS[kind], v) for v in values)
            count, size = len(values), struct.calcsize(FORMATS[kind])
        else:
            data = value.encode() + b"\0" if isinstance(value, str) else bytes(value)
            count, size = len(data) - isinstance(value, str), 1
        self.bytes += b"\0" * (-(len(self.bytes) + 4) % max(size, 4))
        start = len(self.bytes)
        self.bytes += struct.pack("<I", count) + data
        return start

    def write(self, root, identifier=b"TFL3"):
        struct.pack_into("<I", self.bytes, 0, self.table(root))
        self.bytes[4:8] = identifier
        while self.waiting:
            place, value = self.waiting.pop(0)
            position = self.put(value)
            struct.pack_into("<I", self.bytes, place, position - place)
        return bytes(self.bytes)


CODES = {"add": 0, "average_pool": 1, "conv": 3, "depthwise": 4, "fully_connected": 9, "max_pool": 17,
         "mul": 18,
         "relu": 19, "relu6": 21, "softmax": 25, "mean": 40, "logistic": 14, "log_softmax": 50,
         "reduce_max": 82, "reshape": 22, "transpose": 39, "reverse_v2": 105, "strided_slice": 45,
         "split": 49, "concatenation": 2, "resize_bilinear": 23, "resize_nearest_neighbor": 97,
         "batch_matmul": 126, "cast": 53, "tile": 69, "hard_swish": 117, "custom": 32,
         "quantize": 114, "dequantize": 6, "pad": 34, "sub": 41, "maximum": 55, "minimum": 57}
# The type of the options in the schema's union, which LiteRT's verifier wants to know.
OPTIONS = {"add": 11, "average_pool": 5, "conv": 1, "depthwise": 2, "fully_connected": 8,
           "max_pool": 5, "mul": 21, "softmax": 9, "mean": 27, "reduce_max": 27, "reshape": 17,
           "quantize": 89, "dequantize": 38, "pad": 22, "sub": 28, "maximum": 39, "minimum": 39,
           "hard_swish": 91}
KINDS = {"float32": 0, "int32": 2, "uint8": 3, "int8": 9}


def quantise(weight, per_channel):
    """(integers, scales, zero points) of weights [O,...]: int8 per channel or uint8 for all."""
    if per_channel:
        scale = numpy.abs(weight).reshape(len(weight), -1).max(1) / 127
        integers = numpy.round(weight / scale.reshape(-1, 1, 1, 1)).astype(numpy.int8)
        return integers, scale.astype(numpy.float32), [0] * len(scale)
    low, high = min(weight.min(), 0), max(weight.max(), 0)
    scale = numpy.float32((high - low) / 255)
    zero = int(round(-low / scale))
    return numpy.clip(numpy.round(weight / scale) + zero, 0, 255).astype(numpy.uint8), \
        numpy.array([scale]), [zero]


def dequantised(operations, mode):
    """The network that a quantised file of it stands for."""
    result = []
    for op in operations:
        if isinstance(op, Conv):
            integers, scale, zero = quantise(op.weight, mode == "channel")
            shape = (-1, 1, 1, 1) if mode == "channel" else ()
            weight = (integers.astype(numpy.float64) - numpy.array(zero).reshape(-1, 1, 1, 1)) * \
                scale.astype(numpy.float64).reshape(shape or (1, 1, 1, 1))
            op = op._replace(weight=weight)
        result.append(op)
    return result


class Writer:
    """mode: float, tensor (uint8 weights, one scale), channel (int8 weights, a scale for each)."""

    version = 1  # of all operations

    def __init__(self, mode="float"):
        self.mode = mode
        self.tensors, self.buffers, self.operators, self.used = [], [{}], [], []
        self.index = {}

    def tensor(self, name, array=None, shape=None, quantisation=None, kind=0):
        buffer = 0
        if array is not None:
            self.buffers.append({0: numpy.ascontiguousarray(array).tobytes()})
            buffer, shape, kind = len(self.buffers) - 1, array.shape, KINDS[array.dtype.name]
        fields = {0: vector("i32", shape or [1]), 1: ("u8", kind), 2: ("u32", buffer), 3: name}
        if quantisation is not None:
            scale, zero, axis = quantisation
            fields[4] = {2: vector("f32", scale), 3: vector("i64", zero), 6: ("i32", axis)}
        self.tensors.append(fields)
        self.index[name] = len(self.tensors) - 1
        return self.index[name]

    def operator(self, kind, inputs, name, options=None, shape=None):
        """name: of the output, or several."""
        if kind not in self.used:
            self.used.append(kind)
        names = [name] if isinstance(name, str) else name
        outputs = [self.tensor(output, shape=shape) for output in names]
        self.operators.append({0: ("u32", self.used.index(kind)), 1: vector("i32", inputs),
                               2: vector("i32", outputs), 3: ("u8", OPTIONS.get(kind, 0)),
                               4: options or {}})

    def constant(self, name, values):
        return self.tensor(name, numpy.array(values, numpy.int32))

    def conv(self, op):
        depthwise = op.groups > 1
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        if self.mode == "float":
            weight = self.tensor(f"{op.name}_w", op.weight.transpose(order))
        else:
            integers, scale, zero = quantise(op.weight, self.mode == "channel")
            weight = self.tensor(f"{op.name}_w", integers.transpose(order),
                                 quantisation=(scale, zero, 3 if depthwise else 0))
        bias = self.tensor(f"{op.name}_b", op.bias)
        down, across = op.strides
        options = {0: ("i8", 0), 1: ("i32", across), 2: ("i32", down)}
        if depthwise:
            options[3] = ("i32", 1)
        self.operator("depthwise" if depthwise else "conv", [self.index[op.x], weight, bias],
                      op.name, options)

    def act(self, op):
        x = self.index[op.x]
        if op.kind == "hard_sigmoid":  # as the converter writes it: ReLU6(x + 3) / 6
            three = self.tensor(f"{op.name}_3", numpy.array([3], numpy.float32))
            sixth = self.tensor(f"{op.name}_6", numpy.array([1 / 6], numpy.float32))
            self.operator("add", [x, three], f"{op.name}_clipped", {0: ("i8", 3)})
            self.operator("mul", [self.index[f"{op.name}_clipped"], sixth], op.name)
        else:
            self.operator(op.kind, [x], op.name)

    def put(self, op):
        if isinstance(op, Conv):
            self.conv(op)
        elif isinstance(op, Act):
            self.act(op)
        elif isinstance(op, Pool):
            axes = self.tensor(f"{op.name}_axes", numpy.array([1, 2], numpy.int32))
            self.operator("reduce_max" if op.maximum else "mean", [self.index[op.x], axes],
                          op.name, {0: ("u8", 1)})
        elif isinstance(op, MaxPool):
            self.operator("max_pool", [self.index[op.x]], op.name, {
                0: ("i8", 1), 1: ("i32", op.stride), 2: ("i32", op.stride),
                3: ("i32", op.window), 4: ("i32", op.window)})
        elif isinstance(op, Dense):
            inputs = [self.index[op.x], self.tensor(f"{op.name}_w", op.weight),
                      self.tensor(f"{op.name}_b", op.bias)]
            self.operator("fully_connected", inputs, op.name)
        elif isinstance(op, (Add, Mul)):
            self.operator(type(op).__name__.lower(), [self.index[op.a], self.index[op.b]],
                          op.name)

    def write(self, operations, shape, image=None, softmax=True, final=None, before=None,
              kind=None):
        """image: (scale, zero point) of an uint8 input; final: an operation behind the last one
        instead of a softmax; before(writer): adds operators between the input "pixels" and
        "image"; kind: of the input's elements."""
        quantisation = None if image is None else ([image[0]], [image[1]], 0)
        kind = kind if kind is not None else 0 if image is None else 3
        self.tensor("pixels" if before else "image", shape=shape, quantisation=quantisation,
                    kind=kind)
        if before:
            before(self)
        for op in operations:
            self.put(op)
        output = operations[-1].name
        if softmax or final:
            self.operator(final or "softmax", [self.index[output]], "probabilities",
                          None if final else {0: ("f32", 1.0)})
            output = "probabilities"
        return self.finish(output)

    def finish(self, output="probabilities"):
        """output: a name, or several."""
        outputs = [self.index[name] for name in ([output] if isinstance(output, str) else output)]
        return Buffer().write({
            0: ("u32", 3),
            # Numbers from 127 on are in the newer field alone.
            1: [{0: ("i8", min(CODES[kind], 127)), 2: ("i32", self.version),
                 3: ("i32", CODES[kind])} for kind in self.used],
            2: [{0: self.tensors, 1: vector("i32", [0]), 2: vector("i32", outputs),
                 3: self.operators}],
            4: self.buffers})
