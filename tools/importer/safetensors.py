"""Reader and writer of the safetensors format: an 8-byte little-endian header length, a JSON
header, the tensors' bytes."""
import json
import math
import os
import tempfile

import numpy

from .errors import ImportFailure
from .tensor import DTYPES, Tensor

_MAX_HEADER = 100_000_000
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
          "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8",
          "BOOL": "bool"}
_DTYPES = {dtype: name for name, dtype in _NAMES.items()}


def _natural(value):
    return type(value) is int and value >= 0


def _unique(pairs):
    """For JSON objects: a second value for a key would silently replace the first."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ImportFailure("header: a key occurs twice")
    return result


def read(data):
    """({name: Tensor}, {metadata}) of a file's bytes."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _MAX_HEADER):
        raise ImportFailure("not a safetensors file, or a truncated one: the header does not fit")
    try:
        header = json.loads(data[8:8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ImportFailure(f"header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ImportFailure("header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    body = memoryview(data)[8 + length:]
    return {name: _tensor(name, entry, body) for name, entry in header.items()}, metadata


def _tensor(name, entry, body):
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ImportFailure(f"{name}: no dtype, shape and data_offsets") from None
    if not isinstance(dtype, str) or dtype not in _NAMES:
        raise ImportFailure(f"{name}: dtype {dtype} is not supported")
    if not isinstance(shape, list) or len(shape) > 8 or not all(map(_natural, shape)):
        raise ImportFailure(f"{name}: shape is not a list of sizes")
    if not (_natural(begin) and _natural(end) and begin <= end <= len(body)):
        raise ImportFailure(f"{name}: data_offsets are outside of the file")
    dtype = _NAMES[dtype]
    if end - begin != math.prod(shape) * DTYPES[dtype].itemsize:
        raise ImportFailure(f"{name}: {end - begin} bytes do not match its shape")

    def load():
        return numpy.frombuffer(body[begin:end], DTYPES[dtype]).reshape(shape)
    return Tensor(name, tuple(shape), dtype, load)


def write(path, tensors, metadata, look=None):
    """Writes {name: array}, in that order, but wide elements first, so that all are aligned.  The
    file appears whole or not at all: `look` is called with the path of the complete file before, and
    may raise."""
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": _DTYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)

    def write_all(file):
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in tensors.values():
            file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())

    try:
        _replace(path, write_all, look)
    except OSError as error:
        raise ImportFailure(f"{path}: {error.strerror}", about_source=False) from None
    return 8 + len(text) + offset


def _replace(path, write_all, look):
    handle, temporary = tempfile.mkstemp(prefix=".mobilenet-import-",
                                         dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(handle, "wb") as file:
            write_all(file)
        # mkstemp makes files for their owner alone; give it what open() would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        if look is not None:
            look(temporary)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
