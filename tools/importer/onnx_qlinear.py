"""Operations of quantised ONNX graphs as a graph of the Builder, which has floats: what their integers
stand for.  onnx_integers keeps the integers."""
import numpy

from .errors import ImportFailure
from .graph import cut_off
from .onnx_constant import dequantise
from .plane import Plane


class QLinear:
    """Of a Graph."""

    def op_quantizelinear(self, node, x, scale=None, zero=None):
        """Rounds to 8 bits, which floats do not need, and cuts off what these cannot say."""
        self.exact = False
        kind = x.value.node.kind
        if x.value.final or kind != "conv" and not (kind == "dense" and self._is_inside(node)) \
                or self._is_activated(node):
            return x
        zero = numpy.zeros(1, numpy.uint8) if zero is None else self.constant(node, zero)
        scale = self.constant(node, scale)
        if zero.size != 1 or scale.size != 1 or zero.dtype.kind not in "iu" \
                or int(zero.reshape(())) != numpy.iinfo(zero.dtype).min:
            return x
        steps = 2 ** (8 * zero.dtype.itemsize) - 1
        return self._unary(node, x, cut_off(steps * float(scale.reshape(()))))

    def _readers(self, node):
        """Who reads what the node quantises, as floats perhaps."""
        for reader in self.readers.get(node.outputs[0], ()):
            yield reader
            if reader.operation == "DequantizeLinear":
                yield from self.readers.get(reader.outputs[0], ())

    def _is_inside(self, node):
        """Whether what is quantised is read by others than the end of the graph."""
        floats = [name for reader in self._readers(node) for name in reader.outputs]
        return not set(floats) & set(self.outputs)

    def _is_activated(self, node):
        """Whether an activation of its own follows, which what is cut off here does not change."""
        for reader in self._readers(node):
            kind = reader.operation.removeprefix("com.microsoft.QLinear")
            terms = reader.inputs[:2] if kind == reader.operation else reader.inputs[:4:3]
            if kind in ("HardSwish", "HardSigmoid") or \
                    kind in ("Add", "Mul") and any(map(self._is_constant, terms)):
                return True
        return False

    def _is_constant(self, name):
        if name in self.values:
            return isinstance(self.values[name], numpy.ndarray)
        maker = self.makers.get(name)
        return maker is not None and all(map(self._is_constant, filter(None, maker.inputs)))

    def op_dequantizelinear(self, node, x, scale=None, zero=None):
        self.exact = False
        if not self.whole or x.value.node.kind != "input":
            return x
        self.whole = False
        scale = self.constant(node, scale).reshape(-1).astype(numpy.float64)
        zero = numpy.zeros(1) if zero is None else \
            self.constant(node, zero).reshape(-1).astype(numpy.float64)
        if zero.size not in (1, scale.size):
            raise ImportFailure(f"{node.name}: {scale.size} scales and {zero.size} zero points")
        return x.with_value(self.builder.scale_shift(x.value, scale, -zero * scale, node.name))

    op_com_microsoft_quantizelinear = op_quantizelinear
    op_com_microsoft_dequantizelinear = op_dequantizelinear

    def _weights(self, node, values, scale, zero, axis):
        return dequantise(node, *(self.constant(node, v) for v in (values, scale, zero)), axis)

    def _bias(self, node, bias, x_scale, w_scale):
        if bias is None:
            return None
        bias, x_scale, w_scale = (self.constant(node, v).reshape(-1).astype(numpy.float64)
                                  for v in (bias, x_scale, w_scale))
        if x_scale.size != 1 or w_scale.size not in (1, bias.size):
            raise ImportFailure(f"{node.name}: {x_scale.size} and {w_scale.size} scales for a bias "
                                f"of {bias.size}")
        return bias * x_scale * w_scale

    def op_qlinearconv(self, node, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero,
                       bias=None):
        result = self.op_conv(node, x, self._weights(node, w, w_scale, w_zero, 0),
                              self._bias(node, bias, x_scale, w_scale))
        return self.op_quantizelinear(node, result, y_scale, y_zero)

    def op_com_microsoft_qgemm(self, node, x, x_scale, x_zero, w, w_scale, w_zero, bias=None,
                               y_scale=None, y_zero=None):
        axis = 0 if node.integer("transB", 0) else 1
        result = self.op_gemm(node, x, self._weights(node, w, w_scale, w_zero, axis),
                              self._bias(node, bias, x_scale, w_scale))
        return result if y_scale is None else self.op_quantizelinear(node, result, y_scale, y_zero)

    def op_qlinearmatmul(self, node, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero):
        result = self.op_matmul(node, x, self._weights(node, w, w_scale, w_zero, 1))
        return self.op_quantizelinear(node, result, y_scale, y_zero)

    def _terms(self, node, *terms):
        """Two of (numbers, scale, zero): planes, or a constant's floats."""
        return [x if isinstance(x, Plane) else
                dequantise(node, self.constant(node, x), self.constant(node, scale),
                           None if zero is None else self.constant(node, zero), 0)
                for x, scale, zero in terms]

    def op_com_microsoft_qlinearadd(self, node, a, a_scale, a_zero, b, b_scale, b_zero, *_):
        self.exact = False
        return self.op_add(node, *self._terms(node, (a, a_scale, a_zero), (b, b_scale, b_zero)))

    def op_com_microsoft_qlinearmul(self, node, a, a_scale, a_zero, b, b_scale, b_zero, *_):
        self.exact = False
        return self.op_mul(node, *self._terms(node, (a, a_scale, a_zero), (b, b_scale, b_zero)))

    def op_com_microsoft_qlinearglobalaveragepool(self, node, x, *_):
        self.exact = False
        return self.op_globalaveragepool(node, x)

    def op_com_microsoft_qlinearaveragepool(self, node, x, *_):
        self.exact = False
        return self.op_averagepool(node, x)

    def op_com_microsoft_qlinearreducemean(self, node, x, *_):
        self.exact = False
        return self.op_reducemean(node, x)

    def op_com_microsoft_qlinearsigmoid(self, node, x, *_):
        self.exact = False
        return self.op_sigmoid(node, x)

    def op_com_microsoft_qlinearsoftmax(self, node, x, *_):
        self.exact = False
        return self.op_softmax(node, x)
