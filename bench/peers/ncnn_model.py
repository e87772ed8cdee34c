"""Writes a network as an ncnn model: NAME.param, a line of text for each layer, and NAME.bin, the
weights in the same order.

The format is ncnn's docs/developer-guide/param-and-model-file-structure.md: `type name inputs
outputs`, the blobs' names, then `key=value` pairs whose keys are numbers.  A blob may be read once,
so outputs with several readers go through a Split.
"""

import struct

import numpy

MAGIC = 7767517
INPUT = "image"
OUTPUT = "logits"
FLOAT32 = struct.pack("<I", 0)  # the tag before a layer's weights

# Operations of BinaryOp.
ADD, MULTIPLY = 0, 2
# Activations that convolutions and inner products apply themselves.
RELU, CLIP, HARD_SWISH = 1, 3, 6


def write(network, param_path, bin_path):
    save(Writer(network), param_path, bin_path)


def save(writer, param_path, bin_path):
    for layer in writer.network.layers:
        writer.add(layer)
    writer.rename_output(writer.network.layers[-1].name)
    with open(param_path, "w", encoding="ascii") as file:
        file.write(writer.text())
    with open(bin_path, "wb") as file:
        file.write(b"".join(writer.weights))


class Writer:
    def __init__(self, network):
        self.network = network
        self.lines = []  # (type, name, inputs, outputs, parameters)
        self.weights = []
        self.readers = {}  # a layer's name -> blobs of its output that nobody has read yet
        height, width, channels = network.input_shape
        self._line("Input", INPUT, [], [INPUT], {0: width, 1: height, 2: channels})
        self._publish(network.INPUT, INPUT)

    def text(self):
        blobs = sum(len(outputs) for _, _, _, outputs, _ in self.lines)
        head = [str(MAGIC), f"{len(self.lines)} {blobs}"]
        return "\n".join(head + [_format(*line) for line in self.lines]) + "\n"

    def rename_output(self, name):
        (blob,) = self.readers[name]
        self.lines = [(kind, layer, inputs, [OUTPUT if b == blob else b for b in outputs], values)
                      for kind, layer, inputs, outputs, values in self.lines]

    def add(self, layer):
        # Activations are part of a layer where nothing is added between them.
        fused = fused_activation(layer) if layer.weight is not None and not layer.residual else {}
        blob = self._layer(layer, fused)
        if layer.residual:
            blob = self._operation(layer.name + ".sum", ADD, blob, self._read(layer.residual))
        if not fused:
            blob = self._activate(layer, blob)
        self._publish(layer.name, blob)

    def _layer(self, layer, fused):
        blob = self._read(layer.input)
        if layer.weight is not None:
            kind, parameters = _weighted(layer)
            parameters |= fused | self._store(layer)
            return self._line(kind, layer.name, [blob], [layer.name], parameters)
        if layer.kind == "global_pool":
            return self._line("Pooling", layer.name, [blob], [layer.name], {0: 1, 4: 1})
        if layer.kind == "channel_scale":
            # A vector has to become [channels, 1, 1] to be multiplied channel by channel.
            gate = layer.name + ".gate"
            self._line("Reshape", gate, [self._read(layer.gate)], [gate],
                       {0: 1, 1: 1, 2: layer.output_shape[2]})
            return self._operation(layer.name, MULTIPLY, blob, gate)
        raise NotImplementedError(f"{layer.name}: {layer.kind} has no ncnn form here")

    def _store(self, layer):
        """Parameters that say more of the weights."""
        # The tag stands before weights; biases are plain floats.
        self.weights += [FLOAT32, layer.weight.tobytes(), layer.bias.tobytes()]
        return {}

    def _activate(self, layer, blob):
        activation, name = layer.activation, layer.name + ".activation"
        line = {
            "none": None,
            "relu": ("ReLU", {}),
            "relu6": ("Clip", {0: 0.0, 1: 6.0}),
            "hard_sigmoid": ("HardSigmoid", {0: activation.slope, 1: activation.offset}),
            "hard_swish": ("HardSwish", {0: activation.slope, 1: activation.offset}),
        }[activation.kind]
        return self._line(line[0], name, [blob], [name], line[1]) if line else blob

    def _operation(self, name, operation, left, right):
        return self._line("BinaryOp", name, [left, right], [name], {0: operation})

    def _publish(self, name, blob):
        self.readers[name] = [blob]
        uses = self.network.uses(name)
        if uses > 1:
            self.readers[name] = [f"{blob}.{i}" for i in range(uses)]
            self._line("Split", blob + ".split", [blob], list(self.readers[name]), {})

    def _read(self, name):
        return self.readers[name].pop()

    def _line(self, kind, name, inputs, outputs, parameters):
        self.lines.append((kind, name, inputs, outputs, parameters))
        return outputs[0]


def _weighted(layer):
    """Type and parameters of a layer with weights."""
    outputs, size = layer.output_shape[2], layer.weight.size
    if layer.is_dense:
        return "InnerProduct", {0: outputs, 1: 1, 2: size}
    rows, columns = layer.kernel
    top, left, bottom, right = layer.pads
    parameters = {0: outputs, 1: columns, 11: rows, 3: layer.stride[1], 13: layer.stride[0],
                  4: left, 14: top, 15: right, 16: bottom, 5: 1, 6: size}
    if layer.kind == "depthwise":
        return "ConvolutionDepthWise", parameters | {7: outputs}
    return "Convolution", parameters


def fused_activation(layer):
    """Parameters that make a layer with weights apply its activation; {} if it can't."""
    activation = layer.activation
    if activation.kind == "relu":
        return {9: RELU}
    if activation.kind == "relu6":
        return {9: CLIP, -23310: [0.0, 6.0]}
    if activation.kind == "hard_swish":
        return {9: HARD_SWISH, -23310: [activation.slope, activation.offset]}
    return {}


def _format(kind, name, inputs, outputs, parameters):
    values = [f"{key}={_value(value)}" for key, value in parameters.items()]
    return " ".join([kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, *values])


def _value(value):
    if isinstance(value, list):
        return ",".join([str(len(value)), *map(_value, value)])
    # A float is told from an integer by its point or exponent.
    return f"{value:e}" if isinstance(value, float) else str(int(value))
