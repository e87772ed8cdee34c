"""Hypothesis strategies for files that nobody's framework wrote: small valid ones with edits that keep
their syntax, so that what is behind it is reached, and edits of their bytes."""
import io
import json
import struct
import zipfile

from hypothesis import strategies as st

# Numbers at which something may change.
NUMBERS = st.one_of(
    st.integers(-3, 9), st.sampled_from([255, 256, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32,
                                         (1 << 63) - 1, 1 << 63, -(1 << 31), -(1 << 63)]))
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=4),
              st.sampled_from([10 ** 400, 1e308, float("nan"), float("inf"), -0.5, "", "same",
                               "Conv2D", "relu", "\0", "\ud800"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
                            st.dictionaries(st.text(max_size=4), inner, max_size=3)), max_leaves=6)
# Nested deeper than Python's stack is.
DEEP = "[" * 200_000


@st.composite
def edited_bytes(draw, data, structure=2000):
    """Cut, or with some bytes that are others; mostly near the front, where the structure is."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        end = draw(st.sampled_from([len(damaged), min(len(damaged), structure)]))
        if end == 0:
            break
        at = draw(st.integers(0, end - 1))
        kind = draw(st.sampled_from(["byte", "byte", "number", "cut", "out", "again"]))
        if kind == "byte":
            damaged[at] = draw(st.integers(0, 255))
        elif kind == "number":
            form = draw(st.sampled_from(["<I", "<Q", ">I", "<H"]))
            number = draw(NUMBERS) % (1 << 8 * struct.calcsize(form))
            damaged[at:at + struct.calcsize(form)] = struct.pack(form, number)
        elif kind == "cut":
            del damaged[at:]
        else:
            to = at + draw(st.integers(1, 64))
            part = damaged[at:to]
            damaged[at:to] = part * 2 if kind == "again" else b""
    return bytes(damaged)


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


@st.composite
def edited_json(draw, value):
    """The text of a JSON value with some of the values in it replaced, left out or given twice."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_places(value))))
        if not path:
            if draw(st.integers(0, 15)) == 0:
                return draw(st.one_of(_JSON.map(json.dumps), st.just(DEEP)))
            continue
        node = value
        for key in path[:-1]:
            node = node[key]
        action = draw(st.sampled_from(["replace", "replace", "remove", "swap"]))
        if action == "remove":
            del node[path[-1]]
        elif action == "replace":
            node[path[-1]] = draw(_JSON)
        else:
            other = draw(st.sampled_from(list(_places(value))[1:]))
            found = value
            for key in other:
                found = found[key]
            node[path[-1]] = json.loads(json.dumps(found))
    return json.dumps(value)


# ---- zip ----

def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members, compression=zipfile.ZIP_STORED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


@st.composite
def edited_zip(draw, data, name, edited):
    """With a member that `edited` makes of its bytes."""
    members = unzipped(data)
    members[name] = draw(edited(members[name]))
    if draw(st.integers(0, 7)) == 0:
        del members[draw(st.sampled_from(sorted(members)))]
    return zipped(members)


# ---- pickle ----

_ARGUMENTS = {
    b"c": st.sampled_from([b"os\nsystem\n", b"builtins\nexec\n", b"torch._utils\n_rebuild_tensor_v2\n",
                           b"collections\nOrderedDict\n", b"torch\nFloatStorage\n",
                           b"torch.storage\n_load_from_bytes\n", b"_codecs\nencode\n",
                           b"copyreg\n_reconstructor\n"]),
    b"i": st.sampled_from([b"os\nsystem\n", b"collections\nOrderedDict\n"]),
    b"X": st.sampled_from([b"\x07\0\0\0storage", b"\x01\0\0\0w", b"\x08\0\0\0exit 7 #"]),
    b"q": st.binary(min_size=1, max_size=1), b"h": st.binary(min_size=1, max_size=1),
    b"K": st.binary(min_size=1, max_size=1), b"J": st.binary(min_size=4, max_size=4),
    b"\x8a": st.sampled_from([b"\x01\x05", b"\x08" + b"\xff" * 7 + b"\x7f", b"\x09" + b"\x7f" * 9]),
    b"r": st.binary(min_size=4, max_size=4), b"G": st.binary(min_size=8, max_size=8),
    b"\x95": st.just(struct.pack("<Q", 1 << 62)), b"\x8e": st.just(struct.pack("<Q", 1 << 40)),
    b"\x96": st.just(struct.pack("<Q", 1 << 40)), b"\x82": st.binary(min_size=1, max_size=1),
}
_OPCODES = st.sampled_from(
    [bytes([code]) for code in b"(.0125NRQabdetuo}])l\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"]
    + sorted(_ARGUMENTS)).flatmap(
        lambda code: _ARGUMENTS.get(code, st.just(b"")).map(lambda argument: code + argument))
