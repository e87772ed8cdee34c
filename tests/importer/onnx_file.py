"""Writes ONNX files without onnx: the messages that a model needs."""
import struct

import numpy

from small_network import Act, Add, Conv, Dense, MaxPool, Mul, Pool

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int32": 6, "int64": 7, "float16": 10, "float64": 11}


def varint(value):
    value &= (1 << 64) - 1
    result = b""
    while value > 0x7F:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def field(number, value):
    """A field of a message: an integer, a float, text or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, array, raw=True):
    message = b"".join(field(1, size) for size in array.shape) + field(8, name)
    message += field(2, TYPES[array.dtype.name])
    if raw:
        return message + field(9, array.tobytes())
    if array.dtype.kind == "i":
        return message + field(7, b"".join(varint(int(v)) for v in array.reshape(-1)))
    return message + field(4, array.astype("<f4").tobytes())


def attribute(name, value):
    message = field(1, name)
    if isinstance(value, int):
        return message + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return message + field(2, value) + field(20, 1)
    if isinstance(value, str):
        return message + field(4, value) + field(20, 3)
    if isinstance(value, numpy.ndarray):
        return message + field(5, tensor("", value)) + field(20, 4)
    return message + b"".join(field(8, v) for v in value) + field(20, 7)


def node(operation, inputs, output, **attributes):
    message = b"".join(field(1, name) for name in inputs) + field(2, output)
    message += field(3, f"{output}/{operation}") + field(4, operation)
    return message + b"".join(field(5, attribute(k, v)) for k, v in attributes.items())


def value_info(name, shape, kind=1):
    """shape: None: not said."""
    if shape is None:
        return field(1, name) + field(2, field(1, field(1, kind)))
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def external(name, array, **entries):
    """A tensor whose values are in a file beside the graph."""
    message = b"".join(field(1, size) for size in array.shape) + field(8, name)
    message += field(2, TYPES[array.dtype.name]) + field(14, 1)
    return message + b"".join(field(13, field(1, key) + field(2, str(value)))
                              for key, value in entries.items())


def model(nodes, initialisers, shape, output, producer="test", image="image", kind=1,
          opset=14):
    """output, image: a name, or several; of outputs also {name: type}."""
    images = [image] if isinstance(image, str) else image
    outputs = [output] if isinstance(output, str) else output
    kinds = output if isinstance(output, dict) else dict.fromkeys(outputs, 1)
    graph = b"".join(field(1, n) for n in nodes)
    graph += b"".join(field(5, t) for t in initialisers)
    graph += b"".join(field(11, value_info(name, shape, kind)) for name in images)
    graph += b"".join(field(12, value_info(name, None, kinds[name])) for name in outputs)
    return field(1, 7) + field(2, producer) + field(7, graph) + field(8, field(2, opset))


class Writer:
    """A small network as nodes.  fold: batch norm is in the weights; decomposed: activations are
    made of additions, clips and products; matmul: fully connected layers too."""

    def __init__(self, decomposed=False, matmul=False, raw=True, clip_inputs=True):
        self.decomposed, self.matmul, self.raw = decomposed, matmul, raw
        self.clip_inputs = clip_inputs
        self.nodes, self.tensors = [], []

    def constant(self, name, array):
        self.tensors.append(tensor(name, numpy.asarray(array, order="C"), self.raw))
        return name

    def scalar(self, name, value):
        return self.constant(name, numpy.array(value, numpy.float32))

    def clip(self, x, output, low, high):
        if self.clip_inputs:
            bounds = [self.scalar(f"{output}_low", low), self.scalar(f"{output}_high", high)]
            self.nodes.append(node("Clip", [x, *bounds], output))
        else:
            self.nodes.append(node("Clip", [x], output, min=low, max=high))

    def conv(self, op):
        inputs = [op.x, self.constant(f"{op.name}_w", op.weight)]
        if op.bias is not None:
            inputs.append(self.constant(f"{op.name}_b", op.bias))
        output = op.name if op.norm is None else f"{op.name}_conv"
        self.nodes.append(node("Conv", inputs, output, strides=list(op.strides),
                               pads=list(op.pads), group=op.groups, dilations=[1, 1],
                               kernel_shape=list(op.weight.shape[2:])))
        if op.norm is not None:
            names = [self.constant(f"{op.name}_{p}", getattr(op.norm, p))
                     for p in ("gamma", "beta", "mean", "variance")]
            self.nodes.append(node("BatchNormalization", [output, *names], op.name,
                                   epsilon=op.norm.epsilon))

    def act(self, op):
        if op.kind == "relu":
            self.nodes.append(node("Relu", [op.x], op.name))
        elif op.kind == "relu6":
            self.clip(op.x, op.name, 0.0, 6.0)
        elif op.kind == "hard_sigmoid_0.2":
            self.nodes.append(node("HardSigmoid", [op.x], op.name))  # its default slope
        elif not self.decomposed:
            name = {"hard_swish": "HardSwish", "hard_sigmoid": "HardSigmoid"}[op.kind]
            more = {"alpha": 1 / 6} if name == "HardSigmoid" else {}
            self.nodes.append(node(name, [op.x], op.name, **more))
        else:
            three = self.scalar(f"{op.name}_three", 3.0)
            self.nodes.append(node("Add", [op.x, three], f"{op.name}_shifted"))
            self.clip(f"{op.name}_shifted", f"{op.name}_clipped", 0.0, 6.0)
            inner = f"{op.name}_clipped"
            if op.kind == "hard_swish":
                self.nodes.append(node("Mul", [op.x, inner], f"{op.name}_product"))
                inner = f"{op.name}_product"
            six = self.scalar(f"{op.name}_six", 6.0)
            self.nodes.append(node("Div", [inner, six], op.name))

    def dense(self, op):
        self.nodes.append(node("Flatten", [op.x], f"{op.name}_flat"))
        if self.matmul:
            weight = self.constant(f"{op.name}_w", op.weight.T.copy())
            self.nodes.append(node("MatMul", [f"{op.name}_flat", weight], f"{op.name}_product"))
            self.nodes.append(node("Add", [self.constant(f"{op.name}_b", op.bias),
                                           f"{op.name}_product"], op.name))
        else:
            inputs = [f"{op.name}_flat", self.constant(f"{op.name}_w", op.weight),
                      self.constant(f"{op.name}_b", op.bias)]
            self.nodes.append(node("Gemm", inputs, op.name, transB=1))

    def write(self, operations, shape, softmax=False, final=None, **options):
        """final: an operation behind the last one."""
        for op in operations:
            if isinstance(op, Conv):
                self.conv(op)
            elif isinstance(op, Act):
                self.act(op)
            elif isinstance(op, Pool):
                kind = "GlobalMaxPool" if op.maximum else "GlobalAveragePool"
                self.nodes.append(node(kind, [op.x], op.name))
            elif isinstance(op, MaxPool):
                self.nodes.append(node("MaxPool", [op.x], op.name, kernel_shape=[op.window] * 2,
                                       strides=[op.stride] * 2))
            elif isinstance(op, Dense):
                self.dense(op)
            elif isinstance(op, (Add, Mul)):
                self.nodes.append(node(type(op).__name__, [op.a, op.b], op.name))
        output = operations[-1].name
        final = "Softmax" if softmax else final
        if final:
            axis = {} if final == "Sigmoid" else {"axis": 1}
            self.nodes.append(node(final, [output], "probabilities", **axis))
            output = "probabilities"
        return model(self.nodes, self.tensors, shape, output, **options)
