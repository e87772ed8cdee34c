"""A trained network as a graph of a few kinds of nodes, whatever format it came in.

Readers of graph formats call a Builder's methods in order of execution.  Each takes and returns
Values: the output of a node with elementwise functions applied to it.  Functions of one node, built
from additions, clips, products with themselves and so on, are kept as functions and recognised by
their values (classify), so that every way to write a hard-swish is the same.  Per-channel scales
and shifts are folded into the convolution before them at once, in double precision."""
import math
from dataclasses import dataclass, replace

import numpy

from .errors import ImportFailure
from .integers import Bytes, concatenated

# The points at which functions are compared: beyond and between all bends of the activations.
_POINTS = numpy.arange(-1600, 1601) / 128.0
# Constants such as 1/6 are floats, in some files half-precision ones.
_TOLERANCES = (1e-4, 5e-3)
# Of an activation written as sums, clips and products: at most some ten.
_MOST_STEPS = 256
# Channels of an image that are put together from parts of it.
_MOST_TAKEN = 64


class Activation:
    """kind: none, relu, relu6, hard_sigmoid (with slope and offset) or hard_swish."""

    def __init__(self, kind, slope=1 / 6, offset=0.5):
        self.kind, self.slope, self.offset = kind, slope, offset

    def __eq__(self, other):
        return ((self.kind, round(self.slope, 6), round(self.offset, 6))
                == (other.kind, round(other.slope, 6), round(other.offset, 6)))

    def __str__(self):
        return self.kind.replace("_", "-") if self.kind != "none" else "no activation"


def relu(x):
    return numpy.maximum(x, 0.0)


def relu6(x):
    return numpy.clip(x, 0.0, 6.0)


