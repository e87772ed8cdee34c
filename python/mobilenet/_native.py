"""include/mobilenet.h in ctypes: structures, functions, and nothing of Python's own.

The library is the one beside this file, or that of the environment variable MOBILENET_LIBRARY.  It is
loaded as a CDLL, so that the interpreter lock is released during every call.  tests/test_layout.py
compares the structures with a C compiler's."""

from __future__ import annotations

import ctypes
import enum
import operator
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

from ._error import Error, Status, invalid


class Padding(enum.IntEnum):
    DEFAULT = 0
    SAME = 1
    SYMMETRIC = 2
    TRAILING = 3


class Source(enum.IntEnum):
    DEFAULT = 0
    TORCHVISION = 1
    KERAS = 2


class Role(enum.IntEnum):
    STEM = 0
    EXPAND = 1
    DEPTHWISE = 2
    SQUEEZE_POOL = 3
    SQUEEZE = 4
    EXCITE = 5
    SCALE = 6
    PROJECT = 7
    HEAD = 8
    HEAD_MAX_POOL = 9
    HEAD_POOL = 10
    HIDDEN = 11
    LOGITS = 12
    HEAD_GLOBAL_MAX_POOL = 13


class Activation(enum.IntEnum):
    NONE = 0
    RELU = 1
    RELU6 = 2
    HARD_SIGMOID = 3
    HARD_SWISH = 4


class Precision(enum.IntEnum):
    DEFAULT = 0
    FLOAT32 = 1
    BFLOAT16 = 2
    INT8 = 3
    FASTEST = 4


class Layout(enum.IntEnum):
    NHWC = 0
    NCHW = 1


class Output(enum.IntEnum):
    LOGITS = 0
    PROBABILITIES = 1


class Order(enum.IntEnum):
    RGB = 0
    BGR = 1
    RGBA = 2
    BGRA = 3
    GRAY = 4
    GRAY_ALPHA = 5


class Interpolation(enum.IntEnum):
    BILINEAR = 0
    BICUBIC = 1
    NEAREST = 2
    AREA = 3


class Resampling(enum.IntEnum):
    PILLOW = 0
    TENSORFLOW = 1


class Fit(enum.IntEnum):
    CROP = 0
    SQUASH = 1
    LETTERBOX = 2
    COVER = 3


class RangeMethod(enum.IntEnum):
    BEST = 0
    MINMAX = 1
    PERCENTILE = 2
    MSE = 3


class CpusRecord(Structure):
    _fields_ = [("online", c_int32), ("affinity", c_int32), ("quota", c_double), ("usable", c_int32)]


class ErrorRecord(Structure):
    _fields_ = [("status", c_int), ("message", c_char * 512)]


class NetworkOptions(Structure):
    _fields_ = [
        ("network", c_char_p),
        ("width", c_double),
        ("input_height", c_int32),
        ("input_width", c_int32),
        ("classes", c_int32),
        ("padding", c_int),
        ("source", c_int),
        ("batch_norm_epsilon", c_double),
        ("standard_convolution", c_bool),
        ("input_channels", c_int32),
    ]


class ActivationRecord(Structure):
    _fields_ = [("kind", c_int), ("slope", c_float), ("offset", c_float)]


class LayerRecord(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("batch_norm_name", c_char * 64),
        ("kind", c_int),
        ("role", c_int),
        ("block", c_int32),
        ("input", c_int32),
        ("gate", c_int32),
        ("residual", c_int32),
        ("input_height", c_int32),
        ("input_width", c_int32),
        ("input_channels", c_int32),
        ("output_height", c_int32),
        ("output_width", c_int32),
        ("output_channels", c_int32),
        ("kernel_height", c_int32),
        ("kernel_width", c_int32),
        ("stride_vertical", c_int32),
        ("stride_horizontal", c_int32),
        ("pad_top", c_int32),
        ("pad_left", c_int32),
        ("pad_bottom", c_int32),
        ("pad_right", c_int32),
        ("bias", c_bool),
        ("matrix", c_bool),
        ("activation", ActivationRecord),
        ("weights", c_int64),
        ("parameters", c_int64),
        ("batch_norm_statistics", c_int64),
        ("multiply_adds", c_int64),
    ]


class NetworkRecord(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("width", c_double),
        ("input_height", c_int32),
        ("input_width", c_int32),
        ("classes", c_int32),
        ("padding", c_int),
        ("source", c_int),
        ("batch_norm_epsilon", c_double),
        ("layer_count", c_int32),
        ("parameters", c_int64),
        ("batch_norm_statistics", c_int64),
        ("multiply_adds", c_int64),
        ("layers", POINTER(LayerRecord)),
        ("input_channels", c_int32),
    ]


