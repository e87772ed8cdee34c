"""Reader of flatbuffers, the container of TensorFlow Lite's files: tables by field number, without
a schema.  Every offset is checked against the file.

Nothing keeps tables from sharing what they refer to, so that a few thousand bytes could stand for
millions of numbers: what is read in all is bounded by the file's length."""
import struct

from .errors import ImportFailure

_FORMATS = {"u8": "<B", "i8": "<b", "u16": "<H", "i32": "<i", "u32": "<I", "i64": "<q",
            "u64": "<Q", "f32": "<f"}


def _read(data, position, kind):
    code = _FORMATS[kind]
    if not 0 <= position <= len(data) - struct.calcsize(code):
        raise ImportFailure("malformed or truncated flatbuffer: an offset is outside of the file")
    return struct.unpack_from(code, data, position)[0]


# Of a network's own files less than twice their bytes are read, tensors that are read again included.
_TIMES = 16


class _Budget:
    def __init__(self, data):
        self.left = _TIMES * len(data)

    def spend(self, size):
        self.left -= size
        if self.left < 0:
            raise ImportFailure("malformed flatbuffer: its tables refer to the same bytes again and "
                                "again")


def root(data):
    return Table(data, _read(data, 0, "u32"), _Budget(data))


class Table:
    def __init__(self, data, position, budget):
        self.data, self.position, self.budget = data, position, budget
        self.fields = position - _read(data, position, "i32")
        self.size = _read(data, self.fields, "u16")

    def _at(self, field):
        """Where a field's value is; None if it is absent."""
        slot = 4 + 2 * field
        if slot + 2 > self.size:
            return None
        offset = _read(self.data, self.fields + slot, "u16")
        return self.position + offset if offset else None

    def scalar(self, field, kind, default=0):
        position = self._at(field)
        return default if position is None else _read(self.data, position, kind)

    def _indirect(self, field):
        position = self._at(field)
        return None if position is None else position + _read(self.data, position, "u32")

    def table(self, field):
        position = self._indirect(field)
        return None if position is None else Table(self.data, position, self.budget)

    def _vector(self, field, size):
        """(start, count) of a vector's elements."""
        position = self._indirect(field)
        if position is None:
            return 0, 0
        count = _read(self.data, position, "u32")
        if count * size > len(self.data) - position - 4:
            raise ImportFailure("malformed or truncated flatbuffer: a vector ends beyond the file")
        self.budget.spend(count * size)
        return position + 4, count

    def bytes(self, field):
        start, count = self._vector(field, 1)
        return bytes(self.data[start:start + count])

    def text(self, field):
        return self.bytes(field).decode("utf-8", "replace")

    def vector(self, field, kind):
        size = struct.calcsize(_FORMATS[kind])
        start, count = self._vector(field, size)
        return [_read(self.data, start + size * i, kind) for i in range(count)]

    def tables(self, field):
        start, count = self._vector(field, 4)
        return [Table(self.data, start + 4 * i + _read(self.data, start + 4 * i, "u32"), self.budget)
                for i in range(count)]
