"""Networks: shapes and counts, without weights."""

from __future__ import annotations

import enum
from ctypes import POINTER, byref, c_char, c_size_t
from dataclasses import dataclass
from typing import Any, TypeVar

from . import _native
from ._error import invalid
from ._native import library

_Choice = TypeVar("_Choice", bound=enum.IntEnum)


@dataclass(frozen=True)
class Layer:
    """A layer with what is fused to it: ``activation(batch_norm(layer(input)) [+ residual])``."""

    name: str  #: the source's name of its weights; unique in the network
    batch_norm_name: str | None
    kind: str  #: "convolution", "depthwise", "pointwise", ...
    role: str  #: "stem", "expand", "depthwise", "project", "logits", ...
    block: int  #: index of the network's row that it belongs to; -1 outside of rows
    input: int  #: index of the layer whose output it reads; -1: the image
    gate: int  #: index of the layer with the factors of a channel scale; else -1
    residual: int  #: index of the layer whose output is added; -1: none
    input_shape: tuple[int, int, int]  #: height, width, channels
    output_shape: tuple[int, int, int]
    kernel: tuple[int, int]  #: height, width
    stride: tuple[int, int]  #: vertical, horizontal
    padding: tuple[int, int, int, int]  #: top, left, bottom, right
    bias: bool
    activation: str  #: "none", "relu", "relu6", "hard_sigmoid", "hard_swish"
    weights: int
    parameters: int  #: weights, bias, batch norm's gamma and beta
    batch_norm_statistics: int  #: batch norm's moving mean and variance
    multiply_adds: int


@dataclass(frozen=True)
class Stage:
    """A place in a network whose values :meth:`Model.features` hands out (docs/features.md)."""

    name: str
    layer: Layer
    shape: tuple[int, int, int]  #: height, width, channels
    #: Input pixels per pixel of the map, vertically and horizontally; None for vectors.
    stride: tuple[int, int] | None


@dataclass(frozen=True)
class Network:
    """A network at one input size.  ``print(network)`` shows the table of ``mobilenet count``."""

    name: str
    width: float  #: the multiplier
    input_size: tuple[int, int]  #: height, width
    classes: int
    padding: str  #: "same", "symmetric", "trailing"
    source: str  #: "torchvision", "keras"
    batch_norm_epsilon: float
    parameters: int  #: trainable: torchvision's count
    batch_norm_statistics: int  #: Keras counts parameters + batch_norm_statistics
    multiply_adds: int
    layers: tuple[Layer, ...]  #: in order of execution
    stages: tuple[Stage, ...]  #: strides, blocks, "pool", then all layers
    input_channels: int = 3  #: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA

    def __str__(self) -> str:
        return _table(self)


# ---- Reading the library's structures ------------------------------------------------------------


def _layer(record: _native.LayerRecord) -> Layer:
    return Layer(
        name=record.name.decode(),
        batch_norm_name=record.batch_norm_name.decode() or None,
        kind=library.mbn_layer_kind_name(record.kind).decode(),
        role=_native.Role(record.role).name.lower(),
        block=record.block,
        input=record.input,
        gate=record.gate,
        residual=record.residual,
        input_shape=(record.input_height, record.input_width, record.input_channels),
        output_shape=(record.output_height, record.output_width, record.output_channels),
        kernel=(record.kernel_height, record.kernel_width),
        stride=(record.stride_vertical, record.stride_horizontal),
        padding=(record.pad_top, record.pad_left, record.pad_bottom, record.pad_right),
        bias=record.bias,
        activation=_native.Activation(record.activation.kind).name.lower(),
        weights=record.weights,
        parameters=record.parameters,
        batch_norm_statistics=record.batch_norm_statistics,
        multiply_adds=record.multiply_adds,
    )


