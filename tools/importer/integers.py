"""The integers of a quantised graph, kept beside the floats that they stand for, and the tensors
that a model file has of them (docs/model-format.md, "Integer networks").

Bytes are unsigned here: of signed numbers they are these plus 128, the origin."""
from dataclasses import dataclass

import numpy

from .errors import ImportFailure


class NotInIntegers(ImportFailure):
    """What a graph computes in floats between its integers, or as no integers here are computed."""


@dataclass(frozen=True)
class Quantisation:
    """kind: int8 or uint8; zero: one of its numbers."""
    scale: numpy.float32
    zero: int
    kind: str

    @property
    def origin(self):
        return 128 if self.kind == "int8" else 0

    @property
    def zero_byte(self):
        return self.zero + self.origin

    def tensors(self, prefix):
        return {f"{prefix}_scale": numpy.array([self.scale], numpy.float32),
                f"{prefix}_zero_point": numpy.array([self.zero], self.kind)}

    def numbers(self, of):
        """Bytes as the type has them."""
        return (numpy.asarray(of, numpy.int64) - self.origin).astype(self.kind)


def quantisation(name, scale, zero, kind):
    """Refuses what is none.  scale, zero: of a whole tensor."""
    check_scales(name, [scale])
    check_zero(name, zero, kind)
    return Quantisation(numpy.float32(scale), int(zero), kind)


def check_scales(name, scales):
    for scale in scales:
        if not (numpy.isfinite(scale) and scale >= 0):
            raise ImportFailure(f"{name}: its scale is {scale:g}, not finite and 0 or more")


def check_zero(name, zero, kind):
    limits = numpy.iinfo(kind)
    if not limits.min <= zero <= limits.max:
        raise ImportFailure(f"{name}: its zero point {zero} is no {kind}")


class Bytes:
    """What is known of a Value's integers: how they are quantised, and which byte becomes of each
    one that its node computes (None: they stay); of an image [channels,256] where these differ.
    floats: the graph has made floats of them."""

    def __init__(self, quantised, table=None, floats=False):
        self.quantisation, self.table, self.floats = quantised, table, floats

    def __eq__(self, other):
        return self.quantisation == other.quantisation and numpy.array_equal(self.each(), other.each())

    def each(self):
        """What becomes of the bytes 0 to 255, as int64."""
        return numpy.arange(256) if self.table is None else self.table.astype(numpy.int64)

    def as_floats(self):
        return Bytes(self.quantisation, self.table, True)

    def of_channels(self, numbers):
        return self if self.each().ndim == 1 else Bytes(self.quantisation, self.table[numbers])

    def stays(self, of):
        """Whether it is the node's own bytes, of the other type perhaps."""
        return self.quantisation.scale == of.scale and \
            self.quantisation.zero_byte == of.zero_byte and \
            numpy.array_equal(self.each(), numpy.arange(256))


def concatenated(parts, sizes):
    """The Bytes of channels that are put together again."""
    if any(part is None or part.quantisation != parts[0].quantisation for part in parts):
        return None
    each = [numpy.broadcast_to(part.each(), (size, 256)) for part, size in zip(parts, sizes)]
    return Bytes(parts[0].quantisation, numpy.concatenate(each).astype(numpy.uint8))


# ---- The model file's tensors ----


def collect(layers, sums, reads, floats):
    """The tensors of layers {name: node} and of the sums behind some of them; reads(node): the one
    Value that all who read the node read.  floats: the same layers' tensors of floats."""
    tensors = {}
    # Of what is averaged in floats, the bytes are looked up by the product that reads them.
    averaged = {id(node.inputs[0].node) for node in layers.values() if "values" in _integers(node)}
    for name, node in layers.items():
        own = dict(_integers(node))
        if "weight" in own:  # a matrix, or a 1x1 convolution's
            own["weight"] = own["weight"].reshape(floats[f"{name}.weight"].shape)
        if id(node) in averaged:
            known = Bytes(node.quantisation)
        else:
            known = reads(node).bytes
        if node.kind == "mul":
            own.update(_averaged(node, averaged))
        if not known.stays(node.quantisation):
            own.update(_become(node, known, own))
        elif known.quantisation != node.quantisation and "output_zero_point" in own:
            own.update(_retyped(own, known.quantisation))
        if name in sums:
            own.update(_sum(node, sums[name], reads(sums[name]).bytes))
        tensors.update({f"{name}.{key}": values for key, values in own.items()})
    return tensors


