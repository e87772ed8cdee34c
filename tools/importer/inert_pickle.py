"""Reading pickles as data.

A pickle is a program: it names Python functions and calls them.  Here nothing that it names is looked
up, imported or called.  A name is found in the caller's table or is a placeholder (Name); what a call
of a placeholder would have made is a placeholder, too (Object), which keeps the arguments and the
state.  So whatever lies beside the weights in a checkpoint is harmless, and can be looked at.

The base class is pickle's own Python implementation, not the C one behind pickle.Unpickler: its
opcodes can be replaced, and its memo is a dictionary, where the C one allocates an array as long as
the largest index in the file."""
import pickle
import pickletools

from .errors import ImportFailure

# Those of pickle's that only move data.
_OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    BINBYTES SHORT_BINBYTES BINBYTES8
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST EMPTY_DICT
    GLOBAL STACK_GLOBAL PERSID BINPERSID
""".split()

# A tuple in a tuple in a tuple... as a key takes exponential time to hash.
_KEYS = (str, bytes, int, float, type(None))


class Name:
    """A function or class that a pickle names."""
    __slots__ = ("path",)

    def __init__(self, path):
        self.path = path


class Object:
    """What a pickle would make of a Name: maker and arguments of the call; state, items and elements
    that it is then given."""
    __slots__ = ("maker", "arguments", "state", "items", "elements")

    def __init__(self, maker, arguments=()):
        self.maker, self.arguments = maker, arguments
        # An empty dictionary takes as much memory as all the rest, and a pickle makes it of one byte.
        self.state = self.items = self.elements = None

    @property
    def path(self):
        """The class's name."""
        maker = self.maker
        if isinstance(maker, Name) and maker.path.startswith("copyreg.") and self.arguments:
            maker = self.arguments[0]  # _reconstructor(class, ...), __newobj__(class, ...)
        return maker.path if isinstance(maker, Name) else "an object"


_SET = Name("builtins.set")


class _Opcodes(dict):
    def __missing__(self, code):
        operation = pickletools.code2op.get(chr(code))
        name = operation.name if operation else f"0x{code:02x}"
        raise ImportFailure(f"malformed pickle: opcode {name}")


class _Unpickler(pickle._Unpickler):
    def __init__(self, file, table, persistent_load):
        super().__init__(file, encoding="latin1")
        self.table = table
        if persistent_load:
            self.persistent_load = persistent_load

    def find_class(self, module, name):
        path = f"{module}.{name}"
        return self.table[path] if path in self.table else Name(path)

    def call(self, maker, arguments):
        if not isinstance(arguments, tuple):
            arguments = ()
        if callable(maker) and not isinstance(maker, Object):
            return maker(*arguments)
        if not isinstance(maker, (Name, Object)):
            raise ImportFailure(f"malformed pickle: it calls a {type(maker).__name__}")
        return Object(maker, arguments)

    def load_reduce(self):
        arguments, maker = self.stack.pop(), self.stack.pop()
        self.append(self.call(maker, arguments))

    def load_newobj_ex(self):
        self.stack.pop()  # arguments with names
        self.load_reduce()

    def load_inst(self):
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        arguments = tuple(self.pop_mark())
        self.append(self.call(self.find_class(module, name), arguments))

    def load_obj(self):
        maker, *arguments = self.pop_mark()
        self.append(self.call(maker, tuple(arguments)))

    def extension(self, size):
        code = int.from_bytes(self.read(size), "little")
        self.append(Name(f"copyreg.extension {code}"))

    def load_build(self):
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Object):
            target.state = state

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def load_setitems(self):
        self.set_items(self.pop_mark())

    def load_dict(self):
        items = self.pop_mark()
        self.append({})
        self.set_items(items)

    def set_items(self, items):
        target = self.stack[-1]
        if isinstance(target, Object):
            target.items = target = target.items or {}
        if type(target) is not dict:
            raise ImportFailure(f"malformed pickle: a {type(target).__name__} has no items")
        keys = (key if isinstance(key, _KEYS) else Object(key) for key in items[::2])
        target.update(zip(keys, items[1::2], strict=True))

    def load_append(self):
        self.add([self.stack.pop()])

    def add(self, elements):
        target = self.stack[-1]
        if isinstance(target, Object):
            target.elements = target = target.elements or []
        if type(target) is not list:
            raise ImportFailure(f"malformed pickle: a {type(target).__name__} has no elements")
        target.extend(elements)

    def load_bytearray8(self):
        # pickle's own allocates what the file asks for before it reads.
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def load_frozenset(self):
        elements = self.pop_mark()
        self.append(Object(Name("builtins.frozenset")))
        self.add(elements)

    dispatch = _Opcodes((getattr(pickle, name)[0],
                         pickle._Unpickler.dispatch[getattr(pickle, name)[0]])
                        for name in _OPCODES)
    dispatch.update({
        pickle.REDUCE[0]: load_reduce, pickle.NEWOBJ[0]: load_reduce,
        pickle.NEWOBJ_EX[0]: load_newobj_ex, pickle.INST[0]: load_inst, pickle.OBJ[0]: load_obj,
        pickle.EXT1[0]: lambda self: self.extension(1),
        pickle.EXT2[0]: lambda self: self.extension(2),
        pickle.EXT4[0]: lambda self: self.extension(4),
        pickle.BUILD[0]: load_build, pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems, pickle.DICT[0]: load_dict,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: lambda self: self.add(self.pop_mark()),
        pickle.ADDITEMS[0]: lambda self: self.add(self.pop_mark()),
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.EMPTY_SET[0]: lambda self: self.append(Object(_SET)),
        pickle.FROZENSET[0]: load_frozenset,
    })


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
