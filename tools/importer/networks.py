"""The shapes that torchvision makes of the networks' tables."""
import math
import re
from collections import namedtuple

from .errors import ImportFailure
from .table import TABLES, make_divisible


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
    table, shapes = TABLES["mobilenet_v2"], Shapes()
    inputs, channels = table.stem_channels, make_divisible(table.stem_channels * width)
    shapes.convolution("features.0", 3, 3, channels)
    for index, row in enumerate(table.rows, 1):
        outputs = make_divisible(row.channels * width)
        block, hidden, step = f"features.{index}.conv", channels, 0
        if row.expand:
            hidden *= row.expand // inputs
            shapes.convolution(f"{block}.{step}", 1, channels, hidden)
            step += 1
        shapes.convolution(f"{block}.{step}", row.kernel, 1, hidden)
        shapes.add(f"{block}.{step + 1}", outputs, hidden, 1)
        shapes.batch_norm(f"{block}.{step + 2}", outputs)
        inputs, channels = row.channels, outputs
    last = make_divisible(table.head[0] * max(1.0, width))
    shapes.convolution(f"features.{len(table.rows) + 1}", 1, channels, last)
    shapes.linear("classifier.1", last, classes)
    return shapes


def torchvision_v3(name):
    table = TABLES[name]

    def layout(width, classes):
        shapes = Shapes()
        inputs, channels = table.stem_channels, make_divisible(table.stem_channels * width)
        shapes.convolution("features.0", 3, 3, channels)
        for index, row in enumerate(table.rows, 1):
            expanded = make_divisible((row.expand or inputs) * width)
            outputs = make_divisible(row.channels * width)
            block, step = f"features.{index}.block", 0
            if expanded != channels:
                shapes.convolution(f"{block}.{step}", 1, channels, expanded)
                step += 1
            shapes.convolution(f"{block}.{step}", row.kernel, 1, expanded)
            step += 1
            if row.squeeze:
                squeezed = make_divisible(expanded // 4)
                shapes.pointwise_with_bias(f"{block}.{step}.fc1", expanded, squeezed)
                shapes.pointwise_with_bias(f"{block}.{step}.fc2", squeezed, expanded)
                step += 1
            shapes.convolution(f"{block}.{step}", 1, expanded, outputs)
            inputs, channels = row.channels, outputs
        last, hidden = 6 * channels, make_divisible(table.hidden[0][0] * width)
        shapes.convolution(f"features.{len(table.rows) + 1}", 1, channels, last)
        shapes.linear("classifier.0", last, hidden)
        shapes.linear("classifier.3", hidden, classes)
        return shapes
    return layout


# layout(width, classes) -> Shapes; logits: the tensor whose first dimension is the class count.
Network = namedtuple("Network", "name source layout logits padding epsilon")

NETWORKS = (
    Network("mobilenet_v2", "torchvision", torchvision_v2, "classifier.1.weight",
            "symmetric", 1e-5),
    Network("mobilenet_v3_small", "torchvision", torchvision_v3("mobilenet_v3_small"),
            "classifier.3.weight", "symmetric", 1e-3),
    Network("mobilenet_v3_large", "torchvision", torchvision_v3("mobilenet_v3_large"),
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
