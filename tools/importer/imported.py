"""What a source hands to the command line: a network, its tensors, and what the source knows of
the rest."""
from dataclasses import dataclass, field

import numpy

from .errors import ImportFailure


@dataclass
class Imported:
    network: str          # metadata `network`
    described: str        # for people: "mobilenet_v2 of torchvision: width 1"
    tensors: dict         # name -> array
    classes: int          # 0: there is no classifier
    padding: str
    source: str = "torchvision"
    width: float = 1.0
    epsilon: float = None  # None: there is no batch norm
    stage: str = None     # without a classifier: what the source's output is here
    channels: int = None  # of that output
    source_width: float = None    # of the source, where the table has numbers
    source_epsilon: float = None  # of the source, where it is folded and was taken for granted
    architecture: str = None
    height: int = None    # None: not known
    input_width: int = None
    mean: tuple = None    # per channel, of (pixel / 255 - mean) / std; None: not known
    std: tuple = None
    resize: int = None
    interpolation: str = None   # these four as the model file has them; None: not known
    resampling: str = None
    fit: str = None
    fill: tuple = None
    input_channels: int = 3
    probabilities: str = None   # softmax, sigmoid or none; None: not known
    max_pool: bool = False      # the global pool is one
    rescaling: str = None       # of integers: float or fixed
    exact_integers: bool = True  # they are the source's in every layer
    arithmetic: str = None      # of integers: whose; None: TensorFlow's
    graph: bool = False         # the source would say if it applied something to the logits
    final: str = None     # what the source applies to the logits: softmax, log_softmax or sigmoid
    # What it does to its input before the first convolution: scale and shift per channel.
    scale: tuple = (1.0, 1.0, 1.0)
    shift: tuple = (0.0, 0.0, 0.0)
    whole: bool = False   # the source's input is whole numbers, from 0 to 255
    resizes: bool = False  # the graph resizes even images that have the network's size
    output: object = 0    # which of the source's outputs it is, by number or name
    exact: bool = True    # the source computes with floats of 32 bits
    labels: list = None
    notes: list = field(default_factory=list)
    parameters: int = 0
    make_reference: object = None  # a function: the check.Reference, or why there is none

    def label_counts(self):
        """How many labels there may be: one sigmoid unit tells two classes apart, and has a name for
        each, or it is a label by itself."""
        single = self.classes == 1 and self.probabilities == "sigmoid"
        return (2, 1) if single else (self.classes,)


def count(tensors):
    return sum(array.size for array in tensors.values())


def from_structure(structure, source, height, width):
    """A table with folded batch norm; `source` for people."""
    network, multiplier = structure.table.family()
    described = f"{network} of {source}"
    described += f": width {multiplier:g}" if multiplier else ": its own table"
    for name, array in structure.tensors.items():
        if not numpy.isfinite(array).all():
            raise ImportFailure(f"{name}: NaN or infinity among its values")
    imported = Imported(
        network=network, described=described, tensors=structure.integers or structure.tensors,
        classes=structure.classes, padding=structure.padding,
        architecture=structure.table.to_json(), height=height, input_width=width,
        input_channels=len(structure.scale),
        max_pool=structure.table.pool == "max", final=structure.final,
        probabilities=PROBABILITIES.get(structure.final), scale=tuple(map(float, structure.scale)),
        shift=tuple(map(float, structure.shift)), parameters=count(structure.tensors),
        stage=structure.stage, channels=structure.channels)
    if imported.stage:
        imported.notes.append(f"without a classifier: its output is the stage {imported.stage} of "
                              "`mobilenet features`")
    if any(abs(s - 1) > 1e-9 for s in imported.scale) or any(imported.shift):
        mean, std = preprocessing_of(imported.scale, imported.shift)
        imported.mean, imported.std = mean, std
    resized = structure.resized
    if resized is not None:
        imported.height, imported.input_width = resized.height, resized.width
        imported.interpolation, imported.resampling = resized.interpolation, resized.resampling
        imported.fit, imported.resize = resized.fit, resized.resize
        if resized.fit == "letterbox":
            unit = 1 if are_pixels(imported.scale, imported.shift) else 255
            imported.fill = tuple(round(unit * value, 6) + 0.0 for value in resized.fill)
            if not all(0 <= value <= 255 for value in imported.fill):
                raise ImportFailure(f"fills around its image with {list(imported.fill)}, not with "
                                    "colours from 0 to 255")
    return imported


def from_graph(structure, source, height, width, kind, fixed):
    """The same for a source that says what it applies to its logits, or that it applies nothing.
    kind: of its input's elements; fixed: its input has no other size."""
    imported = from_structure(structure, source, height, width)
    imported.graph, imported.whole = True, "int" in kind
    resized = structure.resized
    if resized is not None:
        other = fixed and (height, width) != (resized.height, resized.width)
        imported.resizes = other or resized.resize != 0
    if imported.whole:
        imported.mean, imported.std = preprocessing_of(imported.scale, imported.shift, pixels=True)
    return imported


# By what a graph applies to its logits.
PROBABILITIES = {"softmax": "softmax", "log_softmax": "softmax", "sigmoid": "sigmoid"}


def are_pixels(scale, shift):
    """Whether value * scale + shift is of values from 0 to 255, not from 0 to 1: if the scale is
    small, or what becomes 0 is far above 1, or nothing is said."""
    return min(scale) <= 0.2 or max(abs(b / s) for s, b in zip(scale, shift)) > 2 or (
        set(scale) == {1.0} and not any(shift))


def preprocessing_of(scale, shift, pixels=None):
    """value * scale + shift as (pixel / 255 - mean) / std.  pixels: whether values are pixels, not
    pixels / 255; None: not known."""
    if any(s <= 0 for s in scale):
        raise ImportFailure("what is done to the image is not a scale and a shift")
    if pixels is None:
        pixels = are_pixels(scale, shift)
    unit = 255 if pixels else 1
    std = tuple(1 / (unit * s) for s in scale)
    return tuple(-b * d for b, d in zip(shift, std)), std
