"""Checkpoints of torch.save: read without torch, and without running what is pickled in them.

zip form     a zip archive: NAME/data.pkl, the storages in NAME/data/KEY, NAME/byteorder
legacy form  five pickles (magic number, protocol, system information, the object, the list of
             storage keys), then each storage: its count in 8 bytes, its values
"""
import functools
import io
import math
import zipfile

import numpy

from .. import check, restricted_pickle, statedict
from ..errors import ImportFailure
from ..tensor import DTYPES, Tensor

NAME = "PyTorch checkpoint"

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_ZIP = b"PK\x03\x04"
# No MobileNet comes near; a bomb of zeros does.
_MAX_PICKLE = 64 << 20
_MAX_STORAGE = 1 << 30

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
}


class _Storage:
    """Numbers of one type; `load` returns them as an array and is set by the container."""

    def __init__(self, dtype, count):
        self.dtype, self.count, self.load = dtype, count, None


class _StorageType(str):
    """Stands for torch.FloatStorage and the like: the name of the type of its numbers."""
    __slots__ = ()


class _View:
    """What a pickled tensor says of itself: part of a storage, or another view's twin."""

    def __init__(self, storage, offset, shape, strides):
        sizes = [offset, *shape, *strides]
        if (not isinstance(storage, _Storage) or not isinstance(shape, tuple)
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
        values = self.storage.load()
        if not math.prod(self.shape):
            return values[:0].reshape(self.shape)
        return numpy.lib.stride_tricks.as_strided(
            values[self.offset:], self.shape,
            [stride * values.itemsize for stride in self.strides], writeable=False)


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _View(storage, offset, shape, strides)


# Everything that a pickle may name.  The last three occur beside the weights in checkpoints of
# training scripts; what they hold is not looked at.
_GLOBALS = {
    "collections.OrderedDict": lambda: {},
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.Size": lambda *_: None,
    "collections.Counter": lambda *_: None,
    "argparse.Namespace": lambda *_: None,
    **{f"{module}.{name}": _StorageType(dtype) for module in ("torch", "torch.cuda")
       for name, dtype in _STORAGES.items()},
}


def recognise(data):
    if data.startswith(_ZIP):
        return True
    try:
        return restricted_pickle.load(io.BytesIO(data[:64]), {}) == _MAGIC
    except ImportFailure:
        return False


def read(data, options):
    return statedict.read(tensors(data), options)


def reference(data, imported, options):
    return check.torch_reference(statedict.with_prefix(tensors(data)), imported, options)


def tensors(data):
    """{name: Tensor} of the state dict."""
    value = _read_zip(data) if data.startswith(_ZIP) else _read_legacy(data)
    return strip_prefix({name: Tensor(name, view.shape, view.storage.dtype, view.load)
                         for name, view in _state_dict(value).items()})


def strip_prefix(tensors):
    """Without what DataParallel, torch.compile and Lightning put before every name."""
    for prefix in ("module.", "_orig_mod.", "model."):
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name[len(prefix):]: tensor for name, tensor in tensors.items()}
    return tensors


def _state_dict(value):
    """The dictionary of tensors in a checkpoint, however it is wrapped."""
    for _ in range(3):
        if not isinstance(value, dict):
            break
        tensors = {name: view for name, view in value.items()
                   if isinstance(name, str) and isinstance(view, _View)}
        inner = [value[key] for key in ("state_dict", "model_state_dict", "model", "net")
                 if isinstance(value.get(key), dict)]
        if tensors or not inner:
            return tensors
        value = inner[0]
    raise ImportFailure("holds no state dict: save model.state_dict()")


def _persistent_load(storages):
    """For ("storage", type, key, location, count[, view]), where view is (key, offset, count)."""
    def load(identity):
        if (not isinstance(identity, tuple) or len(identity) not in (5, 6)
                or identity[0] != "storage" or type(identity[1]) is not _StorageType
                or not isinstance(identity[2], str)
                or type(identity[4]) is not int or identity[4] < 0):
            raise ImportFailure("malformed storage reference in the pickle")
        _, dtype, key, _, count = identity[:5]
        if identity[5:] not in ((), (None,)):
            raise ImportFailure("a storage that is part of another, which only the first versions "
                                "of torch wrote: load and save it with a newer one")
        storage = storages.setdefault(key, _Storage(str(dtype), count))
        if (storage.dtype, storage.count) != (dtype, count):
            raise ImportFailure(f"storage {key} is referred to as two different things")
        return storage
    return load


def _read_legacy(data):
    file = io.BytesIO(data)
    if restricted_pickle.load(file, {}) != _MAGIC:
        raise ImportFailure("not a PyTorch checkpoint")
    protocol = restricted_pickle.load(file, {})
    if protocol != _PROTOCOL:
        raise ImportFailure(f"protocol {protocol}, not {_PROTOCOL}")
    system = restricted_pickle.load(file, {})
    if not isinstance(system, dict):
        raise ImportFailure("system information is not a dictionary")
    order = ">" if system.get("little_endian") is False else "<"
    storages = {}
    value = restricted_pickle.load(file, _GLOBALS, _persistent_load(storages))
    keys = restricted_pickle.load(file, {})
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
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # zipfile raises many kinds on malformed archives
        raise ImportFailure(f"damaged or truncated zip archive: {error}") from None
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ImportFailure("a zip archive, but not of torch.save: it has no data.pkl")
    folder = names[0][:-len("data.pkl")]
    order = "<"
    if folder + "byteorder" in archive.namelist():
        text = _entry(archive, folder + "byteorder", 16)
        order = ">" if text.strip() == b"big" else "<"
    storages = {}
    pickled = _entry(archive, folder + "data.pkl", _MAX_PICKLE)
    value = restricted_pickle.load(io.BytesIO(pickled), _GLOBALS, _persistent_load(storages))

    def loader(key, storage):
        name = f"{folder}data/{key}"
        size = storage.count * DTYPES[storage.dtype].itemsize

        @functools.lru_cache(maxsize=1)  # tensors may share a storage
        def load():
            values = _entry(archive, name, _MAX_STORAGE)
            if len(values) != size:
                raise ImportFailure(f"{name} holds {len(values)} bytes, expected {size}")
            return _reader(values, storage.dtype, order)()
        return load

    for key, storage in storages.items():
        storage.load = loader(key, storage)
    return value


def _entry(archive, name, limit):
    try:
        info = archive.getinfo(name)
        if info.file_size > limit:
            raise ImportFailure(f"{name} unpacks to {info.file_size} bytes: refused")
        return archive.read(info)
    except ImportFailure:
        raise
    except KeyError:
        raise ImportFailure(f"{name} is not in the archive") from None
    except Exception as error:  # as above
        raise ImportFailure(f"{name} is damaged: {error}") from None


def _reader(values, dtype, order):
    stored = DTYPES[dtype]

    def load():
        return numpy.frombuffer(values, stored.newbyteorder(order)).astype(stored, copy=False)
    return load
