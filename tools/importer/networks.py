"""The papers' tables, and the shapes that torchvision makes of them.

The library has the same tables in C.  The importer works without a built library, so it cannot ask
there; tests/importer/test_networks.py compares the two."""
import math
import re
from collections import namedtuple

from .errors import ImportFailure

# Sandler et al. 2018, table 2: expansion, output channels, repeats, stride of the first.
V2_ROWS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# Howard et al. 2019, tables 1 and 2: kernel, expanded channels, output channels, squeeze-excite.
V3_LARGE_ROWS = (
    (3, 16, 16, False), (3, 64, 24, False), (3, 72, 24, False), (5, 72, 40, True),
    (5, 120, 40, True), (5, 120, 40, True), (3, 240, 80, False), (3, 200, 80, False),
    (3, 184, 80, False), (3, 184, 80, False), (3, 480, 112, True), (3, 672, 112, True),
    (5, 672, 160, True), (5, 960, 160, True), (5, 960, 160, True),
)
V3_SMALL_ROWS = (
    (3, 16, 16, True), (3, 72, 24, False), (3, 88, 24, False), (5, 96, 40, True),
    (5, 240, 40, True), (5, 240, 40, True), (5, 120, 48, True), (5, 144, 48, True),
    (5, 288, 96, True), (5, 576, 96, True), (5, 576, 96, True),
)


def make_divisible(channels):
    """The nearest multiple of 8, never below 90 % of the channels asked for."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class Shapes(dict):
    """Tensor name -> shape, in the network's order, with PyTorch's names."""

    def convolution(self, name, kernel, inputs, outputs):
        """A convolution `name`.0 without bias and its batch norm `name`.1."""
        self.add(f"{name}.0", outputs, inputs, kernel)
        self.batch_norm(f"{name}.1", outputs)

    def batch_norm(self, name, channels):
        for parameter in ("weight", "bias", "running_mean", "running_var"):
            self[f"{name}.{parameter}"] = (channels,)

    def add(self, name, outputs, inputs, kernel):
        self[f"{name}.weight"] = (outputs, inputs, kernel, kernel)

    def pointwise_with_bias(self, name, inputs, outputs):
        self.add(name, outputs, inputs, 1)
        self[f"{name}.bias"] = (outputs,)

    def linear(self, name, inputs, outputs):
        self[f"{name}.weight"] = (outputs, inputs)
        self[f"{name}.bias"] = (outputs,)


def torchvision_v2(width, classes):
    shapes = Shapes()
    channels = make_divisible(32 * width)
    shapes.convolution("features.0", 3, 3, channels)
    index = 1
    for expansion, outputs, repeats, _ in V2_ROWS:
        outputs = make_divisible(outputs * width)
        for _ in range(repeats):
            block, hidden, step = f"features.{index}.conv", channels * expansion, 0
            if expansion != 1:
                shapes.convolution(f"{block}.{step}", 1, channels, hidden)
                step += 1
            shapes.convolution(f"{block}.{step}", 3, 1, hidden)
            shapes.add(f"{block}.{step + 1}", outputs, hidden, 1)
            shapes.batch_norm(f"{block}.{step + 2}", outputs)
            channels = outputs
            index += 1
    last = make_divisible(1280 * max(1.0, width))
    shapes.convolution(f"features.{index}", 1, channels, last)
    shapes.linear("classifier.1", last, classes)
    return shapes


def torchvision_v3(rows, hidden_units):
    def layout(width, classes):
        shapes = Shapes()
        channels = make_divisible(16 * width)
        shapes.convolution("features.0", 3, 3, channels)
        for index, (kernel, expanded, outputs, squeeze) in enumerate(rows, 1):
            expanded, outputs = make_divisible(expanded * width), make_divisible(outputs * width)
            block, step = f"features.{index}.block", 0
            if expanded != channels:
                shapes.convolution(f"{block}.{step}", 1, channels, expanded)
                step += 1
            shapes.convolution(f"{block}.{step}", kernel, 1, expanded)
            step += 1
            if squeeze:
                squeezed = make_divisible(expanded // 4)
                shapes.pointwise_with_bias(f"{block}.{step}.fc1", expanded, squeezed)
                shapes.pointwise_with_bias(f"{block}.{step}.fc2", squeezed, expanded)
                step += 1
            shapes.convolution(f"{block}.{step}", 1, expanded, outputs)
            channels = outputs
        last, hidden = 6 * channels, make_divisible(hidden_units * width)
        shapes.convolution(f"features.{len(rows) + 1}", 1, channels, last)
        shapes.linear("classifier.0", last, hidden)
        shapes.linear("classifier.3", hidden, classes)
        return shapes
    return layout


# layout(width, classes) -> Shapes; logits: the tensor whose first dimension is the class count.
Network = namedtuple("Network", "name source layout logits padding epsilon")

NETWORKS = (
    Network("mobilenet_v2", "torchvision", torchvision_v2, "classifier.1.weight",
            "symmetric", 1e-5),
    Network("mobilenet_v3_small", "torchvision", torchvision_v3(V3_SMALL_ROWS, 1024),
            "classifier.3.weight", "symmetric", 1e-3),
    Network("mobilenet_v3_large", "torchvision", torchvision_v3(V3_LARGE_ROWS, 1280),
            "classifier.3.weight", "symmetric", 1e-3),
)

# width: from 0.1 to 4, in thousandths.
Recognised = namedtuple("Recognised", "network width classes shapes")


def is_statistic(name):
    return name.endswith((".running_mean", ".running_var"))


def parameter_count(shapes):
    """Trainable parameters: what torchvision publishes, without batch norm's statistics."""
    return sum(math.prod(shape) for name, shape in shapes.items() if not is_statistic(name))


