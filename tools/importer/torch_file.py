"""Files of torch.save, and TorchScript archives: read without torch, and without running what is
pickled in them.

zip form     a zip archive: NAME/data.pkl, the storages in NAME/data/KEY, NAME/byteorder; a TorchScript
             archive has NAME/constants.pkl and NAME/code/ besides
legacy form  five pickles (magic number, protocol, system information, the object, the list of
             storage keys), then each storage: its count in 8 bytes, its values
pickle       of Python itself, with a legacy form in it for each storage
"""
import functools
import io
import math

import numpy

from . import inert_pickle
from .archive import Archive as Zip
from .errors import ImportFailure
from .inert_pickle import Name
from .tensor import DTYPES

ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "UntypedStorage": "uint8",
}


class Storage:
    """Numbers of one type; `load` returns them as an array and is set by the container: a pickle by
    itself has none."""

    def __init__(self, dtype, count):
        self.dtype, self.count, self.load = dtype, count, None


class _StorageType(str):
    """Stands for torch.FloatStorage and the like: the name of the type of its numbers."""
    __slots__ = ()


class Unreadable:
    """A tensor that cannot be read, and why: of no interest unless the network needs it."""

    def __init__(self, reason):
        self.reason = reason


class View:
    """What a pickled tensor says of itself: part of a storage."""

    def __init__(self, storage, offset, shape, strides):
        sizes = [offset, *shape, *strides]
        if (not isinstance(storage, Storage) or not isinstance(shape, tuple)
                or not isinstance(strides, tuple) or len(shape) != len(strides) or len(shape) > 8
                or not all(type(n) is int and 0 <= n < 1 << 40 for n in sizes)):
            raise ImportFailure("malformed tensor: storage, offset, shape or strides")
        count = math.prod(shape)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
        # A tensor larger than its storage repeats values: no weights do, but a few bytes could
        # ask for terabytes.
        if count and (last >= storage.count or count > storage.count):
            raise ImportFailure(f"malformed tensor: shape {list(shape)} with strides "
                                f"{list(strides)} reaches beyond its storage of {storage.count}")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def load(self):
        if self.storage.load is None:
            raise ImportFailure("a pickle that refers to weights, without them")
        values = self.storage.load()
        if not math.prod(self.shape):
            return values[:0].reshape(self.shape)
        return numpy.lib.stride_tricks.as_strided(
            values[self.offset:], self.shape,
            [stride * values.itemsize for stride in self.strides], writeable=False)


def _rebuild_tensor(storage=None, offset=None, shape=(), strides=(), *_):
    if isinstance(storage, Unreadable):
        return storage
    try:
        return View(storage, offset, shape, strides)
    except (ImportFailure, TypeError) as error:
        return Unreadable(str(error) if isinstance(error, ImportFailure) else "malformed tensor")


def _same(data=None, *_):
    return data


def _rebuild_from_type(function=None, _kind=None, arguments=(), *_):
    """A tensor of a class of its own."""
    if function is _rebuild_tensor and isinstance(arguments, tuple):
        return function(*arguments)
    return arguments[0] if function is _same and arguments else Unreadable("of a class of its own")


def _nested_storage(data=b"", *_):
    try:
        value = _read_legacy(data) if isinstance(data, bytes) else None
    except ImportFailure as failure:
        return Unreadable(str(failure))
    return value if isinstance(value, Storage) else Unreadable("malformed storage")


# What the weights themselves need.
_GLOBALS = {
    "collections.OrderedDict": lambda *_: {},
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _same,
    "torch._utils._rebuild_parameter_with_state": _same,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    "torch.storage._load_from_bytes": _nested_storage,
    # Python 3 pickles bytes so for protocols that have none.
    "_codecs.encode": lambda text="", *_: text.encode("latin1") if isinstance(text, str) else b"",
    **{f"{module}.{name}": _StorageType(dtype)
       for module in ("torch", "torch.cuda", "torch.storage") for name, dtype in _STORAGES.items()},
}


class Archive:
    """What was pickled, and the source text of a TorchScript archive's classes."""

    def __init__(self, root, code=None, is_script=False):
        self.root, self.code, self.is_script = root, code or (lambda path: ""), is_script


def is_legacy(data):
    """Or a plain pickle."""
    return data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def read(data):
    if data.startswith(ZIP):
        return _read_zip(data)
    return Archive(_read_legacy(data))


