"""Writes a network of integers as an ONNX model of floats with QuantizeLinear and DequantizeLinear around
every operator (QDQ), from which runtimes make operators of integers.  Activations are uint8, for on x86
that is what instructions multiply int8 weights with: bytes are those of the TFLite model, and 128 more."""

import numpy
import onnx

import onnx_model
import quantization


def write(network, path, integers):
    writer = _Writer(network, integers)
    for layer in network.layers:
        writer.add(layer)
    onnx.save(writer.model(), path)


class _Writer(onnx_model.Writer):
    def __init__(self, network, integers):
        super().__init__(network)
        self.integers = integers
        self.values[network.INPUT] = self._through_bytes(onnx_model.INPUT)

    def _activate(self, layer, value):
        # Clamps are in the ranges already.
        return value if layer.activation.kind in ("relu", "relu6") else super()._activate(layer, value)

    def _operands(self, layer, weight):
        operands = self.integers.operands[layer.name]
        return [self._dequantized(layer.name + ".weight", operands.weight.reshape(weight.shape),
                                  operands.scale),
                self._dequantized(layer.name + ".bias", operands.bias, operands.bias_scale)]

    def _node(self, kind, name, inputs, **attributes):
        return self._through_bytes(super()._node(kind, name, inputs, **attributes))

    def _through_bytes(self, value):
        affine = self.integers.values[value]
        parameters = [
            self._constant(value + ".scale", affine.scale),
            self._constant(value + ".zero_point",
                           numpy.uint8(affine.zero_point - quantization.LOW))]
        bytes_ = super()._node("QuantizeLinear", value + ".quantized", [value, *parameters])
        return super()._node("DequantizeLinear", value + ".bytes", [bytes_, *parameters])

    def _dequantized(self, name, integers, scale):
        """Along its first dimension.  Without the zero points ONNX Runtime keeps Gemm in float32."""
        inputs = [self._constant(name + ".integers", integers), self._constant(name + ".scale", scale),
                  self._constant(name + ".zero_point", numpy.zeros(len(scale), integers.dtype))]
        return super()._node("DequantizeLinear", name, inputs, axis=0)