def recognise(shapes):
    """The network whose tensors have these names and shapes."""
    network = nearest(shapes)
    logits = shapes.get(network.logits, ())
    classes = logits[0] if logits else 1000
    if not 1 <= classes <= 1_000_000:
        raise ImportFailure(f"{network.logits}: {classes} classes, not from 1 to 1,000,000")
    width, expected = _nearest_width(shapes, lambda w: network.layout(w, classes))
    difference = first_difference(expected, shapes)
    if difference:
        raise ImportFailure(f"nearest to {network.name} of {network.source} with width "
                            f"{width:g} and {classes} classes, but {difference}")
    return Recognised(network, width, classes, expected)


def recognise_features(network, shapes):
    """The width of a network whose tensors before the classifier have these shapes."""
    def layout(width):
        return {name: shape for name, shape in network.layout(width, 1).items()
                if name.startswith("features.")}
    width, expected = _nearest_width(shapes, layout)
    difference = first_difference(expected, shapes)
    if difference:
        raise ImportFailure(f"nearest to {network.name} of {network.source} with width {width:g} "
                            f"and a classifier of its own or none, but {difference}")
    return width


def fits_features(network, shapes):
    try:
        recognise_features(network, shapes)
    except ImportFailure:
        return False
    return True


def _nearest_width(shapes, layout):
    def search(thousandths):
        layouts = {i: layout(i / 1000) for i in sorted(thousandths, key=_unround)}
        # max() keeps the first of equals, so that the roundest width wins.
        best = max(layouts, key=lambda i: sum(shapes.get(name) == shape
                                              for name, shape in layouts[i].items()))
        return best, layouts[best]

    best, expected = search(i for i in range(100, 4001) if i % 10 == 0 or i % 25 == 0)
    if expected != shapes:
        best, expected = search(range(max(100, best - 10), min(4000, best + 10) + 1))
    return best / 1000, expected


def natural(name):
    """Sorts names by the numbers in them."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def first_difference(expected, shapes):
    for name, shape in expected.items():
        if name not in shapes:
            return f"{name} is missing"
        if shapes[name] != shape:
            return f"{name}: expected {_text(shape)}, got {_text(shapes[name])}"
    for name in shapes:
        if name not in expected:
            return f"{name} is not a tensor of that network"
    return None


def nearest(shapes):
    """By names alone, which hardly depend on the width."""
    def common(network):
        names = network.layout(1.0, 1000).keys()
        return len(names & shapes.keys()) / len(names | shapes.keys())

    network = max(NETWORKS, key=common)
    if common(network) < 0.5:
        first = next(iter(shapes), None)
        raise ImportFailure(
            "not a network that can be imported (" + ", ".join(n.name for n in NETWORKS) + "): "
            + (f"its first tensor is {first}" if first else "it holds no tensors"))
    return network


def _unround(thousandths):
    """Sorts 1 before 0.75, 0.75 before 0.76: several widths may give the same shapes."""
    return [thousandths % step != 0 for step in (1000, 50, 25, 10, 5)]


def _text(shape):
    return "[" + ",".join(map(str, shape)) + "]"