class LeftOut:
    """An activation that no operation applies: it is there only where none other is."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)


def cut_off(largest):
    """What numbers from 0 to `largest` alone do to what is quantised with them: quantisers leave out
    the activation before them.  What was six may have come out a little less where it was
    measured."""
    return LeftOut(relu6 if largest < 6.001 else relu)


def hard_sigmoid(slope=1 / 6, offset=0.5):
    return lambda x: numpy.clip(slope * x + offset, 0.0, 1.0)


def hard_swish(x):
    return x * numpy.clip(x / 6 + 0.5, 0.0, 1.0)


_UNSCALED = (("none", lambda x: x), ("relu", relu), ("relu6", relu6), ("hard_swish", hard_swish))


def classify(function):
    """The Activation that a function of one variable is; None if it is none of them."""
    if function is None:
        return Activation("none")
    values = function(_POINTS)
    found = (_classify(values, tolerance) for tolerance in _TOLERANCES)
    return next((activation for activation in found if activation is not None), None)


def _classify(values, tolerance):
    def equals(other):
        return numpy.abs(values - other(_POINTS)).max() <= tolerance

    for kind, other in _UNSCALED:
        if equals(other):
            return Activation(kind)
    inside = numpy.flatnonzero((values > 1e-3) & (values < 1 - 1e-3))
    if len(inside) > 1:
        low, high = inside[0], inside[-1]
        slope = (values[high] - values[low]) / (_POINTS[high] - _POINTS[low])
        offset = values[low] - slope * _POINTS[low]
        if slope > 0 and equals(hard_sigmoid(slope, offset)):
            return Activation("hard_sigmoid", float(numpy.float32(slope)),
                              float(numpy.float32(offset)))
    return None


def classify_scaled(function):
    """(Activation, a, b) where a function is a * activation + b; None if it is nothing of that
    kind."""
    if function is None:
        return Activation("none"), 1.0, 0.0
    values = function(_POINTS)
    for kind, other in _UNSCALED:
        basis = numpy.stack([other(_POINTS), numpy.ones(_POINTS.size)], 1)
        (a, b), *_ = numpy.linalg.lstsq(basis, values, rcond=None)
        if a > 0 and numpy.abs(basis @ (a, b) - values).max() <= _TOLERANCES[0] * a:
            alone = abs(a - 1) < 1e-6 and abs(b) < 1e-6
            return Activation(kind), *((1.0, 0.0) if alone else (float(a), float(b)))
    return None


class Node:
    """kind: input, conv, dense, affine, global_pool, max_pool, add, mul.

    conv    weight [O,I/groups,h,w], bias [O], strides, groups, pads: (top, left, bottom, right),
            "same" or "same_lower"
    dense   weight [O,I], bias [O]
    affine  scale, shift: per channel; what could not be folded into the node before
    input   what the graph does to the image before the first convolution: order: which of the
            image's `source_channels` each channel is; scale, shift per channel; resized: a Resizing
            or None
    global_pool  maximum: of the plane's values, not their mean; window: of a pool that says how
            large the whole plane is; flattened: no pool, but a plane taken as a vector
    max_pool  window, strides, pads"""

    def __init__(self, kind, name, inputs, channels, **attributes):
        self.kind, self.name, self.inputs, self.channels = kind, name, inputs, channels
        self.pixel = None  # what has taken its plane for one of a single pixel
        self.integers = self.quantisation = None  # of a quantised graph: see integers.py
        self.__dict__.update(attributes)

    def is_depthwise(self):
        # Of a single channel a depthwise convolution is any that is larger than a pixel.
        return self.kind == "conv" and self.groups == self.channels \
            and self.weight.shape[1] == 1 and (self.groups > 1 or self.weight.shape[2:] != (1, 1))

    def is_pointwise(self):
        return self.kind == "dense" or (
            self.kind == "conv" and self.groups == 1 and self.weight.shape[2:] == (1, 1)
            and self.strides == (1, 1) and self.pads in ("same", "same_lower", (0, 0, 0, 0)))

    def __str__(self):
        if self.kind == "conv":
            height, width = self.weight.shape[2:]
            kind = "depthwise" if self.is_depthwise() else "convolution"
            if self.groups > 1 and not self.is_depthwise():
                kind += f" in {self.groups} groups"
            return f"{self.name}, a {height}x{width} {kind}"
        kind = {"dense": "fully connected layer", "affine": "batch norm", "add": "sum",
                "mul": "product", "global_pool": "global pool", "max_pool": "max pool",
                "input": "input"}[self.kind]
        if self.kind == "global_pool" and self.flattened:
            kind = "flattened plane"
        elif self.kind == "global_pool" and self.maximum:
            kind = "global max pool"
        return f"{self.name}, a {kind}" if self.name != kind else f"the {kind}"


@dataclass(frozen=True)
class Resizing:
    """What a graph does to the size of its image, as the model file's keys have it."""
    height: int
    width: int
    interpolation: str
    resampling: str = "tensorflow"
    fit: str = "crop"
    resize: int = 0
    fill: tuple = (0.0,)  # around the image: one value, or for each of the source's channels


class Value:
    """A node's output after an elementwise function (None: none), with zeros around it.

    final: "softmax", "log_softmax" or "sigmoid" where it has been applied: nothing may follow.
    bytes: of a quantised graph, an integers.Bytes; probabilities: tensors of what is final."""

    def __init__(self, node, function=None, pads=(0, 0, 0, 0), final=None, known=None):
        self.node, self.function, self.pads, self.final = node, function, pads, final
        self.bytes, self.probabilities = known, None

    @property
    def channels(self):
        return self.node.channels

    def copy(self):
        copy = Value(self.node, self.function, self.pads, self.final, self.bytes)
        copy.probabilities = self.probabilities
        return copy


class _Made:
    """A function made of others.  steps: how many are computed, which doubles with each product of one
    with itself."""

    def __init__(self, function, parts, name):
        self.function, self.steps = function, sum(getattr(part, "steps", 1) for part in parts)
        if self.steps > _MOST_STEPS:
            raise ImportFailure(f"{name}: more operations on the elements of one layer than any "
                                "activation has")

    def __call__(self, x):
        return self.function(x)


def _compose(outer, inner, name):
    if inner is None or isinstance(inner, LeftOut):
        return outer
    if isinstance(outer, LeftOut):
        return inner
    return _Made(lambda x: outer(inner(x)), (outer, inner), name)


