"""A model file and the library's description of its network, as layers with batch norm folded.

Every other runtime's model is written from what this module gives: one set of weights for all.
"""

import dataclasses
import json
import math
import pathlib
import struct

import numpy

WEIGHTED_KINDS = ("convolution", "depthwise", "pointwise", "fully_connected")


@dataclasses.dataclass
class Activation:
    kind: str  # "none", "relu", "relu6", "hard_sigmoid", "hard_swish"
    slope: float = 1 / 6
    offset: float = 0.5

    def is_standard(self):
        """Whether it is the hard-sigmoid or hard-swish that formats with a fixed one mean."""
        return math.isclose(self.slope, 1 / 6, rel_tol=1e-6) and self.offset == 0.5


@dataclasses.dataclass
class Layer:
    """As mbn_layer of include/mobilenet.h, with names instead of indices."""

    name: str
    kind: str
    role: str
    input: str
    gate: str | None
    residual: str | None
    input_shape: tuple[int, int, int]  # height, width, channels
    output_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]  # top, left, bottom, right
    activation: Activation
    weight: numpy.ndarray | None = None  # [output, input, kh, kw], depthwise [channel, 1, kh, kw]
    bias: numpy.ndarray | None = None

    @property
    def is_dense(self):
        """Whether it works on a vector: in and behind squeeze-excite, behind the pool."""
        return self.kind == "fully_connected"


@dataclasses.dataclass
class Network:
    name: str
    input_shape: tuple[int, int, int]
    classes: int
    multiply_adds: int
    parameters: int
    layers: list[Layer]

    INPUT = "image"

    def uses(self, name):
        """How many times an output is read."""
        return sum([layer.input, layer.gate, layer.residual].count(name) for layer in self.layers)


def load(model, description):
    """The network of a .safetensors file, described by `mobilenet-runner describe`."""
    return from_description(description, read_safetensors(model))


def from_description(description, tensors):
    reader = _Weights(description, tensors)
    names = [row["name"] for row in description["layers"]]
    layers = []
    for row in description["layers"]:
        layer = Layer(
            name=row["name"],
            kind=row["kind"].replace(" ", "_"),
            role=row["role"],
            input=_name(names, row["input"]) or Network.INPUT,
            gate=_name(names, row["gate"]),
            residual=_name(names, row["residual"]),
            input_shape=tuple(row["input_shape"]),
            output_shape=tuple(row["output_shape"]),
            kernel=tuple(row["kernel"]),
            stride=tuple(row["stride"]),
            pads=tuple(row["pads"]),
            activation=Activation(**row["activation"]),
        )
        if layer.kind in WEIGHTED_KINDS:
            layer.weight, layer.bias = reader.folded(row)
        layers.append(layer)
    return Network(description["name"], tuple(description["input_shape"]), description["classes"],
                   description["multiply_adds"], description["parameters"], layers)


def _name(names, index):
    return names[index] if index >= 0 else None


class _Weights:
    """Weights and biases in double precision, folded, as float32."""

    def __init__(self, description, tensors):
        self.tensors = tensors
        self.epsilon = description["batch_norm_epsilon"]
        self.keras = description["source"] == "keras"

    def folded(self, row):
        weight = self._weight(row)
        bias = numpy.zeros(len(weight))
        if row["bias"]:
            bias = self._vector(row["name"], "/bias" if self.keras else ".bias")
        if row["batch_norm"]:
            scale, shift = self._batch_norm(row["batch_norm"])
            weight = weight * scale[:, None, None, None]
            bias = bias * scale + shift
        return (numpy.ascontiguousarray(weight, numpy.float32),
                numpy.ascontiguousarray(bias, numpy.float32))

    def _weight(self, row):
        rows, columns = row["kernel"]
        outputs = row["output_shape"][2]
        inputs = 1 if row["kind"] == "depthwise" else row["input_shape"][2]
        name = row["name"] + ("/kernel" if self.keras else ".weight")
        tensor = self.tensors[name].astype(numpy.float64)
        if not self.keras:
            return tensor.reshape(outputs, inputs, rows, columns)
        if row["kind"] == "depthwise":
            return tensor.reshape(rows, columns, outputs, 1).transpose(2, 3, 0, 1)
        return tensor.reshape(rows, columns, inputs, outputs).transpose(3, 2, 0, 1)

    def _batch_norm(self, name):
        suffixes = ((".weight", ".bias", ".running_mean", ".running_var") if not self.keras else
                    ("/gamma", "/beta", "/moving_mean", "/moving_variance"))
        gamma, beta, mean, variance = (self._vector(name, suffix) for suffix in suffixes)
        scale = gamma / numpy.sqrt(variance + self.epsilon)
        return scale, beta - mean * scale

    def _vector(self, name, suffix):
        return self.tensors[name + suffix].astype(numpy.float64)


def read_safetensors(path):
    """Tensors by name.  The library has validated the file before this reads it."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: _tensor(data[8 + length:], entry) for name, entry in header.items()}


def _tensor(data, entry):
    begin, end = entry["data_offsets"]
    if entry["dtype"] == "BF16":
        half = numpy.frombuffer(data[begin:end], "<u2").astype(numpy.uint32)
        return (half << 16).view(numpy.float32).reshape(entry["shape"])
    kinds = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
    return numpy.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
