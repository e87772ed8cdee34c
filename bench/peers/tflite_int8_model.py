"""Writes a network of integers as a TFLite flatbuffer: the same as tflite_model's, float32 at its ends, and
int8 between a QUANTIZE and a DEQUANTIZE, as TensorFlow's converter makes it.

Hard-swish is x / 6 * relu6(x + 3), as Keras 2 wrote it: LiteRT leaves no HARD_SWISH of int8 to XNNPACK."""

import numpy
from ai_edge_litert import schema_py_generated as schema

import tflite_model
from quantization import Affine
from tflite_model import OPERATOR, OPTIONS

QUANTIZED = "image.quantized"

# From which on they take int8 with a scale per channel.
VERSIONS = {OPERATOR.CONV_2D: 3, OPERATOR.DEPTHWISE_CONV_2D: 3, OPERATOR.FULLY_CONNECTED: 4,
            OPERATOR.ADD: 2, OPERATOR.MUL: 2, OPERATOR.MEAN: 2, OPERATOR.PAD: 2,
            OPERATOR.QUANTIZE: 1, OPERATOR.DEQUANTIZE: 2}


def write(network, path, integers):
    tflite_model.save(_Writer(network, integers), path)


class _Writer(tflite_model.Writer):
    versions = VERSIONS

    def __init__(self, network, integers):
        super().__init__(network)
        self.integers = integers
        # Of operators' outputs, by name.
        self.affines = integers.values | {QUANTIZED: integers.outputs[network.INPUT]}
        self.values[network.INPUT] = self._operator(
            OPERATOR.QUANTIZE, QUANTIZED, [self.input], [1, *network.input_shape],
            OPTIONS.QuantizeOptions, schema.QuantizeOptionsT())

    def _output(self):
        last = super()._output()
        floats = self._tensor(tflite_model.OUTPUT, self.tensors[last].shape)
        return self._operation(OPERATOR.DEQUANTIZE, [last], floats, OPTIONS.DequantizeOptions,
                               schema.DequantizeOptionsT())

    def _pad(self, layer, value):
        self.affines[layer.name + ".pad"] = self.integers.outputs[layer.input]
        return super()._pad(layer, value)

    def _hard_swish(self, name, value, shape):
        self.affines[name + ".part"] = self._affine(value).times(1 / 6)
        part = self._multiply(name + ".part", value, self._sixth(name), shape)
        return self._multiply(name, part, self._clip(name, value, shape), shape)

    def _clip(self, name, value, shape):
        self.affines[name + ".clip"] = Affine.covering(
            *(min(max(end + 3, 0), 6) for end in self._affine(value).ends()))
        return super()._clip(name, value, shape)

    def _affine(self, value):
        return self.affines[self.tensors[value].name]

    def _weight(self, layer):
        return self.integers.operands[layer.name].weight

    def _operands(self, layer, weight):
        operands = self.integers.operands[layer.name]
        channels = 3 if layer.kind == "depthwise" else 0
        return [self._constant(layer.name + ".weight", weight, _parameters(operands.scale, 0, channels)),
                self._constant(layer.name + ".bias", operands.bias, _parameters(operands.bias_scale, 0))]

    def _scalar(self, name, value):
        affine = Affine.covering(value, value)
        return self._constant(name, affine.quantized(value), _of(affine))

    def _activations(self, name, shape):
        return self._tensor(name, shape, schema.TensorType.INT8, quantization=_of(self.affines[name]))


def _of(affine):
    return _parameters(numpy.array([affine.scale]), affine.zero_point)


def _parameters(scales, zero_point, dimension=0):
    parameters = schema.QuantizationParametersT()
    parameters.scale = scales
    parameters.zeroPoint = numpy.full(len(scales), zero_point, numpy.int64)
    parameters.quantizedDimension = dimension
    return parameters
