"""Writes a network as an ONNX model: NCHW, batch 1, batch norm folded."""

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

# HardSwish is an operator since 14; version 9 of the format is read by all that we compare with.
OPSET = 17
IR_VERSION = 9
INPUT = "image"
OUTPUT = "logits"


# What an operator of integers does by its range.
CLAMPS = ("Relu", "Clip")


def write(network, path):
    onnx.save(writer_of(network).model(), path)


def writer_of(network):
    writer = Writer(network)
    for layer in network.layers:
        writer.add(layer)
    return writer


class Writer:
    def __init__(self, network):
        self.network = network
        self.nodes = []
        self.initializers = []
        self.values = {network.INPUT: INPUT}  # a layer's name -> its output's

    def model(self):
        height, width, channels = self.network.input_shape
        self.nodes[-1].output[0] = OUTPUT
        graph = helper.make_graph(
            self.nodes, self.network.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, channels, height, width])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, self.network.classes])],
            self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def add(self, layer):
        value = self._layer(layer)
        if layer.residual:
            value = self._node("Add", layer.name + ".sum", [value, self.values[layer.residual]])
        self.values[layer.name] = self._activate(layer, value)

    def _layer(self, layer):
        value = self.values[layer.input]
        if layer.role in ("hidden", "logits") and layer.is_dense:
            return self._dense(layer, value)
        if layer.weight is not None:
            return self._convolution(layer, value)
        if layer.kind == "global_pool":
            value = self._node("GlobalAveragePool", layer.name, [value])
            if layer.role == "head_pool":
                value = self._node("Flatten", layer.name + ".flat", [value], axis=1)
            return value
        if layer.kind == "channel_scale":
            return self._node("Mul", layer.name, [value, self.values[layer.gate]])
        raise NotImplementedError(f"{layer.name}: {layer.kind} has no ONNX form here")

    def _convolution(self, layer, value):
        group = layer.output_shape[2] if layer.kind == "depthwise" else 1
        return self._node("Conv", layer.name, [value, *self._operands(layer, layer.weight)],
                          kernel_shape=layer.kernel, strides=layer.stride, pads=layer.pads,
                          group=group)

    def _dense(self, layer, value):
        matrix = layer.weight.reshape(layer.weight.shape[:2])
        return self._node("Gemm", layer.name, [value, *self._operands(layer, matrix)], transB=1)

    def _operands(self, layer, weight):
        return [self._constant(layer.name + ".weight", weight),
                self._constant(layer.name + ".bias", layer.bias)]

    def _activate(self, layer, value):
        activation, name = layer.activation, layer.name + ".activation"
        if activation.kind == "none":
            return value
        if activation.kind == "relu":
            return self._node("Relu", name, [value])
        if activation.kind == "relu6":
            return self._node("Clip", name, [value, self._scalar("zero", 0), self._scalar("six", 6)])
        if activation.kind == "hard_swish" and activation.is_standard():
            return self._node("HardSwish", name, [value])
        gate = self._node("HardSigmoid", name, [value], alpha=activation.slope,
                          beta=activation.offset)
        if activation.kind == "hard_sigmoid":
            return gate
        return self._node("Mul", name + ".product", [value, gate])

    def _scalar(self, name, value):
        if all(tensor.name != name for tensor in self.initializers):
            self._constant(name, numpy.float32(value))
        return name

    def _constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(numpy.asarray(array), name))
        return name

    def _node(self, kind, name, inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name
