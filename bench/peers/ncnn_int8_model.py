"""Writes a network with integer weights as an ncnn model, as its tool ncnn2int8 makes it.

Each layer with weights rounds what it reads to int8, by a scale and without a zero point, unless the layer
before has done so: that is said where convolutions follow convolutions.  All between is float32.
"""

import struct

import numpy

import ncnn_model
import quantization

INT8 = struct.pack("<I", 0x000D4B38)  # the tag before a layer's weights
SCALES = 8  # the parameter that says which scales there are
OF_CHANNELS, OF_GROUPS, AND_OF_OUTPUT = 2, 1, 100


def write(network, param_path, bin_path, integers):
    ncnn_model.save(_Writer(network, integers), param_path, bin_path)


class _Writer(ncnn_model.Writer):
    def __init__(self, network, integers):
        super().__init__(network)
        self.integers = integers

    def _store(self, layer):
        operands = self.integers.operands[layer.name]
        integers = operands.weight.tobytes()
        self.weights += [INT8, integers + bytes(-len(integers) % 4), layer.bias.tobytes(),
                         (1 / operands.scale).tobytes(), self._scale(layer.input)]
        kind = OF_GROUPS if layer.kind == "depthwise" else OF_CHANNELS
        if not self._feeds_convolutions_alone(layer):
            return {SCALES: kind}
        self.weights.append(self._scale(layer.name))
        return {SCALES: kind + AND_OF_OUTPUT}

    def _scale(self, name):
        """Of a layer's output, in bytes for a unit."""
        greatest = max(map(abs, self.integers.outputs[name].ends()))
        return numpy.float32(quantization.HIGH / greatest).tobytes()

    def _feeds_convolutions_alone(self, layer):
        if layer.is_dense or layer.residual:
            return False
        if layer.activation.kind != "none" and not ncnn_model.fused_activation(layer):
            return False
        readers = [reader for reader in self.network.layers
                   if reader.input == layer.name and reader.weight is not None and not reader.is_dense]
        return len(readers) == self.network.uses(layer.name)