def _integers(node):
    if node.integers is None:
        raise NotInIntegers(f"{node}: computes with floats where other layers have integers")
    return node.integers


def _averaged(product, averaged):
    """Which bytes become of the plane's before they are multiplied, where it is averaged in floats."""
    for value in product.inputs:
        if id(value.node) in averaged:
            quantised = value.bytes.quantisation
            return {"lookup": quantised.numbers(value.bytes.each()), **quantised.tensors("lookup")}
    return {}


def _retyped(own, quantised, prefix="output"):
    """The same bytes as numbers of the other type."""
    tensors = quantised.tensors(prefix)
    if f"{prefix}_range" in own:
        old = own[f"{prefix}_range"]
        origin = 128 if old.dtype == numpy.int8 else 0
        tensors[f"{prefix}_range"] = quantised.numbers(old.astype(int) + origin)
    return tensors


def _become(node, known, own):
    """The tensors that say which bytes become of a layer's: a narrower range, or a lookup."""
    each, quantised = known.each(), known.quantisation
    if "output_zero_point" not in own or node.kind not in ("conv", "dense"):
        raise NotInIntegers(f"{node}: its bytes become others, which only those of convolutions and "
                            "fully connected layers may")
    low, high = int(each.min()), int(each.max())
    same = (quantised.scale, quantised.zero_byte) == (node.quantisation.scale,
                                                      node.quantisation.zero_byte)
    if same and (each == numpy.clip(numpy.arange(256), low, high)).all():
        before = own.get("output_range")
        if before is not None:
            before = before.astype(int) + (128 if before.dtype == numpy.int8 else 0)
            low, high = (int(numpy.clip(limit, *before)) for limit in (low, high))
        return {**quantised.tensors("output"), "output_range": quantised.numbers([low, high])}
    return {"lookup": quantised.numbers(each), **quantised.tensors("lookup")}


def _sum(node, added, known):
    """Of the sum behind a layer: its numbers are of layer and residual, in this order."""
    own = dict(_integers(added))
    if not known.stays(added.quantisation):
        raise NotInIntegers(f"{added}: its bytes become others, which only those of convolutions "
                            "and fully connected layers may")
    if added.inputs[0].node is not node:
        factors = own["sum_multiplier"].copy()
        factors[[0, 1]] = factors[[1, 0]]
        own["sum_multiplier"] = factors
        if factors.dtype == numpy.float32:
            own["sum_swapped"] = numpy.array([1], numpy.uint8)
    own.update(_retyped(own, known.quantisation, "sum"))
    return own


def of_image(image, known, scale, shift):
    """What the stem reads.  scale, shift: of what the network is given, by the numbers that the
    source's image stands for."""
    tensors = known.quantisation.tensors("input")
    given = image.quantisation
    if known.stays(given):
        return tensors
    each = known.each()
    if each.ndim == 2:
        whole = numpy.zeros((image.source_channels, 256), numpy.int64)
        whole[image.order] = each
        each = whole[0] if (whole == whole[0]).all() else whole
    # Of bytes: what they stand for is given.scale * (byte - zero).
    tensors["input_lookup"] = known.quantisation.numbers(each)
    for key, values in (("scale", scale * given.scale),
                        ("shift", shift - scale * given.scale * given.zero_byte)):
        alike = (values == values[0]).all()
        tensors[f"image_{key}"] = numpy.array(values[:1] if alike else values, numpy.float32)
    return tensors


def of_source_channels(image, node):
    """A stem's weights for the image's channels as the source has them: the graph may put them in
    another order and leave out some."""
    own, order = _integers(node), image.order
    if len(order) == image.source_channels and (order == numpy.arange(len(order))).all():
        return
    if len(set(order.tolist())) != len(order):
        raise ImportFailure(f"input {image.name}: a channel is read twice, whose weights would have "
                            "to be added")
    weight = own["weight"]
    zero = own.get("weight_zero_point", numpy.zeros(1, weight.dtype)).reshape(-1, 1, 1, 1)
    whole = numpy.empty((len(weight), image.source_channels, *weight.shape[2:]), weight.dtype)
    whole[:] = zero
    whole[:, order] = weight
    own["weight"] = whole
