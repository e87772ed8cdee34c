"""From a model of floats to one of 8-bit integers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from ctypes import POINTER, byref, c_char_p, c_void_p
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from . import _native
from ._error import Error, Status, invalid
from ._images import ImageLike, image_record
from ._model import Model, load
from ._native import RangeMethod, library

RangeMethodName = Literal["best", "minmax", "percentile", "mse"]
TriedMethodName = Literal["minmax", "percentile", "mse"]


class Loss(NamedTuple):
    """How near outputs of integers are to those of floats, over the images that are held out."""

    decibels: float  #: signal to noise of all outputs
    cosine: float  #: mean over the images
    agreement: float  #: part of the images whose largest output is the same one
    sure: int  #: images to whose first class floats give a probability of 0.5 or more
    sure_same: int  #: those of them that have the same first class
    pool_decibels: float  #: signal to noise of the pooled vector
    pool_cosine: float


class Trial(NamedTuple):
    """One combination of what may help, and what it came to."""

    method: TriedMethodName
    equalized: bool
    corrected: bool
    loss: Loss


class LayerLoss(NamedTuple):
    """What is lost of a layer's output, on the images that are held out."""

    name: str
    decibels: float  #: signal to noise; infinite where nothing is lost
    low: float  #: what its bytes reach ...
    high: float  #: ... from and to
    floats: bool  #: it runs in floats
    scaled: bool  #: equalised: its channels are multiples of those of the model of floats


@dataclass(frozen=True)
class Quantized:
    """A model of integers, as :func:`quantize` returns it."""

    file: bytes  #: the model file, for :func:`load` or :meth:`save`
    calibrated: int  #: images that ranges were taken of
    held_out: int  #: images that losses were measured on; 0: those were the same
    left_out: dict[int, str]  #: images that could not be read, by index, and why
    trials: tuple[Trial, ...]
    kept: Trial
    layers: tuple[LayerLoss, ...]

    def __repr__(self) -> str:
        loss = self.kept.loss
        return (
            f"<mobilenet.Quantized {len(self.file)} bytes, {self.kept.method}, "
            f"{loss.decibels:.1f} dB, cosine {loss.cosine:.5f}>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file."""
        with open(path, "wb") as file:
            file.write(self.file)


class _Images:
    """What the library reads images by: from several of its threads, which wait for the interpreter."""

    def __init__(self, images: Any, model: Model) -> None:
        height, width = model.input_size
        self.shape = (height, width, model.network.input_channels)
        floats = isinstance(images, np.ndarray) and images.dtype == np.float32
        if floats and images.shape[1:] != self.shape:
            raise invalid(f"images: shape {images.shape}, not {('images', *self.shape)}")
        self.floats = images if floats else None
        if not floats and (isinstance(images, (str, os.PathLike)) or hasattr(images, "getexif")):
            raise TypeError("images: not an iterable of images; put a single image into a list")
        self.images = images if floats else list(images)
        self.failures: dict[int, str] = {}
        if len(self.images) == 0:
            raise invalid("images: there are none")

    def read(self, _: Any, index: int, context: Any, address: int, error: Any) -> int:
        try:
            self._write(index, context, address)
            return Status.OK
        except Exception as reason:  # of whatever kind: the image is left out
            status = reason.status if isinstance(reason, Error) else Status.INVALID_ARGUMENT
            self.failures[index] = str(reason)
            error.contents.status = status
            error.contents.message = str(reason).encode()[:500]
            return status

    def _write(self, index: int, context: Any, address: int) -> None:
        if self.floats is not None:
            count = int(np.prod(self.shape))
            target = np.ctypeslib.as_array((ctypes.c_float * count).from_address(address))
            target[:] = self.floats[index].reshape(-1)
            return
        name = f"images[{index}]"
        record, kept = image_record(self.images[index], name)
        _native.call(
            library.mbn_preprocess, context, byref(record), address, names={"image": f"{name}:"}
        )
        del kept


def _loss(record: Any) -> Loss:
    return Loss(*(getattr(record, field) for field in Loss._fields))


def _trial(record: Any) -> Trial:
    method: Any = library.mbn_range_method_name(record.method).decode()
    return Trial(method, record.equalized, record.corrected, _loss(record.loss))


def _result(record: Any, images: _Images, model: Model) -> Quantized:
    trials = tuple(_trial(record.trials[i]) for i in range(record.trial_count))
    names = [layer.name for layer in model.network.layers]
    layers = tuple(
        LayerLoss(
            names[i], of.decibels, float(of.low), float(of.high), of.floats, of.scaled
        )
        for i, of in enumerate(record.layers[: record.layer_count])
    )
    return Quantized(
        file=ctypes.string_at(record.file, record.file_bytes),
        calibrated=record.calibrated,
        held_out=record.held_out,
        left_out=dict(sorted(images.failures.items())),
        trials=trials,
        kept=trials[record.kept],
        layers=layers,
    )


def quantize(
    source: str | os.PathLike[str],
    images: Iterable[ImageLike],
    *,
    method: RangeMethodName = "best",
    keep_float: Iterable[str] = (),
    threads: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Quantized:
    """Makes of a model file of floats one of 8-bit integers, and tells what is lost.

    ``images`` are like those that the network will see, a few hundred: an iterable of images as
    :meth:`Model.run_images` takes them, or a float32 array [images, height, width, channels] that is
    preprocessed, of the model's input size.  Each is read several times, so paths need the least
    memory; what cannot be read is left out.  A quarter is held out to measure with.

    ``method``: how ranges follow from values; "best" tries all.  ``keep_float`` names layers with
    weights that stay in floats.  ``threads``: 0 is one for each CPU that may be used; the result is
    the same for any number.  ``progress`` is called with readings of images, done and in all, from
    threads of the library.

    >>> quantized = mobilenet.quantize("m.safetensors", glob.glob("photos/*.jpg"))
    >>> quantized.save("m-int8.safetensors")"""
    if not isinstance(method, str):
        raise TypeError(f"method: {type(method).__name__} is not the name of one")
    methods = {member.name.lower(): member for member in RangeMethod}
    if method not in methods:
        raise invalid(f"method: '{method}' is none of {', '.join(methods)}")
    threads = _native.int32(threads, "threads")
    if isinstance(keep_float, str):
        raise TypeError("keep_float: not an iterable of names; put a single one into a list")
    kept = [_native.text(name, "keep_float") for name in keep_float]
    path = os.path.abspath(os.fsdecode(source))
    with load(path) as model:
        given = _Images(images, model)
        options = _native.QuantizeOptions(
            method=methods[method],
            keep_float=(c_char_p * len(kept))(*kept),
            keep_float_count=len(kept),
            threads=threads,
        )
        if progress is not None:
            options.progress = _native.PROGRESS(lambda _, done, total: progress(done, total) and None)
        calibration = _native.Calibration(
            count=_native.int32(len(given.images), "images"), read=_native.READ(given.read)
        )
        result = POINTER(_native.QuantizedRecord)()
        _native.call(
            library.mbn_quantize,
            _native.text(path, "source"),
            byref(calibration),
            byref(options),
            byref(result),
        )
        try:
            return _result(result.contents, given, model)
        finally:
            library.mbn_quantized_free(ctypes.cast(result, c_void_p))
