"""HDF5 files, read by h5py in a process of its own: its C library may crash on damaged files, and a
few bytes may stand for any number of zeros, in chunks that are compressed or not there at all.  That
process has memory for some times the file's bytes.

Run as a program it reads a file from standard input, and writes an .npz of its tree and arrays."""
import io
import json
import subprocess
import sys

import numpy

# Arrays of a file may have so many bytes more than so many times its own.
_FREE, _MULTIPLE = 64 << 20, 16
# h5py itself and the arrays' way out of the process.
_MEMORY, _MEMORY_TIMES = 1 << 29, 4
_MAX_MEMBERS = 20_000
_SECONDS = 60
# Of no use here, and as large as the weights.
_SKIPPED = ("optimizer", "optimizer_weights")


class Group(dict):
    """Members by name: Groups, arrays, or a text: why there is no array.  attributes: lists of
    texts by name."""

    def __init__(self, attributes):
        super().__init__()
        self.attributes = attributes

    def find(self, path):
        """A member of a member...; None if there is none."""
        node = self
        for part in path.split("/"):
            node = node.get(part) if isinstance(node, Group) else None
        return node


class Damaged(Exception):
    """Why a file cannot be read."""


def read(data):
    """The root Group of a file's bytes."""
    try:
        done = subprocess.run([sys.executable, __file__], input=data, capture_output=True,
                              check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise Damaged(f"the HDF5 library did not finish it in {_SECONDS} seconds") from None
    if done.returncode == 3:
        raise ModuleNotFoundError("h5py")
    if done.returncode:
        raise Damaged("the HDF5 library stopped at it")
    arrays = numpy.load(io.BytesIO(done.stdout), allow_pickle=False)
    tree = json.loads(arrays["tree"].tobytes())
    if isinstance(tree, str):
        raise Damaged(tree)
    return _grow(tree, arrays)


def _grow(tree, arrays):
    attributes, members = tree
    group = Group(attributes)
    for name, value in members.items():
        if isinstance(value, int):
            group[name] = arrays[f"a{value}"]
        else:
            group[name] = value if isinstance(value, str) else _grow(value, arrays)
    return group


# ---- The process of its own ----

def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _attributes(node):
    result = {}
    for name in node.attrs:
        value = node.attrs[name]
        values = value.reshape(-1) if isinstance(value, numpy.ndarray) else [value]
        result[name] = [_text(item) for item in values]
    return result


def _array(dataset, arrays):
    if dataset.external or dataset.is_virtual:
        return "its values are in another file: refused"
    if dataset.dtype.kind != "f" or dataset.ndim > 4:
        return f"{dataset.dtype} values of shape {list(dataset.shape)}"
    arrays.spend(dataset)
    arrays.append(dataset[()])
    return len(arrays) - 1


class _Arrays(list):
    """left, members: bytes of arrays and links in groups that there may still be."""

    def __init__(self, size):
        super().__init__()
        self.size, self.left, self.members = size, _FREE + _MULTIPLE * size, _MAX_MEMBERS

    def spend(self, dataset):
        self.left -= dataset.size * dataset.dtype.itemsize
        if self.left < 0:
            raise ValueError(f"{dataset.name}: with it, a file of {self.size} bytes unpacks to more "
                             f"than {_FREE + _MULTIPLE * self.size}: refused")


def _tree(group, arrays, depth):
    import h5py
    members = {}
    for name in group:
        arrays.members -= 1
        if arrays.members < 0:
            raise ValueError(f"more than {_MAX_MEMBERS} members in its groups: refused")
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            members[name] = "a link to another file: refused"
            continue
        if isinstance(link, h5py.SoftLink) or name in _SKIPPED or depth > 32:
            continue
        node = group[name]
        if isinstance(node, h5py.Group):
            members[name] = _tree(node, arrays, depth + 1)
        elif isinstance(node, h5py.Dataset):
            members[name] = _array(node, arrays)
    return [_attributes(group), members]


def _limit(size):
    """Memory of this process, where the system can."""
    most = _MEMORY + _MEMORY_TIMES * (_FREE + _MULTIPLE * size)
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    except (ImportError, AttributeError, ValueError, OSError):
        pass


def _main():
    try:
        import h5py
    except ImportError:
        return 3
    data = sys.stdin.buffer.read()
    _limit(len(data))
    arrays = _Arrays(len(data))
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            tree = _tree(file, arrays, 0)
    except MemoryError:
        tree, arrays = "it takes more memory than a file of its size should", []
    except Exception as error:  # h5py raises many kinds on damaged files
        tree, arrays = " ".join(str(error).split()) or "unreadable", []
    text = numpy.frombuffer(json.dumps(tree).encode(), numpy.uint8)
    numpy.savez(sys.stdout.buffer, tree=text, **{f"a{i}": a for i, a in enumerate(arrays)})
    return 0


if __name__ == "__main__":
    sys.exit(_main())