class StageRecord(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("layer", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("channels", c_int32),
        ("stride_vertical", c_int32),
        ("stride_horizontal", c_int32),
    ]


class ModelOptions(Structure):
    _fields_ = [
        ("isa_mask", c_uint32),
        ("allocator", c_void_p),
        ("headless", c_bool),
        ("precision", c_int),
    ]


class PreprocessingRecord(Structure):
    _fields_ = [
        ("mean", c_float * 4),
        ("standard_deviation", c_float * 4),
        ("resize", c_int32),
        ("interpolation", c_int),
        ("resampling", c_int),
        ("fit", c_int),
        ("fill", c_float * 4),
    ]


class ContextOptions(Structure):
    _fields_ = [
        ("input_height", c_int32),
        ("input_width", c_int32),
        ("threads", c_int32),
        ("pool", c_void_p),
        ("batch", c_int32),
        ("band_rows", c_int32),
        ("allocator", c_void_p),
        ("stages", POINTER(c_char_p)),
        ("stage_count", c_int32),
        ("preprocessing", POINTER(PreprocessingRecord)),
    ]


class ImageRecord(Structure):
    _fields_ = [
        ("pixels", c_void_p),
        ("width", c_int32),
        ("height", c_int32),
        ("row_stride", c_ssize_t),
        ("order", c_int),
    ]


class FeatureMapRecord(Structure):
    _fields_ = [("values", c_void_p), ("layout", c_int)]


class StepRecord(Structure):
    _fields_ = [
        ("first_layer", c_int32),
        ("last_layer", c_int32),
        ("tasks", c_int32),
        ("band_rows", c_int32),
        ("multiply_adds", c_int64),
        ("bytes", c_int64),
    ]


#: Writes image number `index` to an address.
READ = CFUNCTYPE(c_int, c_void_p, c_int32, c_void_p, c_void_p, POINTER(ErrorRecord))
PROGRESS = CFUNCTYPE(None, c_void_p, c_int64, c_int64)


class Calibration(Structure):
    _fields_ = [("count", c_int32), ("read", READ), ("user", c_void_p)]


class QuantizeOptions(Structure):
    _fields_ = [
        ("method", c_int),
        ("keep_float", POINTER(c_char_p)),
        ("keep_float_count", c_int32),
        ("threads", c_int32),
        ("isa_mask", c_uint32),
        ("progress", PROGRESS),
        ("user", c_void_p),
    ]


class OutputLoss(Structure):
    _fields_ = [
        ("decibels", c_double),
        ("cosine", c_double),
        ("agreement", c_double),
        ("sure", c_int32),
        ("sure_same", c_int32),
        ("pool_decibels", c_double),
        ("pool_cosine", c_double),
    ]


class QuantizeTrial(Structure):
    _fields_ = [
        ("method", c_int),
        ("equalized", c_bool),
        ("corrected", c_bool),
        ("loss", OutputLoss),
    ]


class LayerLossRecord(Structure):
    _fields_ = [
        ("decibels", c_double),
        ("low", c_float),
        ("high", c_float),
        ("floats", c_bool),
        ("scaled", c_bool),
    ]


#: MBN_QUANTIZE_TRIALS
TRIALS = 12


class QuantizedRecord(Structure):
    _fields_ = [
        ("file", c_void_p),
        ("file_bytes", c_size_t),
        ("calibrated", c_int32),
        ("held_out", c_int32),
        ("left_out", c_int32),
        ("trial_count", c_int32),
        ("kept", c_int32),
        ("trials", QuantizeTrial * TRIALS),
        ("layer_count", c_int32),
        ("layers", POINTER(LayerLossRecord)),
    ]


#: Tables of kernels begin with their name; the rest is of no use here.
class KernelsRecord(Structure):
    _fields_ = [("name", c_char_p)]


_ERROR = POINTER(ErrorRecord)
_NETWORK = POINTER(NetworkRecord)
_HANDLE = POINTER(c_void_p)

#: Name: result, arguments.  Arrays of values are c_void_p: addresses that numpy gives.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "mbn_version": (c_char_p, []),
    "mbn_usable_cpus": (None, [POINTER(CpusRecord)]),
    "mbn_network_create": (c_int, [POINTER(NetworkOptions), POINTER(_NETWORK), _ERROR]),
    "mbn_network_free": (None, [_NETWORK]),
    "mbn_network_name": (c_char_p, [c_int32]),
    "mbn_layer_kind_name": (c_char_p, [c_int]),
    "mbn_network_init": (
        c_int,
        [POINTER(NetworkOptions), c_uint64, c_void_p, POINTER(c_size_t), _ERROR],
    ),
    "mbn_network_stage": (c_int, [_NETWORK, c_char_p, POINTER(StageRecord), _ERROR]),
    "mbn_network_stage_at": (c_bool, [_NETWORK, c_int32, POINTER(StageRecord)]),
    "mbn_model_load": (c_int, [c_char_p, POINTER(ModelOptions), _HANDLE, _ERROR]),
    "mbn_model_load_memory": (
        c_int,
        [c_void_p, c_size_t, POINTER(ModelOptions), _HANDLE, _ERROR],
    ),
    "mbn_model_free": (None, [c_void_p]),
    "mbn_model_network": (_NETWORK, [c_void_p]),
    "mbn_model_kernels": (POINTER(KernelsRecord), [c_void_p]),
    "mbn_model_precision": (c_int, [c_void_p]),
    "mbn_precision_name": (c_char_p, [c_int]),
    "mbn_model_bytes": (c_size_t, [c_void_p]),
    "mbn_model_label": (c_char_p, [c_void_p, c_int32]),
    "mbn_model_probabilities": (c_int, [c_void_p]),
    "mbn_probability_kind_name": (c_char_p, [c_int]),
    "mbn_model_preprocessing": (None, [c_void_p, POINTER(PreprocessingRecord)]),
    "mbn_context_create": (c_int, [c_void_p, POINTER(ContextOptions), _HANDLE, _ERROR]),
    "mbn_context_free": (None, [c_void_p]),
    "mbn_context_network": (_NETWORK, [c_void_p]),
    "mbn_context_step_count": (c_int32, [c_void_p]),
    "mbn_context_step": (c_int, [c_void_p, c_int32, POINTER(StepRecord), _ERROR]),
    "mbn_run": (c_int, [c_void_p, c_void_p, c_int, c_int32, c_int, c_void_p, _ERROR]),
    "mbn_run_images": (
        c_int,
        [c_void_p, POINTER(ImageRecord), c_int32, c_int, c_void_p, _ERROR],
    ),
    "mbn_preprocess": (c_int, [c_void_p, POINTER(ImageRecord), c_void_p, _ERROR]),
    "mbn_features": (
        c_int,
        [c_void_p, c_void_p, c_int, c_int32, POINTER(FeatureMapRecord), _ERROR],
    ),
    "mbn_profile": (c_int, [c_void_p, c_void_p, c_int, c_void_p, c_void_p, _ERROR]),
    "mbn_range_method_name": (c_char_p, [c_int]),
    "mbn_quantize": (
        c_int,
        [
            c_char_p,
            POINTER(Calibration),
            POINTER(QuantizeOptions),
            POINTER(POINTER(QuantizedRecord)),
            _ERROR,
        ],
    ),
    "mbn_quantized_free": (None, [c_void_p]),
    "mbn_top": (c_int32, [c_void_p, c_int32, c_int32, c_void_p]),
    "mbn_isa_usable": (c_uint32, []),
    "mbn_isa_name": (c_char_p, [c_int]),
    "mbn_isa_parse": (c_uint32, [c_char_p]),
}


