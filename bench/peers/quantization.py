"""A network's numbers as 8-bit integers: what every quantised model is written from.

Activations have a scale and a zero point per tensor, of the least and greatest value that they take
for a few images; weights a scale per output channel, and no zero point; biases are int32 in units of
both scales' product.  The last is what TensorFlow Lite defines, and ONNX can say it too.
"""

import dataclasses

import numpy
import onnxruntime
from onnx import TensorProto, helper

import onnx_model

LOW, HIGH = -128, 127
# A channel whose weights are next to nothing has a scale that keeps its bias within int32.
BIAS_LIMIT = 2.0**30


@dataclasses.dataclass
class Affine:
    """value = scale * (byte - zero_point), of int8 bytes."""

    scale: numpy.float32
    zero_point: int

    @classmethod
    def covering(cls, low, high):
        """Of all values between these, and 0."""
        low, high = min(float(low), 0.0), max(float(high), 0.0)
        scale = numpy.float32((high - low) / (HIGH - LOW)) or numpy.float32(1)
        return cls(scale, int(numpy.clip(numpy.rint(LOW - low / float(scale)), LOW, HIGH)))

    def quantized(self, values):
        bytes_ = numpy.rint(numpy.asarray(values, numpy.float64) / self.scale) + self.zero_point
        return numpy.clip(bytes_, LOW, HIGH).astype(numpy.int8)

    def ends(self):
        """The least value that it has, and the greatest."""
        return [float(self.scale) * (byte - self.zero_point) for byte in (LOW, HIGH)]

    def times(self, factor):
        """Of the same bytes, when what they stand for is multiplied."""
        return Affine(numpy.float32(self.scale * factor), self.zero_point)


@dataclasses.dataclass
class Operands:
    """Of a layer with weights."""

    weight: numpy.ndarray  # int8, [output, input, kh, kw]
    scale: numpy.ndarray  # float32, of each output channel
    bias: numpy.ndarray  # int32
    bias_scale: numpy.ndarray  # float32


class Quantization:
    def __init__(self, network, writer, ranges, inputs):
        """writer: of the network's ONNX model; ranges: of its values, by name; inputs: that they were found
        with, as it reads them."""
        self.inputs = inputs
        self.values = {name: Affine.covering(*ends) for name, ends in ranges.items()}
        for node in writer.nodes:
            if node.op_type in onnx_model.CLAMPS:
                # It is part of the operator before it, whose bytes cover no more than what is left.
                self.values[node.input[0]] = self.values[node.name]
        self.outputs = {name: self.values[value] for name, value in writer.values.items()}
        self.operands = {layer.name: _operands(layer, self.outputs[layer.input])
                         for layer in network.layers if layer.weight is not None}

    @property
    def logits(self):
        return list(self.outputs.values())[-1]


def _operands(layer, of_input):
    weight = layer.weight.astype(numpy.float64)
    scale = numpy.abs(weight).max((1, 2, 3)) / HIGH
    scale = numpy.maximum(scale, numpy.abs(layer.bias) / (of_input.scale * BIAS_LIMIT))
    scale = numpy.where(scale > 0, scale, 1).astype(numpy.float32)
    bias_scale = of_input.scale * scale
    return Operands(
        numpy.clip(numpy.rint(weight / scale[:, None, None, None]), -HIGH, HIGH).astype(numpy.int8),
        scale, numpy.rint(layer.bias / bias_scale.astype(numpy.float64)).astype(numpy.int32), bias_scale)


def calibrated(network, images):
    """From what the float network computes of images, [count, height, width, channels]."""
    writer = onnx_model.writer_of(network)
    model = writer.model()
    values = {node.output[0]: node.name for node in model.graph.node}
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
                              for output in values)
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    ranges = {onnx_model.INPUT: (images.min(), images.max())}
    inputs = [numpy.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in images]
    for image in inputs:
        for name, value in zip(values.values(), session.run(list(values), {onnx_model.INPUT: image})):
            low, high = ranges.get(name, (0, 0))
            ranges[name] = min(low, value.min()), max(high, value.max())
    return Quantization(network, writer, ranges, inputs)
