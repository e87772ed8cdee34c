"""Unpickling without running anything that the pickle asks for.

A pickle is a program: it names Python functions and calls them.  Here every name is looked up in
the caller's table and nowhere else, and only the opcodes that a checkpoint needs exist.

The base class is pickle's own Python implementation, not the C one behind pickle.Unpickler: its
opcodes can be restricted, and its memo is a dictionary, where the C one allocates an array as long
as the largest index in the file."""
import pickle
import pickletools

from .errors import ImportFailure

_OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
    GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
""".split()

# A tuple in a tuple in a tuple... as a key takes exponential time to hash.
_KEYS = (str, int, float, type(None))


class _Opcodes(dict):
    def __missing__(self, code):
        operation = pickletools.code2op.get(chr(code))
        name = operation.name if operation else f"0x{code:02x}"
        raise ImportFailure(f"refused: the pickle uses opcode {name}, which no checkpoint needs")


class _Unpickler(pickle._Unpickler):
    def __init__(self, file, table, persistent_load):
        super().__init__(file)
        self.table = table
        self.persistent_load = persistent_load

    def find_class(self, module, name):
        try:
            return self.table[f"{module}.{name}"]
        except KeyError:
            raise ImportFailure(f"refused: the pickle asks for {module}.{name}") from None

    def load_build(self):
        """Attributes of objects: no object here has any that matter."""
        self.stack.pop()

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self):
        self._set_items(self.pop_mark())

    def _set_items(self, items):
        target = self.stack[-1]
        if type(target) is not dict or not all(isinstance(key, _KEYS) for key in items[::2]):
            raise ImportFailure("refused: the pickle fills something other than a plain dictionary")
        target.update(zip(items[::2], items[1::2], strict=True))

    dispatch = _Opcodes((getattr(pickle, name)[0],
                         pickle._Unpickler.dispatch[getattr(pickle, name)[0]])
                        for name in _OPCODES)
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems


def load(file, table, persistent_load=None):
    """The next pickle of the file.  table: "module.name" -> what stands for it, a function or a
    value.  persistent_load: called with each persistent id."""
    try:
        return _Unpickler(file, table, persistent_load).load()
    except ImportFailure:
        raise
    except EOFError:
        raise ImportFailure("truncated: the pickle ends early") from None
    except Exception as error:  # whatever else a malformed pickle makes the machine trip over
        raise ImportFailure(f"malformed pickle: {error}") from None