def _load() -> ctypes.CDLL:
    bundled = Path(__file__).with_name("libmobilenet.so")
    path = os.environ.get("MOBILENET_LIBRARY") or str(bundled)
    try:
        loaded = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"mobilenet: cannot load the C library: {error}; install the package (pip install .), "
            "or set MOBILENET_LIBRARY to a libmobilenet.so"
        ) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype = result
        function.argtypes = arguments
    return loaded


library = _load()


def int32(value: int, name: str) -> int:
    """ctypes would cut it off."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not a whole number") from None
    if not -(2**31) <= value < 2**31:
        raise invalid(f"{name}: {value} is out of range")
    return value


def text(value: str, name: str) -> bytes:
    """A C string."""
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise invalid(f"{name}: a zero byte in {value!r}")
    return encoded


def call(function: Any, *arguments: Any, names: dict[str, str] | None = None) -> None:
    """Calls a function that returns a status and takes an error last; raises what it reports.

    Messages begin with what they are about, as it is called in C; `names` has what it is called in
    Python, with the colon."""
    error = ErrorRecord()
    if function(*arguments, byref(error)) == Status.OK:
        return
    message = error.message.decode("utf-8", "replace")
    for name, own in (names or {}).items():
        if message.startswith(f"{name}: "):
            message = f"{own}{message[len(name) + 1:]}"
            break
    raise Error(Status(error.status), message)


def size_names(name: str) -> dict[str, str]:
    """For `call`: an input size that is given as `name`."""
    return {
        "input_height": f"{name}: height",
        "input_width": f"{name}: width",
        "input_height, input_width": f"{name}:",
    }