class Builder:
    def input(self, name, channels):
        if not 1 <= channels <= 4:
            raise ImportFailure(f"input {name} has {channels} channels, expected 1 to 4")
        return Value(Node("input", name, [], channels, scale=numpy.ones(channels),
                          shift=numpy.zeros(channels), order=numpy.arange(channels),
                          source_channels=channels, resized=None))

    @staticmethod
    def _usable(value, name, padded=False):
        if value.final:
            raise ImportFailure(f"{name}: follows a {value.final.replace('_', ' ')}, which "
                                "MobileNets have at their end only")
        if not padded and any(value.pads):
            raise ImportFailure(f"{name}: follows a padding, which only convolutions may")
        return value

    def pad(self, value, pads, name):
        value = self._usable(value, name, padded=True)
        pads = tuple(a + b for a, b in zip(value.pads, pads))
        if not all(0 <= p <= 64 for p in pads):
            raise ImportFailure(f"{name}: pads by {pads}")
        return Value(value.node, value.function, pads)

    def conv(self, value, weight, bias, strides, pads, groups, name):
        """pads: (top, left, bottom, right), "same" or "same_lower"."""
        value = self._usable(value, name, padded=True)
        weight = numpy.asarray(weight, numpy.float64)
        if weight.ndim != 4 or weight.shape[1] * groups != value.channels \
                or weight.shape[0] % max(groups, 1):
            raise ImportFailure(f"{name}: weights {list(weight.shape)} in {groups} groups do not "
                                f"fit an input of {value.channels} channels")
        if value.node.kind == "input" and weight.shape[2:] != (3, 3):
            raise ImportFailure(f"not a MobileNet: the first layer is {name}, a "
                                f"{weight.shape[2]}x{weight.shape[3]} convolution, expected 3x3")
        if any(value.pads):
            if isinstance(pads, str):
                raise ImportFailure(f"{name}: pads twice")
            pads = tuple(a + b for a, b in zip(value.pads, pads))
            value = Value(value.node, value.function, known=value.bytes)
        return Value(Node("conv", name, [value], weight.shape[0], weight=weight,
                          bias=_vector(bias, weight.shape[0], name), strides=tuple(strides),
                          pads=pads, groups=groups))

    def dense(self, value, weight, bias, name):
        value = self._usable(value, name)
        weight = numpy.asarray(weight, numpy.float64)
        if weight.ndim != 2 or weight.shape[1] != value.channels:
            raise ImportFailure(f"{name}: weights {list(weight.shape)} do not fit an input of "
                                f"{value.channels} channels")
        return Value(Node("dense", name, [value], weight.shape[0], weight=weight,
                          bias=_vector(bias, weight.shape[0], name)))

    def unary(self, value, function, name):
        value = self._usable(value, name)
        return Value(value.node, _compose(function, value.function, name))

    def scale_shift(self, value, scale, shift, name):
        """value * scale + shift; each a number, or one per channel."""
        value = self._usable(value, name)
        scale, shift = numpy.asarray(scale, numpy.float64), numpy.asarray(shift, numpy.float64)
        if scale.size == 1 and shift.size == 1:
            a, b = float(scale.reshape(())), float(shift.reshape(()))
            return self.unary(value, lambda x: a * x + b, name)
        channels = value.channels
        if scale.size not in (1, channels) or shift.size not in (1, channels):
            raise ImportFailure(f"{name}: {max(scale.size, shift.size)} numbers for {channels} "
                                "channels")
        return self._by_channel(value, scale, shift, name)

    @staticmethod
    def _by_channel(value, scale, shift, name):
        channels = value.channels
        scale = numpy.broadcast_to(scale.reshape(-1), (channels,))
        shift = numpy.broadcast_to(shift.reshape(-1), (channels,))
        node = value.node
        if node.kind == "input":
            a, b = input_affine(value)
            return Value(_replace(node, scale=a * scale, shift=b * scale + shift))
        if value.function is None and node.kind in ("conv", "dense"):
            shape = (-1,) + (1,) * (node.weight.ndim - 1)
            return Value(_replace(node, weight=node.weight * scale.reshape(shape),
                                  bias=node.bias * scale + shift))
        if value.function is None and node.kind == "affine":
            return Value(_replace(node, scale=node.scale * scale,
                                  shift=node.shift * scale + shift))
        return Value(Node("affine", name, [value], channels, scale=scale, shift=shift))

    def batch_norm(self, value, gamma, beta, mean, variance, epsilon, name):
        mean = numpy.asarray(mean, numpy.float64)
        variance = numpy.asarray(variance, numpy.float64)
        gamma, beta = numpy.asarray(gamma, numpy.float64), numpy.asarray(beta, numpy.float64)
        if mean.shape != (value.channels,) or variance.shape != mean.shape:
            raise ImportFailure(f"{name}: a batch norm of {mean.size} channels after "
                                f"{value.channels}")
        for of in (gamma, beta):
            if of.shape not in ((), (1,), mean.shape):
                raise ImportFailure(f"{name}: a batch norm with {of.size} factors or shifts for "
                                    f"{value.channels} channels")
        if not (variance + epsilon > 0).all():
            raise ImportFailure(f"{name}: a variance is negative")
        scale = gamma / numpy.sqrt(variance + epsilon)
        return self._by_channel(self._usable(value, name), scale + numpy.zeros_like(mean),
                                beta - mean * scale, name)

    def _binary(self, a, b, kind, combine, name):
        a, b = self._usable(a, name), self._usable(b, name)
        if a.node is b.node:
            f, g = (_compose(lambda x: x, value.function, name) for value in (a, b))
            return Value(a.node, _Made(lambda x: combine(f(x), g(x)), (f, g), name))
        if a.channels != b.channels:
            raise ImportFailure(f"{name}: {a.channels} channels meet {b.channels}")
        return Value(Node(kind, name, [a, b], a.channels))

    def add(self, a, b, name):
        return self._binary(a, b, "add", numpy.add, name)

    def multiply(self, a, b, name):
        return self._binary(a, b, "mul", numpy.multiply, name)

    def global_pool(self, value, name, maximum=False, window=None):
        """window: of a pool that has one, which is checked where the plane's size is known."""
        return Value(Node("global_pool", name, [self._usable(value, name)], value.channels,
                          maximum=maximum, window=window, flattened=False))

    def average_pool(self, value, window, strides, same, name):
        """same: TensorFlow's padding, by which a window that moves less than its size gives several
        pixels, even one as large as the plane."""
        if same and not all(step >= size for step, size in zip(strides, window)):
            raise ImportFailure(f"{name}: an average pool that is not of the whole plane")
        return self.global_pool(value, name, window=tuple(window))

    def flatten(self, value, name):
        """A plane of one pixel as a vector; that it has one pixel is checked where its size is
        known."""
        node = Node("global_pool", name, [self._usable(value, name)], value.channels,
                    maximum=False, window=(1, 1), flattened=True)
        if value.bytes is None:
            return Value(node)
        node.integers, node.quantisation = {}, value.bytes.quantisation
        return Value(node, known=Bytes(node.quantisation))

    def max_pool(self, value, window, strides, name, pads=(0, 0, 0, 0)):
        return Value(Node("max_pool", name, [self._usable(value, name)], value.channels,
                          window=tuple(window), strides=tuple(strides), pads=pads))

    def final(self, value, kind, name):
        value = self._usable(value, name)
        return Value(value.node, value.function, final=kind)

    # ---- Of the image ----

    def select(self, value, channels, name):
        """The channels with these numbers, in this order."""
        value = self._usable(value, name)
        channels = numpy.asarray(channels, numpy.int64).reshape(-1)
        if channels.size == value.channels and (channels == numpy.arange(value.channels)).all():
            return value
        node = self._image(value, name, "takes some channels of")
        if not channels.size or channels.min() < -node.channels \
                or channels.max() >= node.channels:
            raise ImportFailure(f"{name}: takes channels {channels.tolist()} of {node.channels}")
        scale, shift = input_affine(value)
        return Value(_replace(node, channels=channels.size, scale=scale[channels],
                              shift=shift[channels], order=node.order[channels]),
                     known=value.bytes and value.bytes.of_channels(channels))

    def concatenate(self, values, name):
        """Channels of one image, put together again."""
        nodes = [self._image(self._usable(value, name), name, "puts together") for value in values]
        if any((node.name, node.resized) != (nodes[0].name, nodes[0].resized) for node in nodes):
            raise ImportFailure(f"{name}: puts two images together, which is in no MobileNet")
        affine = [input_affine(value) for value in values]
        order = numpy.concatenate([node.order for node in nodes])
        if order.size > _MOST_TAKEN:
            raise ImportFailure(f"{name}: puts together {order.size} channels of the image")
        return Value(_replace(nodes[0], channels=order.size, order=order,
                              scale=numpy.concatenate([scale for scale, _ in affine]),
                              shift=numpy.concatenate([shift for _, shift in affine])),
                     known=concatenated([value.bytes for value in values],
                                        [value.channels for value in values]))

    def resize(self, value, resizing, name):
        value = self._usable(value, name)
        node = self._image(value, name, "resizes")
        if node.resized is not None:
            raise ImportFailure(f"{name}: resizes the image for a second time")
        scale, shift = input_affine(value)
        if not numpy.all(scale):
            raise ImportFailure(f"{name}: a channel is multiplied by zero")
        fill = numpy.zeros(node.source_channels)
        fill[node.order] = (numpy.array(resizing.fill) - shift) / scale
        return Value(_replace(node, scale=scale, shift=shift,
                              resized=replace(resizing, fill=tuple(fill.tolist()))))

    def crop(self, value, height, width, name):
        """The centre of an image that has been resized, or that is of this size."""
        value = self._usable(value, name)
        node = self._image(value, name, "crops")
        resized = node.resized
        if resized is None or resized.resize or resized.fit == "letterbox" or not (
                height <= resized.height and width <= resized.width) \
                or height * resized.width != width * resized.height:
            raise ImportFailure(f"{name}: crops the image to {height}x{width}, which is no centre "
                                "of an image resized before: save the model without it")
        scale, shift = input_affine(value)
        fit = "cover" if resized.fit == "cover" else "squash"
        return Value(_replace(node, scale=scale, shift=shift, resized=replace(
            resized, height=height, width=width, fit=fit,
            resize=min(resized.height, resized.width))))

    @staticmethod
    def _image(value, name, does):
        if value.node.kind != "input":
            raise ImportFailure(f"{name}: {does} a plane inside the network, which is in no "
                                "MobileNet")
        return value.node


