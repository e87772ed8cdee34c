"""Small quantised networks of every kind, whose outputs LiteRT computed for tests/golden/litert
(make_litert.py)."""
import numpy

import small_network
from integer_file import IntegerWriter

SHAPE = [1, 48, 64, 3]


def network(padding="same", **options):
    """With outputs that are many and large enough to show a difference of one step before them."""
    operations = small_network.variant(padding=padding, norms=False, gate="hard_sigmoid", **options)
    last, random = operations[-1], numpy.random.default_rng(8)
    operations[-1] = last._replace(weight=random.uniform(-3, 3, (200, last.weight.shape[1])),
                                   bias=random.uniform(-3, 3, 200))
    return operations


def relus():
    """Without hard-swishes and max pool, as v1 and v2 are."""
    return [op._replace(kind="relu6") if getattr(op, "kind", "") == "hard_swish" else op
            for op in network(pool=False)]


def written(operations=None, end=None, floats=False, before=None, image=None, output=None,
            shape=None, channels=3, **options):
    """The file."""
    return IntegerWriter(**options).write(
        operations or network(channels=channels), shape or [1, 48, 64, channels],
        small_network.images(channels=channels), end, floats, before, image, output)


def rescaled(writer):
    """Pixels from 0 to 255 become -1 to 1 inside of the graph."""
    writer.ranges["scaled"] = 0, 2
    writer.operator("mul", [0, writer.numbers("by", [1 / 127.5])], "scaled")
    writer.operator("add", [writer.index["scaled"], writer.numbers("less", [-1])], "image")


def normalised(writer):
    """Each channel by itself, and in another order."""
    writer.ranges["centred"] = -130, 150
    writer.operator("sub", [0, writer.numbers("mean", [120.0, 110.0, 130.0])], "centred")
    writer.ranges["rgb"] = -1, 1.1
    writer.operator("mul", [writer.index["centred"], writer.numbers("by", [0.008, 0.007, 0.0075])],
                    "rgb")
    writer.quantised["image"] = writer.quantisation("rgb")
    writer.operator("reverse_v2", [writer.index["rgb"], writer.constant("axis", [3])], "image")


PIXELS = {"int8": (numpy.float32(1), -128), "uint8": (numpy.float32(1), 0)}

# Each a function that writes the file.
CASES = {
    "int8": written,
    "softmax": lambda: written(end="softmax"),
    "softmax-uint8": lambda: written(relus(), kind="uint8", end="softmax"),
    "int8-tensor": lambda: written(per_channel=False),
    "uint8": lambda: written(relus(), kind="uint8"),
    "uint8-swish": lambda: written(kind="uint8", average_pool=True),
    "average-pool": lambda: written(relus(), average_pool=True),
    "several": lambda: written(made_of_several=True),
    "alone": lambda: written(relus(), alone=True),
    "alone-uint8": lambda: written(relus(), kind="uint8", alone=True),
    "symmetric": lambda: written(network("symmetric")),
    "symmetric-uint8": lambda: written(network("symmetric"), kind="uint8"),
    "floats": lambda: written(floats=True),
    "floats-softmax": lambda: written(end="softmax", floats=True),
    "uint8-out": lambda: written(output="uint8"),
    "int8-out": lambda: written(relus(), kind="uint8", end="softmax", output="int8"),
    "sigmoid": lambda: written(end="logistic"),
    "sigmoid-uint8": lambda: written(relus(), kind="uint8", end="logistic", output="int8"),
    "max": lambda: written(network(pool=False, maximum=True)),
    "sum": lambda: written(small_network.until(network(), "b3_add")),
    "plane": lambda: written(small_network.until(network(), "head_hard_swish")),
    "hidden": lambda: written(small_network.until(network(), "hidden1_hard_swish")),
    "grey": lambda: written(channels=1),
    "rescaled": lambda: written(before=rescaled, image=PIXELS["int8"]),
    "rescaled-uint8": lambda: written(relus(), kind="uint8", before=rescaled,
                                      image=PIXELS["uint8"]),
    "normalised": lambda: written(before=normalised, image=PIXELS["int8"]),
    # Activations that are seen in the range alone.
    "ranges": lambda: written(quantised={"b1_expand_relu": (0.02, -100),
                                         "b1_depthwise_relu": (0.02, 17)}),
    # Where there is no activation, numbers of one sign alone.
    "positive": lambda: written(quantised=dict.fromkeys(
        ("b2_project", "b3_project", "b3_add"), (0.02, -128))),
    # 6 is in the middle between two numbers here, and there are larger ones.
    "ranges-uint8": lambda: written(
        relus(), kind="uint8", scales={"b3_expand": lambda s: s * 20},
        quantised={"b2_expand_hard_swish": (6 / 150, 30), "b3_expand_hard_swish": (6 / 20.5, 20)}),
    # Multipliers below 2^-31, and above 1.
    "scales": lambda: written(scales={
        "b1_expand": lambda s: s * numpy.r_[1e-9, 1e-20, numpy.ones(len(s) - 2)],
        "b2_project": lambda s: s * 300}),
}


def images(name):
    """What its goldens are of: bytes, or floats."""
    if "floats" in name:
        return small_network.images(count=3)
    return numpy.random.default_rng(5).integers(
        0, 256, (3, 48, 64, 1 if name == "grey" else 3)).astype(numpy.uint8)
