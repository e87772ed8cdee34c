"""Models: loading, running, looking inside."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_void_p
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._contexts import Contexts, Handle
from ._error import invalid
from ._images import ImageLike, image_record, is_encoded
from ._native import Layout, Output, Precision, library
from ._network import Layer, Network, read_network, size_of
from ._preprocessing import Preprocessing, checked, from_record

LayoutName = Literal["NHWC", "NCHW"]
ProbabilityName = Literal["softmax", "sigmoid", "none"]
PrecisionName = Literal["default", "float32", "bfloat16", "int8", "fastest"]
LoadedPrecision = Literal["float32", "bfloat16", "int8"]
Size = Union[int, tuple[int, int]]
Floats = NDArray[np.float32]


class Prediction(NamedTuple):
    """A class of an image, as :meth:`Model.classify` returns it.  Of a model whose outputs are no
    probabilities (:attr:`Model.probabilities` "none") the probability is the output itself."""

    class_index: int
    label: str | None  #: None if the model file has no labels
    probability: float


@dataclass(frozen=True)
class Step:
    """What runs together, and how long it took."""

    layers: tuple[Layer, ...]  #: none: what the next step reads is converted to bfloat16
    seconds: float
    tasks: int  #: that threads share; 1: the calling thread alone
    band_rows: int  #: output rows that its layers compute together
    multiply_adds: int
    bytes: int  #: that have to be moved at least: inputs, weights and bias, outputs


class Cpus(NamedTuple):
    """What this process may use of the machine's CPUs."""

    online: int  #: of the machine
    affinity: int  #: of the calling thread's affinity mask
    quota: float | None  #: in CPUs, of the control groups (cgroups) that it is in; None: no quota
    usable: int  #: at the same time: affinity, or quota rounded up where that is less


def cpus() -> Cpus:
    """Asks the system anew each time."""
    record = _native.CpusRecord()
    library.mbn_usable_cpus(byref(record))
    return Cpus(record.online, record.affinity, record.quota or None, record.usable)


def isas() -> tuple[str, ...]:
    """The instruction sets that this machine can run, best first.  Those whose names end in "bf16"
    are for models in bfloat16."""
    usable = library.mbn_isa_usable()
    names = [
        library.mbn_isa_name(isa).decode()
        for isa in range(usable.bit_length())
        if usable >> isa & 1
    ]
    return tuple(reversed(names))


def _isa_mask(names: str | None) -> int:
    if names is None:
        return 0
    mask: int = library.mbn_isa_parse(_native.text(names, "isa"))
    if mask == 0:
        raise invalid(f"isa: '{names}' is not a list of instruction sets; usable: {', '.join(isas())}")
    return mask


def _precision_of(name: str) -> Precision:
    if not isinstance(name, str):
        raise TypeError(f"precision: {type(name).__name__} is not the name of one")
    names = {precision.name.lower(): precision for precision in Precision}
    if name not in names:
        raise invalid(f"precision: '{name}' is none of {', '.join(names)}")
    return names[name]


def _layout_of(name: str) -> Layout:
    if name not in Layout.__members__:
        raise invalid(f"layout: '{name}' is not NHWC or NCHW")
    return Layout[name]


class _Input(NamedTuple):
    """A batch as the library takes it."""

    array: Floats
    layout: Layout
    height: int
    width: int


def _input(array: Any, layout: str, channels: int) -> _Input:
    values = np.asarray(array)
    if values.dtype != np.float32:
        raise TypeError(
            f"array: dtype {values.dtype}, not float32 (8-bit images are for Model.run_images)"
        )
    order = _layout_of(layout)
    sizes = values.shape[1:]
    last = order == Layout.NHWC
    if values.ndim != 4 or sizes[2 if last else 0] != channels:
        shape = f"height, width, {channels}" if last else f"{channels}, height, width"
        expected = f"[batch, {shape}]"
        raise invalid(f"array: shape {values.shape}, not {expected}")
    height, width = sizes[:2] if last else sizes[1:]
    return _Input(np.ascontiguousarray(values), order, height, width)


def _output(shape: tuple[int, int], out: Floats | None) -> Floats:
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        raise TypeError("out: not a numpy array of float32")
    if out.shape != shape or not out.flags.c_contiguous or not out.flags.writeable:
        raise invalid(f"out: not a contiguous, writable array of shape {shape}")
    return out


