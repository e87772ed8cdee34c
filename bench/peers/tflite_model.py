"""Writes a network as a TFLite flatbuffer: NHWC, batch norm folded, with the operators that
TensorFlow's converter makes of the same network.

Padding that SAME does not describe (torchvision's stride 2) becomes a PAD before a VALID
convolution, as a converted ZeroPadding2D does; XNNPACK folds it into the convolution.
"""

import flatbuffers
import numpy
from ai_edge_litert import schema_py_generated as schema

INPUT = "image"
OUTPUT = "logits"
SCHEMA_VERSION = 3
OPERATOR = schema.BuiltinOperator
OPTIONS = schema.BuiltinOptions
FUSED = schema.ActivationFunctionType


TYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32,
         "int8": schema.TensorType.INT8}


def write(network, path):
    save(Writer(network), path)


def save(writer, path):
    for layer in writer.network.layers:
        writer.add(layer)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(writer.model().Pack(builder), b"TFL3")
    with open(path, "wb") as file:
        file.write(builder.Output())


class _AlignedBuffer(schema.BufferT):
    """The schema wants 16 bytes, which the generated Pack does not keep."""

    def Pack(self, builder):
        data = None
        if self.data is not None:
            count = len(self.data)
            builder.StartVector(1, count, 16)
            builder.head -= count
            builder.Bytes[builder.head:builder.head + count] = self.data.tobytes()
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class Writer:
    versions = {}  # of operators; otherwise 1

    def __init__(self, network):
        self.network = network
        self.buffers = [_AlignedBuffer()]  # number 0 is that of tensors without data
        self.tensors = []
        self.codes = []
        self.operators = []
        self.input = self._tensor(INPUT, [1, *network.input_shape])
        self.values = {network.INPUT: self.input}

    def model(self):
        output = self._output()
        graph = schema.SubGraphT()
        graph.name = self.network.name
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [self.input], [output]
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = self.network.name
        model.operatorCodes = [self._code(code) for code in self.codes]
        model.subgraphs, model.buffers = [graph], self.buffers
        return model

    def _output(self):
        return self.values[self.network.layers[-1].name]

    def add(self, layer):
        # Activations are part of the last operator before them, where TFLite has them fused.
        fused = {"relu": FUSED.RELU, "relu6": FUSED.RELU6}.get(layer.activation.kind, FUSED.NONE)
        value = self._layer(layer, FUSED.NONE if layer.residual else fused)
        if layer.residual:
            value = self._add(layer.name + ".sum", value, self.values[layer.residual],
                              [1, *layer.output_shape], fused)
        self.values[layer.name] = self._activate(layer, value)

    def _layer(self, layer, fused):
        value = self.values[layer.input]
        if layer.role in ("hidden", "logits") and layer.is_dense:
            return self._dense(layer, value, fused)
        if layer.weight is not None:
            return self._convolution(layer, value, fused)
        if layer.kind == "global_pool":
            return self._pool(layer, value)
        if layer.kind == "channel_scale":
            return self._multiply(layer.name, value, self.values[layer.gate],
                                  [1, *layer.output_shape])
        raise NotImplementedError(f"{layer.name}: {layer.kind} has no TFLite form here")

    def _convolution(self, layer, value, fused):
        depthwise = layer.kind == "depthwise"
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        options.strideH, options.strideW = layer.stride
        options.fusedActivationFunction = fused
        options.padding = schema.Padding.SAME
        if not _is_same(layer):
            options.padding = schema.Padding.VALID
            value = self._pad(layer, value)
        if depthwise:
            options.depthMultiplier = 1
            weight = self._weight(layer).transpose(1, 2, 3, 0)  # [1, kh, kw, channels]
            code, kind = OPERATOR.DEPTHWISE_CONV_2D, OPTIONS.DepthwiseConv2DOptions
        else:
            weight = self._weight(layer).transpose(0, 2, 3, 1)  # [outputs, kh, kw, inputs]
            code, kind = OPERATOR.CONV_2D, OPTIONS.Conv2DOptions
        return self._operator(code, layer.name, [value, *self._operands(layer, weight)],
                              [1, *layer.output_shape], kind, options)

    def _pad(self, layer, value):
        top, left, bottom, right = layer.pads
        height, width, channels = layer.input_shape
        name = layer.name + ".pad"
        pads = self._constant(name + ".sizes", numpy.array(
            [[0, 0], [top, bottom], [left, right], [0, 0]], numpy.int32))
        return self._operator(OPERATOR.PAD, name, [value, pads],
                              [1, height + top + bottom, width + left + right, channels],
                              OPTIONS.PadOptions, schema.PadOptionsT())

    def _dense(self, layer, value, fused):
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = fused
        matrix = self._weight(layer).reshape(layer.weight.shape[:2])
        return self._operator(OPERATOR.FULLY_CONNECTED, layer.name,
                              [value, *self._operands(layer, matrix)], [1, len(matrix)],
                              OPTIONS.FullyConnectedOptions, options)

    def _pool(self, layer, value):
        options = schema.ReducerOptionsT()
        options.keepDims = layer.role != "head_pool"
        axes = self._constant(layer.name + ".axes", numpy.array([1, 2], numpy.int32))
        channels = layer.output_shape[2]
        shape = [1, 1, 1, channels] if options.keepDims else [1, channels]
        return self._operator(OPERATOR.MEAN, layer.name, [value, axes], shape,
                              OPTIONS.ReducerOptions, options)

    def _activate(self, layer, value):
        activation, name = layer.activation, layer.name + ".activation"
        if activation.kind not in ("hard_swish", "hard_sigmoid"):
            return value
        if not activation.is_standard():
            raise NotImplementedError(f"{layer.name}: slope {activation.slope:g}, "
                                      f"offset {activation.offset:g} have no TFLite form here")
        make = self._hard_swish if activation.kind == "hard_swish" else self._hard_sigmoid
        return make(name, value, self.tensors[value].shape)

    def _hard_swish(self, name, value, shape):
        return self._operator(OPERATOR.HARD_SWISH, name, [value], shape, OPTIONS.HardSwishOptions,
                              schema.HardSwishOptionsT())

    def _hard_sigmoid(self, name, value, shape):
        """relu6(x + 3) / 6, as Keras's is converted."""
        return self._multiply(name, self._clip(name, value, shape), self._sixth(name), shape)

    def _clip(self, name, value, shape):
        three = self._scalar(name + ".three", 3)
        return self._add(name + ".clip", value, three, shape, FUSED.RELU6)

    def _sixth(self, name):
        return self._scalar(name + ".sixth", 1 / 6)

    def _add(self, name, left, right, shape, fused):
        options = schema.AddOptionsT()
        options.fusedActivationFunction = fused
        return self._operator(OPERATOR.ADD, name, [left, right], shape, OPTIONS.AddOptions, options)

    def _multiply(self, name, left, right, shape):
        return self._operator(OPERATOR.MUL, name, [left, right], shape, OPTIONS.MulOptions,
                              schema.MulOptionsT())

    def _weight(self, layer):
        return layer.weight

    def _operands(self, layer, weight):
        return [self._constant(layer.name + ".weight", weight),
                self._constant(layer.name + ".bias", layer.bias)]

    def _scalar(self, name, value):
        return self._constant(name, numpy.array(value, numpy.float32))

    def _constant(self, name, array, quantization=None):
        data = numpy.ascontiguousarray(array)
        buffer = _AlignedBuffer()
        buffer.data = data.reshape(-1).view(numpy.uint8)
        self.buffers.append(buffer)
        return self._tensor(name, array.shape, TYPES[data.dtype.name], len(self.buffers) - 1,
                            quantization)

    def _activations(self, name, shape):
        """A tensor that an operator writes."""
        return self._tensor(name, shape)

    def _tensor(self, name, shape, kind=schema.TensorType.FLOAT32, buffer=0, quantization=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
        tensor.hasRank, tensor.quantization = True, quantization
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _operator(self, code, name, inputs, shape, options_kind, options):
        return self._operation(code, inputs, self._activations(name, shape), options_kind, options)

    def _operation(self, code, inputs, output, options_kind, options):
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = options_kind, options
        self.operators.append(operator)
        return output

    def _code(self, code):
        operator_code = schema.OperatorCodeT()
        operator_code.builtinCode = code
        # Where operators above 127 did not fit, this said so.
        operator_code.deprecatedBuiltinCode = min(code, 127)
        operator_code.version = self.versions.get(code, 1)
        return operator_code


def _is_same(layer):
    top, left, bottom, right = layer.pads
    for size, kernel, stride, before, after in zip(layer.input_shape, layer.kernel, layer.stride,
                                                   (top, left), (bottom, right)):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        if (before, after) != (total // 2, total - total // 2):
            return False
    return True