def _persistent_load(storages):
    """For ("storage", type, key, location, count[, view]), where view is (key, offset, count); and
    for ("module", class, file, its source text), which the legacy form has of whole modules."""
    def load(identity):
        if isinstance(identity, tuple) and len(identity) >= 2 and identity[0] == "module":
            return identity[1]
        if (not isinstance(identity, tuple) or len(identity) not in (5, 6)
                or identity[0] != "storage" or not isinstance(identity[2], str)
                or type(identity[4]) is not int or identity[4] < 0):
            return Unreadable("malformed storage reference in the pickle")
        _, dtype, key, _, count = identity[:5]
        if type(dtype) is not _StorageType:
            path = dtype.path if isinstance(dtype, Name) else "unknown type"
            return Unreadable(f"its values are of {path}")
        if identity[5:] not in ((), (None,)):
            return Unreadable("a storage that is part of another, which only the first versions of "
                              "torch wrote: load and save it with a newer one")
        storage = storages.setdefault(key, Storage(str(dtype), count))
        if (storage.dtype, storage.count) != (dtype, count):
            return Unreadable(f"storage {key} is referred to as two different things")
        return storage
    return load


def _read_legacy(data):
    file = io.BytesIO(data)
    storages = {}
    first = inert_pickle.load(file, _GLOBALS, _persistent_load(storages))
    if first != _MAGIC:
        return first  # a plain pickle
    protocol = inert_pickle.load(file, {})
    if protocol != _PROTOCOL:
        raise ImportFailure(f"protocol {protocol}, not {_PROTOCOL}" if isinstance(protocol, int)
                            else "its protocol is no number")
    system = inert_pickle.load(file, {})
    if not isinstance(system, dict):
        raise ImportFailure("system information is not a dictionary")
    order = ">" if system.get("little_endian") is False else "<"
    value = inert_pickle.load(file, _GLOBALS, _persistent_load(storages))
    keys = inert_pickle.load(file, {})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ImportFailure("list of storages is not a list of keys")
    position = file.tell()
    for key in keys:
        storage = storages.get(key)
        if storage is None or storage.load is not None:
            raise ImportFailure(f"storage {key} is listed, but no tensor uses it, or twice")
        count = numpy.frombuffer(data[position:position + 8].ljust(8, b"\0"), order + "i8")[0]
        position += 8
        size = storage.count * DTYPES[storage.dtype].itemsize
        if position + size > len(data):
            raise ImportFailure(f"truncated: storage {key} ends beyond the file")
        if count != storage.count:
            raise ImportFailure(f"storage {key} holds {count} values, expected {storage.count}")
        storage.load = _reader(data[position:position + size], storage.dtype, order)
        position += size
    for key, storage in storages.items():
        if storage.load is None:
            raise ImportFailure(f"storage {key} is not in the file")
    return value


def _read_zip(data):
    archive = Zip(data)
    names = set(archive.names)
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ImportFailure("a zip archive, but not of torch.save: it has no data.pkl")
    folder = pickles[0][:-len("data.pkl")]
    order = "<"
    if folder + "byteorder" in names:
        text = archive.text(folder + "byteorder")
        order = ">" if text.strip() == b"big" else "<"
    storages = {}
    pickled = archive.text(folder + "data.pkl")
    value = inert_pickle.load(io.BytesIO(pickled), _GLOBALS, _persistent_load(storages))

    def loader(key, storage):
        name = f"{folder}data/{key}"
        size = storage.count * DTYPES[storage.dtype].itemsize

        @functools.lru_cache(maxsize=1)  # tensors may share a storage
        def load():
            values = archive.read(name)
            if len(values) != size:
                raise ImportFailure(f"{name} holds {len(values)} bytes, expected {size}")
            return _reader(values, storage.dtype, order)()
        return load

    for key, storage in storages.items():
        storage.load = loader(key, storage)

    @functools.lru_cache(maxsize=None)
    def code(path):
        name = f"{folder}code/{path}"
        return archive.text(name).decode("utf-8", "replace") if name in names else ""
    return Archive(value, code, folder + "constants.pkl" in names)


def _reader(values, dtype, order):
    stored = DTYPES[dtype]

    def load():
        return numpy.frombuffer(values, stored.newbyteorder(order)).astype(stored, copy=False)
    return load
