"""Tensors of an ONNX file, and of the files of weights beside it."""
import math
import os
import stat

import numpy

from .errors import ImportFailure

# TensorProto.DataType, by number.
TYPES = ("undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
         "bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
         "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
         "float4e2m1", "float8e8m0", "uint2", "int2")
_READ = {name for name in TYPES[1:14] if name != "string"} | {"bfloat16"}
# The field for the values of each type, where they are not raw bytes, and how it stores them.
_FIELDS = {"float32": 4, "float64": 10, "int64": 7, "uint64": 11, "uint32": 11}
_MAX_ELEMENTS = 1 << 28


def type_name(number):
    return TYPES[number] if 0 <= number < len(TYPES) else f"of type number {number}"


def dtype_of(number):
    """How numpy holds a type; bfloat16 becomes float32."""
    name = type_name(number)
    if name not in _READ:
        raise ImportFailure(f"{name} is not supported")
    return numpy.dtype("float32" if name == "bfloat16" else name).newbyteorder("<")


class Folder:
    """The graph's own folder, for weights in files beside it."""

    def __init__(self, source):
        self.path = os.path.dirname(os.path.abspath(source))

    def bytes(self, tensor, entries):
        """Of a tensor whose external_data are these: location, offset and length."""
        location = entries.get("location", "")
        where = f"{tensor}: its values are in {location!r}"
        parts = location.replace("\\", "/").split("/")
        if not location or "\0" in location or location[0] in "/\\" or ".." in parts \
                or ":" in parts[0]:
            raise ImportFailure(f"{where}, which is not inside of the graph's folder: refused")
        inside = os.path.realpath(self.path)
        path = os.path.realpath(os.path.join(inside, *parts))
        if os.path.commonpath([inside, path]) != inside:
            raise ImportFailure(f"{where}, a link out of the graph's folder: refused; copy the "
                                "file to the graph")
        try:
            offset, length = (int(entries.get(key, default)) for key, default in
                              (("offset", 0), ("length", -1)))
            # Not blocking: it may be a pipe.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise ImportFailure(f"{where}, which is no file: refused")
                length = status.st_size - offset if length < 0 else length
                if offset < 0 or length < 0 or offset + length > status.st_size:
                    raise ImportFailure(f"{where}, which has {status.st_size} bytes, but they end "
                                        f"at {offset + length}")
                if length > _MAX_ELEMENTS * 8:
                    raise ImportFailure(f"{where}: {length} bytes are no MobileNet's")
                file.seek(offset)
                return file.read(length)
        except ValueError:
            raise ImportFailure(f"{where}, but offset or length is no number") from None
        except FileNotFoundError:
            raise ImportFailure(f"{where}, which is not beside the graph: copy it there") from None
        except OSError as error:
            raise ImportFailure(f"{where}, refused: {error.strerror}") from None


def tensor(message, folder):
    """(name, array) of a TensorProto."""
    name, dims = message.text(8), message.integers(1)
    kind = type_name(message.integer(2))
    if kind not in _READ:
        raise ImportFailure(f"{name}: its values are {kind}, which is not supported")
    # A product of thousands of sizes takes minutes.
    if len(dims) > 8 or any(d < 0 for d in dims) or math.prod(dims) > _MAX_ELEMENTS:
        raise ImportFailure(f"{name}: malformed shape {dims[:9]}")
    count = math.prod(dims)
    stored = numpy.dtype("uint16" if kind == "bfloat16" else kind).newbyteorder("<")
    if message.integer(14) == 1:
        entries = {entry.text(1): entry.text(2) for entry in message.messages(13)}
        values = _from_bytes(name, folder.bytes(name, entries), stored)
    elif 9 in message.fields:
        values = _from_bytes(name, message.bytes(9), stored)
    elif kind in ("float32", "float64"):
        values = _from_bytes(name, message.packed(_FIELDS[kind]), stored)
    else:
        integers = numpy.array(message.integers(_FIELDS.get(kind, 5)), numpy.int64)
        if kind == "float16":
            values = integers.astype("<u2").view("<f2")
        else:
            values = integers.astype(stored)
    if values.size != count:
        raise ImportFailure(f"{name}: {values.size} values for shape {dims}")
    if kind == "bfloat16":  # the upper half of a float32
        values = (values.astype(numpy.uint32) << 16).view(numpy.float32)
    return name, values.reshape(dims)


def _from_bytes(name, raw, dtype):
    if len(raw) % dtype.itemsize:
        raise ImportFailure(f"{name}: {len(raw)} bytes are no {dtype.name} values")
    return numpy.frombuffer(raw, dtype)
