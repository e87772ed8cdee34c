"""Writes checkpoints in torch.save's two forms with pickle opcodes, without torch, so that tests
can also write what torch never would."""
import io
import struct
import zipfile
from collections import namedtuple

import numpy

Global = namedtuple("Global", "module name")
Call = namedtuple("Call", "function arguments")
Build = namedtuple("Build", "object state")
Storage = namedtuple("Storage", "kind key count")
New = namedtuple("New", "kind state")  # an object of a class, as pickle writes it
Raw = namedtuple("Raw", "opcodes")

ORDERED_DICT = Global("collections", "OrderedDict")
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage",
         "u2": "BFloat16Storage"}  # uint16 arrays stand for bfloat16 here


def encode(value):
    """The opcodes that leave `value` on the unpickler's stack (protocol 2)."""
    if isinstance(value, Global):
        return f"c{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return encode(value.function) + encode(tuple(value.arguments)) + b"R"
    if isinstance(value, Build):
        return encode(value.object) + encode(value.state) + b"b"
    if isinstance(value, New):
        return encode(value.kind) + b")\x81" + encode(value.state) + b"b"
    if isinstance(value, Raw):
        return value.opcodes
    if isinstance(value, Storage):
        return encode(("storage", Global("torch", value.kind), value.key, "cpu",
                       value.count)) + b"Q"
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        size = value.bit_length() // 8 + 1
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(text)) + text
    if isinstance(value, tuple):
        return b"(" + b"".join(map(encode, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(encode, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(encode(k) + encode(v) for k, v in value.items()) + b"u"
    raise TypeError(type(value))


def pickled(value):
    return b"\x80\x02" + encode(value) + b"."


def tensor(key, array, offset=0, strides=None, shape=None, count=None):
    """A tensor that is all of storage `key`, unless told otherwise."""
    if strides is None:
        strides = tuple(s // array.itemsize for s in array.strides)
    return Call(REBUILD, (
        Storage(KINDS[array.dtype.str[1:]], key, array.size if count is None else count), offset,
        array.shape if shape is None else shape, strides, False, Call(ORDERED_DICT, ())))


def state_dict(arrays):
    """(value to pickle, {key: array}) of {name: array}, each in a storage of its own."""
    storages = {str(1000 + i): array for i, array in enumerate(arrays.values())}
    return {name: tensor(key, array)
            for (name, array), key in zip(arrays.items(), storages)}, storages


def legacy(value, storages, little=True):
    order = "<" if little else ">"
    file = io.BytesIO()
    for item in (0x1950A86A20F9469CFC6C, 1001,
                 {"protocol_version": 1001, "little_endian": little,
                  "type_sizes": {"short": 2, "int": 4, "long": 4}}, value, list(storages)):
        file.write(pickled(item))
    for array in storages.values():
        file.write(struct.pack(order + "q", array.size))
        file.write(stored(array, order))
    return file.getvalue()


def stored(array, order="<"):
    return numpy.ascontiguousarray(array, array.dtype.newbyteorder(order)).tobytes()


def zipped(value, storages, compression=zipfile.ZIP_STORED, little=True, folder="archive"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", pickled(value))
        archive.writestr(f"{folder}/byteorder", "little" if little else "big")
        for key, array in storages.items():
            archive.writestr(f"{folder}/data/{key}", stored(array, "<" if little else ">"))
        archive.writestr(f"{folder}/version", "3\n")
    return file.getvalue()
