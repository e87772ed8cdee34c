"""What a source hands to the command line: a network, its tensors, and what the source knows of
the rest."""
from dataclasses import dataclass, field

import numpy

from .errors import ImportFailure


@dataclass
class Imported:
    network: str          # metadata `network`
    described: str        # for people: "mobilenet_v2 of torchvision: width 1"
    tensors: dict         # name -> float32 array
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
    final: str = None     # what the source applies to the logits
    # What it does to its input before the first convolution: scale and shift per channel.
    scale: tuple = (1.0, 1.0, 1.0)
    shift: tuple = (0.0, 0.0, 0.0)
    exact: bool = True    # the source computes with floats
    labels: list = None
    notes: list = field(default_factory=list)
    parameters: int = 0


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
        network=network, described=described, tensors=structure.tensors,
        classes=structure.classes, padding=structure.padding,
        architecture=structure.table.to_json(), height=height, input_width=width,
        final=structure.final, scale=tuple(map(float, structure.scale)),
        shift=tuple(map(float, structure.shift)), parameters=count(structure.tensors),
        stage=structure.stage, channels=structure.channels)
    if imported.stage:
        imported.notes.append(f"without a classifier: its output is the stage {imported.stage} of "
                              "`mobilenet features`")
    if any(abs(s - 1) > 1e-9 for s in imported.scale) or any(imported.shift):
        mean, std = preprocessing_of(imported.scale, imported.shift)
        imported.mean, imported.std = mean, std
    return imported


def preprocessing_of(scale, shift):
    """value * scale + shift as (pixel / 255 - mean) / std.  Values are pixels, unless the scale is
    so large that they must be pixels / 255."""
    if any(s <= 0 for s in scale):
        raise ImportFailure("what is done to the image is not a scale and a shift")
    unit = 1 if min(scale) > 0.2 else 255
    std = tuple(1 / (unit * s) for s in scale)
    return tuple(-b * d for b, d in zip(shift, std)), std
