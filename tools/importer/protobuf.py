"""Reader of protocol buffers' wire format: fields by number, without a schema."""
import struct

from .errors import ImportFailure

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(data, position):
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ImportFailure("malformed or truncated protobuf: a number does not end")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7


class Message:
    """A message's fields: number -> list of (wire type, value), in the file's order."""

    def __init__(self, data):
        self.fields = {}
        data = memoryview(data)
        position = 0
        while position < len(data):
            key, position = _varint(data, position)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                value, position = _varint(data, position)
            else:
                if kind == BYTES:
                    length, position = _varint(data, position)
                elif kind in (FIXED64, FIXED32):
                    length = 8 if kind == FIXED64 else 4
                else:
                    raise ImportFailure(f"malformed protobuf: wire type {kind}")
                if length > len(data) - position:
                    raise ImportFailure("truncated protobuf: a field ends beyond the file")
                value = data[position:position + length]
                position += length
            if number == 0:
                raise ImportFailure("malformed protobuf: field number 0")
            self.fields.setdefault(number, []).append((kind, value))

    def _last(self, number, kind, default):
        for found, value in reversed(self.fields.get(number, [])):
            if found == kind:
                return value
        return default

    def integer(self, number, default=0):
        value = self._last(number, VARINT, None)
        return default if value is None else _signed(value)

    def float(self, number, default=0.0):
        value = self._last(number, FIXED32, None)
        return default if value is None else struct.unpack("<f", value)[0]

    def bytes(self, number):
        return bytes(self._last(number, BYTES, b""))

    def text(self, number):
        return _text(self._last(number, BYTES, b""))

    def message(self, number):
        value = self._last(number, BYTES, None)
        return None if value is None else Message(value)

    def messages(self, number):
        return [Message(value) for kind, value in self.fields.get(number, []) if kind == BYTES]

    def texts(self, number):
        return [_text(value) for kind, value in self.fields.get(number, []) if kind == BYTES]

    def integers(self, number):
        """A repeated integer field, packed or not."""
        result = []
        for kind, value in self.fields.get(number, []):
            if kind == VARINT:
                result.append(_signed(value))
            elif kind == BYTES:
                position = 0
                while position < len(value):
                    item, position = _varint(value, position)
                    result.append(_signed(item))
        return result

    def packed(self, number):
        """The bytes of a repeated field of fixed-size numbers, packed or not."""
        return b"".join(bytes(value) for kind, value in self.fields.get(number, [])
                        if kind in (BYTES, FIXED32, FIXED64))


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _text(value):
    return bytes(value).decode("utf-8", "replace")