def input_affine(value):
    """(scale, shift) per channel of what a graph does to its image."""
    node, function = value.node, value.function
    if function is None:
        return node.scale, node.shift
    low, high = function(numpy.array(0.0)), function(numpy.array(255.0))
    slope = (high - low) / 255
    points = numpy.arange(256.0)
    if numpy.abs(function(points) - (slope * points + low)).max() > 1e-4 * max(1, abs(slope)):
        raise ImportFailure(f"{node.name}: what is done to the image is not a scale and a shift")
    return node.scale * slope, node.shift * slope + low


def _replace(node, **changed):
    copy = Node.__new__(Node)
    copy.__dict__.update(node.__dict__, **changed)
    return copy


def _vector(bias, channels, name):
    if bias is None:
        return numpy.zeros(channels)
    bias = numpy.asarray(bias, numpy.float64).reshape(-1)
    if bias.size != channels:
        raise ImportFailure(f"{name}: a bias of {bias.size} for {channels} channels")
    return bias


def window_padding(mode, stem, size, kernel, stride):
    """(before, after) in one direction, as arch/network/extent.c has it."""
    if mode == "trailing" and (stem or stride == 1):
        mode = "same"
    same = (size - 1) // stride * stride + kernel - size
    total = {"same": same, "same_lower": same, "symmetric": (kernel - 1) // 2 * 2,
             "trailing": kernel - stride}[mode]
    total = max(total, 0)
    half = total // 2
    return (total - half, half) if mode == "same_lower" else (half, total - half)


def output_size(size, kernel, stride, before, after):
    return max(0, math.floor((size + before + after - kernel) / stride) + 1)