def _normalize(vector: Floats) -> None:
    """To length 1, in place; zeros stay what they are."""
    wide = vector.astype(np.float64)
    squares = float(wide @ wide)
    if squares > 0:
        vector[:] = wide * (1 / math.sqrt(squares))


class _Origin(NamedTuple):
    """The arguments of `load`, to do it again."""

    source: Any  #: an absolute path, or a buffer
    isa: str | None
    threads: int
    headless: bool
    precision: PrecisionName


class Model:
    """A network with its weights; :func:`load` makes one.

    Every method may be called from any number of Python threads at once.  Each call runs in a context
    (the memory of one run, and with ``threads`` > 1 a thread pool) that it has for itself; contexts
    are kept and used again.  The interpreter lock is released while the library works.

    After ``os.fork`` a child may go on using the model: the weights are shared, and its first call
    starts threads of its own.  A pickled model is its file's path, or the bytes that it was loaded
    from, with the options of :func:`load`; it is loaded again where it is unpickled.

    Results have the same bits for every number of threads and every batch, and are those of the
    command ``mobilenet``."""

    def __init__(self, pointer: c_void_p, origin: _Origin) -> None:
        threads = origin.threads
        self._origin: _Origin | None = origin
        handle = Handle(pointer, library.mbn_model_free)
        self._contexts = Contexts(handle, threads)
        self._threads = threads
        self._network = read_network(library.mbn_model_network(pointer))
        self._isa = str(library.mbn_model_kernels(pointer).contents.name.decode())
        self._precision: LoadedPrecision = library.mbn_precision_name(
            library.mbn_model_precision(pointer)
        ).decode()
        self._bytes = int(library.mbn_model_bytes(pointer))
        self._labels = _labels(pointer)
        kind = library.mbn_model_probabilities(pointer)
        self._probabilities: ProbabilityName = library.mbn_probability_kind_name(kind).decode()
        record = _native.PreprocessingRecord()
        library.mbn_model_preprocessing(pointer, byref(record))
        self._preprocessing = from_record(record, self._network.input_channels)

    def __repr__(self) -> str:
        height, width = self.input_size
        return (
            f"<mobilenet.Model {self._network.name}, width {self._network.width:g}, "
            f"input {height}x{width}, {self.classes} classes, {self.precision}, {self.isa}>"
        )

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        if self._origin is None:
            raise invalid("the model is closed")
        source, *options = self._origin
        return _load_again, (source if isinstance(source, str) else bytes(source), *options)

    def close(self) -> None:
        """Frees the weights, as soon as the calls that are under way have ended.  Losing the last
        reference to the model does so, too."""
        self._contexts.close()
        self._origin = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- What it is ------------------------------------------------------------------------------

    @property
    def network(self) -> Network:
        """Layers, counts and stages, at the model's own input size."""
        return self._network

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of images inside the network, unless a call says otherwise."""
        return self._network.input_size

    @property
    def classes(self) -> int:
        """The number of classes; 0 without a classifier: ``features`` and ``embed`` run it."""
        return self._network.classes

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The classes' names; None if the file has none.  A single sigmoid may have two, of no and
        of yes."""
        return self._labels

    @property
    def probabilities(self) -> ProbabilityName:
        """What makes probabilities of logits: "softmax" of all classes together (one is in the
        image), "sigmoid" of each by itself (an image may show several labels, or none), or "none":
        the outputs are values that are no probabilities."""
        return self._probabilities

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return self._network.parameters

    @property
    def multiply_adds(self) -> int:
        """Of convolutions and fully connected layers, for one image of the model's input size."""
        return self._network.multiply_adds

    @property
    def preprocessing(self) -> Preprocessing:
        """As the model file says.  Where a call has another ``size``, ``resize`` is scaled by its shorter
        side over the model's; a ``preprocessing`` that is passed to a call is taken as it is."""
        return self._preprocessing

    @property
    def isa(self) -> str:
        """The instruction set that the weights are packed for."""
        return self._isa

    @property
    def precision(self) -> LoadedPrecision:
        """What weights and activations are in, whatever :func:`load` was asked for; arrays that go in
        and come out are float32."""
        return self._precision

    @property
    def threads(self) -> int:
        """Threads inside of one call."""
        return self._threads

    @property
    def bytes(self) -> int:
        """Memory that the model holds: packed weights, tables, labels."""
        return self._bytes

    # ---- Images ----------------------------------------------------------------------------------

    def classify(
        self,
        image: ImageLike,
        top: int = 5,
        *,
        size: Size | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> list[Prediction]:
        """The ``top`` classes of an image, the most probable first.  Images are as for
        :meth:`run_images`.

        Of sigmoids each class has its own probability.  A single sigmoid says no or yes: it has the
        classes 0 and 1, unless the model has one label."""
        probable = self._probabilities != "none"
        preprocessing = self._checked(preprocessing)
        scores = self._run_images([("image", image)], probable, size, preprocessing)[0]
        if self._probabilities == "sigmoid" and self.classes == 1 and len(self._labels or ()) != 1:
            scores = np.concatenate([1 - scores, scores])
        top = min(_native.int32(top, "top"), len(scores))
        if top < 0:
            raise invalid(f"top: {top} is negative")
        best = np.empty(top, np.int32)
        library.mbn_top(scores.ctypes.data, len(scores), top, best.ctypes.data)
        return [
            Prediction(i, self._labels[i] if self._labels else None, float(scores[i]))
            for i in best.tolist()
        ]

    def run_images(
        self,
        images: Iterable[ImageLike],
        probabilities: bool = False,
        *,
        size: Size | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Floats:
        """Runs images: float32 [images, classes], logits or probabilities.

        An image is a PIL image of any mode but F, a uint8 array of [height, width] (grey), [height,
        width, 2] (grey and alpha), [height, width, 3] (RGB) or [height, width, 4] (RGBA), or an image
        file, which Pillow reads: its path (str or os.PathLike) or its bytes.  It is converted to the
        channels that the network reads, where alpha that the network has not is ignored.  The library
        resizes, crops and
        normalises as the model file says.  Arrays are read where they are: crops
        (``frame[y0:y1, x0:x1]``), rows backwards and BGR (``frame[..., ::-1]``) included; other
        strides are copied.  A PIL image is copied once, by Pillow, after it has been turned as its
        EXIF orientation says.

        ``images`` may be any iterable, also a generator; one image at a time is held.  ``size`` is
        the input size, a side or (height, width), if not the model's own; so is ``preprocessing``."""
        preprocessing = self._checked(preprocessing)
        return self._run_images(self._each(images), probabilities, size, preprocessing)

    def _run_images(
        self,
        images: Iterable[tuple[str, ImageLike]],
        probabilities: bool,
        size: Size | None,
        preprocessing: Preprocessing | None,
    ) -> Floats:
        self._check_classifier()
        kind = Output.PROBABILITIES if probabilities else Output.LOGITS
        rows: list[Floats] = []
        for name, image in images:
            row = np.empty(self.classes, np.float32)
            record, kept = image_record(image, name)
            with self._contexts.borrow(*size_of(size), preprocessing=preprocessing) as context:
                _native.call(
                    library.mbn_run_images,
                    context,
                    byref(record),
                    1,
                    kind,
                    row.ctypes.data,
                    names={"image": f"{name}:", "images[0]": f"{name}:"},
                )
            del kept
            rows.append(row)
        return _stack(rows, self.classes)

    def _check_classifier(self) -> None:
        if self.classes == 0 or (self._origin is not None and self._origin.headless):
            why = "has no classifier" if self.classes == 0 else "was loaded headless"
            raise invalid(f"the model {why}; Model.features and Model.embed run it")

    def preprocess(
        self,
        images: Iterable[ImageLike],
        *,
        size: Size | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Floats:
        """The inputs that :meth:`run_images` makes of images: float32 [images, height, width,
        channels]."""
        height, width = self._input_size(size)
        preprocessing = self._checked(preprocessing)
        rows = [
            self._preprocess(*named, height, width, preprocessing) for named in self._each(images)
        ]
        return _stack(rows, height, width, self._network.input_channels)

    def embed(
        self,
        images: Iterable[ImageLike],
        normalize: bool = False,
        *,
        size: Size | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Floats:
        """A vector per image, near each other for images that look alike: the pooled features,
        float32 [images, channels]; scaled to length 1 (L2) with ``normalize``."""
        height, width = self._input_size(size)
        preprocessing = self._checked(preprocessing)
        rows: list[Floats] = []
        for named in self._each(images):
            array = self._preprocess(*named, height, width, preprocessing, ("pool",))
            row = self.features(array[np.newaxis], "pool")["pool"][0]
            if normalize:
                _normalize(row)
            rows.append(row)
        return _stack(rows, self._channels("pool"))

    def _input_size(self, size: Size | None) -> tuple[int, int]:
        height, width = size_of(size)
        return height or self.input_size[0], width or self.input_size[1]

    @staticmethod
    def _each(images: Iterable[ImageLike]) -> Iterator[tuple[str, ImageLike]]:
        """Images with their names for messages.  Refuses what is one image: iterating over it would give
        its rows, characters or bytes."""
        if (
            hasattr(images, "getexif")
            or isinstance(images, (str, os.PathLike))
            or is_encoded(images)
            or (isinstance(images, np.ndarray) and images.ndim != 4)
        ):
            raise TypeError(
                "images: not an iterable of images, nor an array [images, height, width, channels]; "
                "put a single image into a list"
            )
        return ((f"images[{i}]", image) for i, image in enumerate(images))

    def _checked(self, preprocessing: Preprocessing | None) -> Preprocessing | None:
        return None if preprocessing is None else checked(preprocessing, self._network.input_channels)

    def _preprocess(
        self,
        name: str,
        image: ImageLike,
        height: int,
        width: int,
        preprocessing: Preprocessing | None,
        stages: tuple[str, ...] = (),
    ) -> Floats:
        record, kept = image_record(image, name)
        array = np.empty((height, width, self._network.input_channels), np.float32)
        with self._contexts.borrow(
            height, width, stages, preprocessing=preprocessing
        ) as context:
            _native.call(
                library.mbn_preprocess,
                context,
                byref(record),
                array.ctypes.data,
                names={"image": f"{name}:"},
            )
        del kept
        return array

    # ---- Arrays ----------------------------------------------------------------------------------

    def run(
        self,
        array: Any,
        probabilities: bool = False,
        *,
        layout: LayoutName = "NHWC",
        out: Floats | None = None,
    ) -> Floats:
        """Runs a preprocessed batch: float32 [batch, classes], logits or probabilities.

        ``array`` is float32 [batch, height, width, channels], or [batch, channels, height, width] with
        the layout "NCHW": 3 channels, unless ``network.input_channels`` says otherwise; of any height and width that the network takes; where it is contiguous it is not
        copied, and neither is ``out``, which is filled and returned if given."""
        self._check_classifier()
        batch = _input(array, layout, self._network.input_channels)
        count = len(batch.array)
        result = _output((count, self.classes), out)
        if count == 0:
            return result
        kind = Output.PROBABILITIES if probabilities else Output.LOGITS
        with self._contexts.borrow(
            batch.height, batch.width, images=count, size_name="array"
        ) as context:
            _native.call(
                library.mbn_run,
                context,
                batch.array.ctypes.data,
                batch.layout,
                count,
                kind,
                result.ctypes.data,
            )
        return result

    def features(
        self, array: Any, stages: str | Sequence[str], *, layout: LayoutName = "NHWC"
    ) -> dict[str, Floats]:
        """Values from the middle of the network, by the stages' names (``network.stages``).

        ``array`` is as for :meth:`run`.  Maps are [batch, height, width, channels], or [batch,
        channels, height, width] with the layout "NCHW"; vectors are [batch, channels].  Nothing
        behind the last stage runs.

        >>> maps = model.features(array, ["stride8", "stride16", "stride32"])"""
        batch = _input(array, layout, self._network.input_channels)
        count = len(batch.array)
        names = tuple(dict.fromkeys([stages] if isinstance(stages, str) else stages))
        if not names:
            raise invalid("stages: none is asked for; the model's are network.stages")
        with self._contexts.borrow(
            batch.height, batch.width, names, size_name="array"
        ) as context:
            network = library.mbn_context_network(context)
            maps = {name: _map(network, name, count, batch.layout) for name in names}
            records = (_native.FeatureMapRecord * len(names))(
                *(
                    _native.FeatureMapRecord(values.ctypes.data, batch.layout)
                    for values in maps.values()
                )
            )
            if count > 0:
                _native.call(
                    library.mbn_features,
                    context,
                    batch.array.ctypes.data,
                    batch.layout,
                    count,
                    records,
                )
        return maps

    def _channels(self, name: str) -> int:
        return next(stage.shape[2] for stage in self._network.stages if stage.name == name)

    # ---- Looking inside --------------------------------------------------------------------------

    def profile(
        self, array: Any = None, *, layout: LayoutName = "NHWC", repeats: int = 10
    ) -> list[Step]:
        """Times every step of a run: each one's fastest of ``repeats``, after one run that does not
        count.  ``array`` is one preprocessed image with a batch of 1; without it, zeros of the
        model's input size."""
        if array is None:
            array = np.zeros((1, *self.input_size, self._network.input_channels), np.float32)
            layout = "NHWC"
        image = _input(array, layout, self._network.input_channels)
        if len(image.array) != 1:
            raise invalid(f"array: a batch of {len(image.array)}, not of 1")
        if repeats < 1:
            raise invalid(f"repeats: {repeats} is not positive")
        with self._contexts.borrow(image.height, image.width, size_name="array") as context:
            count = library.mbn_context_step_count(context)
            seconds = np.empty((repeats + 1, count), np.float64)
            for row in seconds:
                _native.call(
                    library.mbn_profile,
                    context,
                    image.array.ctypes.data,
                    image.layout,
                    row.ctypes.data,
                    None,
                )
            layers = read_network(library.mbn_context_network(context)).layers
            fastest = seconds[1:].min(axis=0)
            return [_step(context, i, layers, float(fastest[i])) for i in range(count)]


def _labels(model: c_void_p) -> tuple[str, ...] | None:
    labels: list[str] = []
    while (label := library.mbn_model_label(model, len(labels))) is not None:
        labels.append(label.decode())
    return tuple(labels) or None


def _stack(rows: list[Floats], *shape: int) -> Floats:
    return np.stack(rows) if rows else np.empty((0, *shape), np.float32)


def _map(network: Any, name: str, batch: int, layout: Layout) -> Floats:
    """Room for a stage."""
    stage = _native.StageRecord()
    _native.call(library.mbn_network_stage, network, _native.text(name, "stages"), byref(stage))
    if stage.stride_vertical == 0:
        return np.empty((batch, stage.channels), np.float32)
    if layout == Layout.NHWC:
        return np.empty((batch, stage.height, stage.width, stage.channels), np.float32)
    return np.empty((batch, stage.channels, stage.height, stage.width), np.float32)


def _step(context: c_void_p, index: int, layers: tuple[Layer, ...], seconds: float) -> Step:
    record = _native.StepRecord()
    _native.call(library.mbn_context_step, context, index, byref(record))
    return Step(
        layers=layers[record.first_layer : record.last_layer + 1],
        seconds=seconds,
        tasks=record.tasks,
        band_rows=record.band_rows,
        multiply_adds=record.multiply_adds,
        bytes=record.bytes,
    )


def load(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | mmap.mmap,
    isa: str | Iterable[str] | None = None,
    threads: int = 1,
    *,
    headless: bool = False,
    precision: PrecisionName = "default",
) -> Model:
    """Loads a model file, from a path or from its bytes (any buffer: bytes, mmap, a numpy array).

    ``isa`` names the instruction sets that may be used ("avx2", ["sse", "scalar"]); the best of them
    is.  The environment variable MOBILENET_ISA restricts them further.  ``threads`` is for one call,
    and no more than ``cpus().usable`` are used; calls of several Python threads run at the same time
    anyway.  ``headless`` leaves out the layers behind the pool, for features only: their tensors need
    not be in the file.

    ``precision`` is what weights and activations are in: "default" (the file's own: int8 of a file of
    integers, else float32), "float32", "bfloat16" (of any file; half the memory), "int8" (of files of
    integers), or "fastest": int8 of a file of integers, else bfloat16 where this machine has
    instructions for it that may be used, else float32.  Arrays are float32 anyway.

    A model that is loaded from a buffer keeps it, to be pickled with what is in it then."""
    threads = _native.int32(threads, "threads")
    if not 1 <= threads <= 1024:
        raise invalid(f"threads: {threads} is not in 1 to 1024")
    names = isa if isa is None or isinstance(isa, str) else ",".join(isa)
    options = _native.ModelOptions(
        isa_mask=_isa_mask(names), headless=headless, precision=_precision_of(precision)
    )
    pointer = c_void_p()
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        if path == "":
            raise invalid("source: an empty path")
        _native.call(
            library.mbn_model_load, _native.text(path, "source"), byref(options), byref(pointer)
        )
        source = os.path.abspath(path)
    else:
        try:
            data = np.frombuffer(source, np.uint8)
        except TypeError:
            raise TypeError(
                f"source: {type(source).__name__} is neither a path nor a buffer of bytes"
            ) from None
        _native.call(
            library.mbn_model_load_memory,
            data.ctypes.data,
            data.size,
            byref(options),
            byref(pointer),
        )
    return Model(pointer, _Origin(source, names, threads, headless, precision))


def _load_again(
    source: str | bytes, isa: str | None, threads: int, headless: bool, precision: PrecisionName
) -> Model:
    return load(source, isa, threads, headless=headless, precision=precision)
