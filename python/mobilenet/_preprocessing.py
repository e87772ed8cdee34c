"""How images become inputs, as the library has it and as Python does."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal, NamedTuple

from . import _native
from ._error import invalid

InterpolationName = Literal["bilinear", "bicubic", "nearest", "area"]
ResamplingName = Literal["pillow", "tensorflow"]
FitName = Literal["crop", "squash", "letterbox", "cover"]


class Preprocessing(NamedTuple):
    """How an image becomes an input: resized, cropped or filled in the centre to the input size, then
    (pixel / 255 - mean) / standard_deviation.

    The target is the input size with its shorter side scaled to ``resize``, or the input size itself
    where that is 0.  ``fit``: "crop" (the image's shorter side becomes ``resize``; with 0, as "squash"),
    "squash" (to the target, whatever the aspect ratio), "letterbox" (as large as fits into the target),
    "cover" (as small as covers it).  ``resampling`` says whose arithmetic it is, "pillow" (as torchvision
    and timm) or "tensorflow" (as Keras's Resizing).

    >>> other = model.preprocessing._replace(interpolation="bicubic", fit="squash")
    >>> model.classify(image, preprocessing=other)"""

    mean: tuple[float, ...]  #: one for each channel of the input
    standard_deviation: tuple[float, ...]
    resize: int = 0
    interpolation: InterpolationName = "bilinear"
    resampling: ResamplingName = "pillow"
    fit: FitName = "crop"
    fill: tuple[float, ...] = (0.0, 0.0, 0.0)  #: 0 to 255: what is around the image


def from_record(record: _native.PreprocessingRecord, channels: int) -> Preprocessing:
    return Preprocessing(
        tuple(record.mean[:channels]),
        tuple(record.standard_deviation[:channels]),
        record.resize,
        _native.Interpolation(record.interpolation).name.lower(),
        _native.Resampling(record.resampling).name.lower(),
        _native.Fit(record.fit).name.lower(),
        tuple(record.fill[:channels]),
    )


def _numbers(values: Sequence[float], count: int, name: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise TypeError(f"preprocessing.{name}: {values!r} is no sequence of numbers") from None
    if len(numbers) != count:
        raise invalid(f"preprocessing.{name}: {len(numbers)} numbers, not {count}")
    return numbers


def _choice(kind: type[enum.IntEnum], value: str, name: str) -> int:
    names = [member.name.lower() for member in kind]
    if value not in names:
        raise invalid(f"preprocessing.{name}: '{value}' is none of {', '.join(names)}")
    return names.index(value)


def checked(preprocessing: Preprocessing, channels: int) -> Preprocessing:
    """With plain numbers, which can be compared."""
    if not isinstance(preprocessing, Preprocessing):
        raise TypeError(
            f"preprocessing: a {type(preprocessing).__name__}, not a Preprocessing; "
            "model.preprocessing._replace(...) makes one"
        )
    return preprocessing._replace(
        mean=_numbers(preprocessing.mean, channels, "mean"),
        standard_deviation=_numbers(
            preprocessing.standard_deviation, channels, "standard_deviation"
        ),
        resize=_native.int32(preprocessing.resize, "preprocessing.resize"),
        fill=_numbers(preprocessing.fill, channels, "fill"),
    )


def to_record(preprocessing: Preprocessing) -> _native.PreprocessingRecord:
    """Of a checked one."""
    record = _native.PreprocessingRecord(
        resize=preprocessing.resize,
        interpolation=_choice(
            _native.Interpolation, preprocessing.interpolation, "interpolation"
        ),
        resampling=_choice(_native.Resampling, preprocessing.resampling, "resampling"),
        fit=_choice(_native.Fit, preprocessing.fit, "fit"),
    )
    for name in ("mean", "standard_deviation", "fill"):
        values = getattr(preprocessing, name)
        getattr(record, name)[: len(values)] = values
    return record
