"""Pickled modules of PyTorch, whole ones (torch.save(model)) and those of TorchScript archives: their
parameters by name, and what their layers say of themselves."""
import re

from .inert_pickle import Object
from .torch_file import Unreadable, View

_ATTRIBUTES = ("eps", "stride", "padding", "dilation", "kernel_size", "groups", "negative_slope")
_MAX_MODULES = 100_000


class Module:
    """A layer: kind, its class's name; attributes, of those above the ones that are known."""
    __slots__ = ("kind", "attributes")

    def __init__(self, kind, attributes):
        self.kind, self.attributes = kind, attributes

    def get(self, name, default=None):
        return self.attributes.get(name, default)

    def pair(self, name):
        """An attribute as (vertical, horizontal); None if it is not known."""
        value = self.get(name)
        value = (value, value) if type(value) is int else value
        good = isinstance(value, (tuple, list)) and len(value) == 2 and all(
            type(n) is int for n in value)
        return tuple(value) if good else None


# Layers whose weights are no tensors: of torch.nn.quantized, torch.ao.nn.quantized.dynamic...
_QUANTISED = re.compile(r"\.quantized\.(?:.*\.)?(?:Linear|Conv)\w*(?<!PackedParams)$")


def is_module(value):
    return isinstance(value, Object) and isinstance(value.state, dict) and (
        isinstance(value.state.get("_modules"), dict)
        and isinstance(value.state.get("_parameters"), dict)
        or value.path.startswith("__torch__."))


def flatten(root, code):
    """({name: tensor or Unreadable}, {name of a layer: Module}), both in the order of registration.
    code: the source text of a TorchScript archive's class file."""
    tensors, modules, read = {}, {}, {}
    stack, count = [("", root)], 0
    while stack:
        prefix, module = stack.pop()
        count += 1
        if count > _MAX_MODULES or len(prefix) > 1000:
            break  # a module within itself
        state = module.state
        of_script = module.path.startswith("__torch__.")
        if of_script and module.path not in read:
            read[module.path] = _script(module.path, code)
        modules[prefix[:-1]] = read[module.path] if of_script else \
            Module(module.path.rpartition(".")[2],
                   {name: state[name] for name in _ATTRIBUTES if name in state})
        own = state if of_script else {
            **_dictionary(state.get("_parameters")), **_dictionary(state.get("_buffers"))}
        for name, value in own.items():
            if isinstance(value, (View, Unreadable)):
                tensors[f"{prefix}{name}"] = value
        if _QUANTISED.search(module.path):
            tensors[f"{prefix}weight"] = Unreadable(
                f"in a {module.path}: import the network from before it was quantised")
        children = state if of_script else state["_modules"]
        stack += reversed([(f"{prefix}{name}.", child) for name, child in children.items()
                           if is_module(child)])
    return tensors, modules


def _dictionary(value):
    return value if isinstance(value, dict) else {}


# ---- TorchScript: what a layer's class says in its source ----

_FINAL = re.compile(r"^  (\w+) : Final\[[^=\n]*\] = ([^\n]+)$", re.MULTILINE)
_CALL = re.compile(r"torch\.(?:conv2d|_convolution)\([^\[\n]{0,200}"
                   r"\[(\d+), (\d+)\], \[(\d+), (\d+)\], \[(\d+), (\d+)\]")
_BATCH_NORM = re.compile(r"torch\.batch_norm\([^\n]{0,400}, ([\d.e+-]+), (?:True|False)\)")


def _script(path, code):
    path, _, kind = path.rpartition(".")
    text = code(path.replace(".", "/") + ".py")
    begin = text.find(f"class {kind}(")
    end = text.find("\nclass ", begin + 1)
    body = text[begin:end if end >= 0 else len(text)] if begin >= 0 else ""
    attributes = {}
    for name, value in _FINAL.findall(body):
        if name in _ATTRIBUTES:
            numbers = [float(n) if "." in n or "e" in n else int(n)
                       for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", value)]
            attributes[name] = tuple(numbers) if value.startswith("(") else \
                numbers[0] if numbers else value.strip('"')
    convolution, norm = _CALL.search(body), _BATCH_NORM.search(body)
    if convolution:
        n = [int(group) for group in convolution.groups()]
        attributes.update(stride=tuple(n[:2]), padding=tuple(n[2:4]), dilation=tuple(n[4:]))
    if norm:
        attributes["eps"] = float(norm[1])
    return Module(kind, attributes)