PROGRAMS = st.lists(_OPCODES, max_size=40).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")


@st.composite
def edited_pickle(draw, data):
    """With opcodes put in, or bytes edited."""
    if draw(st.booleans()):
        return draw(edited_bytes(data))
    at = draw(st.integers(2, len(data) - 1))
    return data[:at] + b"".join(draw(st.lists(_OPCODES, min_size=1, max_size=4))) + data[at:]


# ---- protobuf ----

def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _put(value):
    value &= (1 << 64) - 1
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def parse(data):
    """[[number, wire type, value]]; None if it is no message."""
    fields, at = [], 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            kind, size = key & 7, {1: 8, 5: 4}.get(key & 7)
            if kind == 0:
                value, at = _varint(data, at)
            else:
                if kind == 2:
                    size, at = _varint(data, at)
                if size is None or at + size > len(data) or key >> 3 == 0:
                    return None
                value, at = data[at:at + size], at + size
            fields.append([key >> 3, kind, value])
    except IndexError:
        return None
    return fields


def serialise(fields):
    return b"".join(
        _put(number << 3 | kind) + (_put(value) if kind == 0 else
                                    (_put(len(value)) if kind == 2 else b"") + value)
        for number, kind, value in fields)


@st.composite
def edited_message(draw, data, depth=0):
    """A field of it, or of a message in it, is another, is gone or is there twice."""
    fields = parse(data)
    if not fields:
        return draw(st.binary(max_size=8))
    index = draw(st.integers(0, len(fields) - 1))
    number, kind, value = fields[index]
    inner = parse(value) if kind == 2 and len(value) > 1 else None
    if inner and depth < 6 and draw(st.integers(0, 7)) > 0:
        fields[index][2] = draw(edited_message(value, depth + 1))
        return serialise(fields)
    action = draw(st.sampled_from(["value", "value", "value", "remove", "twice", "number", "move"]))
    if action == "remove":
        del fields[index]
    elif action == "twice":
        fields.insert(draw(st.integers(0, len(fields))), list(fields[index]))
    elif action == "number":
        fields[index][0] = draw(st.integers(1, 20))
    elif action == "move":
        fields.append(fields.pop(index))
    elif kind == 0:
        fields[index][2] = draw(NUMBERS)
    elif kind == 2:
        others = [field[2] for field in fields if field[1] == 2]
        fields[index][2] = draw(st.one_of(st.sampled_from(others), st.binary(max_size=9),
                                          NUMBERS.map(_put)))
    else:
        fields[index][2] = draw(st.binary(min_size=len(value), max_size=len(value)))
    return serialise(fields)


# ---- flatbuffer ----

@st.composite
def edited_flatbuffer(draw, data, structure=None):
    """Its offsets and counts, which are where small numbers of four bytes are, lead elsewhere: to what
    another one leads to, among others."""
    damaged = bytearray(data)
    places = [at for at in range(0, len(data) - 3, 4)
              if 0 < struct.unpack_from("<I", data, at)[0] < len(data) - at]
    for _ in range(draw(st.integers(1, 3))):
        at, other = draw(st.sampled_from(places)), draw(st.sampled_from(places))
        there = other + struct.unpack_from("<I", data, other)[0]
        number = draw(st.one_of(st.just(there - at), NUMBERS, st.integers(0, len(data))))
        struct.pack_into("<I", damaged, at, number % (1 << 32))
    return bytes(damaged)