def _stages(pointer: Any, layers: tuple[Layer, ...]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    record = _native.StageRecord()
    while library.mbn_network_stage_at(pointer, len(stages), byref(record)):
        stages.append(
            Stage(
                name=record.name.decode(),
                layer=layers[record.layer],
                shape=(record.height, record.width, record.channels),
                stride=(record.stride_vertical, record.stride_horizontal)
                if record.stride_vertical
                else None,
            )
        )
    return tuple(stages)


def read_network(pointer: Any) -> Network:
    """Copies an ``mbn_network``."""
    record = pointer.contents
    layers = tuple(_layer(record.layers[i]) for i in range(record.layer_count))
    return Network(
        name=record.name.decode(),
        width=record.width,
        input_size=(record.input_height, record.input_width),
        classes=record.classes,
        padding=_native.Padding(record.padding).name.lower(),
        source=_native.Source(record.source).name.lower(),
        batch_norm_epsilon=record.batch_norm_epsilon,
        parameters=record.parameters,
        batch_norm_statistics=record.batch_norm_statistics,
        multiply_adds=record.multiply_adds,
        layers=layers,
        stages=_stages(pointer, layers),
        input_channels=record.input_channels,
    )


# ---- The table of `mobilenet count` --------------------------------------------------------------


def _row(width: int, name: str, kind: str, output: str, counts: list[str]) -> str:
    parameters, statistics, multiply_adds, flops = counts
    return (
        f"{name:<{width}}  {kind:<15}  {output:<13} {parameters:>11} {statistics:>9} "
        f"{multiply_adds:>14} {flops:>15}"
    )


def _counts(counted: Layer | Network) -> list[str]:
    return [
        f"{count:,}"
        for count in (
            counted.parameters,
            counted.batch_norm_statistics,
            counted.multiply_adds,
            2 * counted.multiply_adds,
        )
    ]


def _table(network: Network) -> str:
    width = max(len("layer"), *(len(layer.name) for layer in network.layers))
    heads = ["parameters", "BN stats", "multiply-adds", "FLOPs"]
    height, columns = network.input_size
    lines = [
        f"{network.name}, width {network.width:g}, input {height}x{columns}, "
        f"{network.classes} classes, {network.padding} padding, as in {network.source}",
        "",
        _row(width, "layer", "kind", "output", heads),
    ]
    for layer in network.layers:
        output = "x".join(str(size) for size in layer.output_shape)
        lines.append(_row(width, layer.name, layer.kind, output, _counts(layer)))
    lines.append(_row(width, "total", "", "", _counts(network)))
    return "\n".join(lines)


# ---- Asking for a network ------------------------------------------------------------------------


def _choose(kind: type[_Choice], name: str, option: str) -> _Choice:
    try:
        return kind[name.upper()]
    except KeyError:
        names = ", ".join(choice.name.lower() for choice in kind)
        raise invalid(f"{option}: '{name}' is not one of {names}") from None


def size_of(size: int | tuple[int, int] | None, name: str = "size") -> tuple[int, int]:
    """(height, width) of an input size; zeros, which stand for the default, for None."""
    if size is None:
        return 0, 0
    if not isinstance(size, (tuple, list)):
        size = (size, size)
    if len(size) != 2:
        raise invalid(f"{name}: {tuple(size)} is not a side or (height, width)")
    return _native.int32(size[0], f"{name}: height"), _native.int32(size[1], f"{name}: width")


def _options(
    name: str,
    width: float,
    input_size: int | tuple[int, int],
    classes: int,
    padding: str,
    source: str,
    input_channels: int,
    standard_convolution: bool = False,
) -> _native.NetworkOptions:
    height, columns = size_of(input_size, "input_size")
    return _native.NetworkOptions(
        network=_native.text(name, "network"),
        width=width,
        input_height=height,
        input_width=columns,
        classes=_native.int32(classes, "classes"),
        padding=_choose(_native.Padding, padding, "padding"),
        source=_choose(_native.Source, source, "source"),
        standard_convolution=standard_convolution,
        input_channels=_native.int32(input_channels, "input_channels"),
    )


def networks() -> tuple[str, ...]:
    """The names of the networks that there are."""
    names: list[str] = []
    while (name := library.mbn_network_name(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


def network(
    name: str,
    *,
    width: float = 1.0,
    input_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    padding: str = "default",
    source: str = "default",
    input_channels: int = 3,
    standard_convolution: bool = False,
) -> Network:
    """Lays out a network, without weights: its layers, parameters and multiply-adds.

    ``width`` is the multiplier, ``input_size`` a side or (height, width).  ``padding`` is "same",
    "symmetric" or "trailing", ``source`` "torchvision" or "keras"; "default" is the network's own.
    ``input_channels`` is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA).
    ``standard_convolution`` replaces every depthwise-separable pair by one standard convolution,
    for comparison.

    >>> network("mobilenet_v2").parameters
    3504872
    """
    options = _options(
        name, width, input_size, classes, padding, source, input_channels, standard_convolution
    )
    pointer = POINTER(_native.NetworkRecord)()
    names = _native.size_names("input_size")
    _native.call(library.mbn_network_create, byref(options), byref(pointer), names=names)
    try:
        return read_network(pointer)
    finally:
        library.mbn_network_free(pointer)


def init(
    name: str,
    seed: int = 0,
    *,
    width: float = 1.0,
    input_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    padding: str = "default",
    source: str = "default",
    input_channels: int = 3,
) -> bytes:
    """A model file's bytes with seeded random weights, for tests and benchmarks.

    The same arguments give the same bytes on every machine.  :func:`load` takes the bytes as they
    are; options are those of :func:`network`."""
    options = _options(name, width, input_size, classes, padding, source, input_channels)
    if not 0 <= seed < 2**64:
        raise invalid(f"seed: {seed} is not in 0 to 2**64 - 1")
    size = c_size_t()
    names = _native.size_names("input_size")
    _native.call(library.mbn_network_init, byref(options), seed, None, byref(size), names=names)
    buffer = (c_char * size.value)()
    _native.call(library.mbn_network_init, byref(options), seed, buffer, byref(size))
    return buffer.raw[: size.value]
