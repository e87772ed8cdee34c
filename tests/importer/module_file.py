"""Whole modules as torch.save pickles them, and TorchScript archives, written by hand from a state
dict."""
import io
import zipfile

import numpy

from checkpoint import (Call, Global, New, ORDERED_DICT, encode, pickled, stored, tensor)


def _tree(names):
    """{"a.b.weight": x} as {"a": {"b": {"weight": x}}}."""
    root = {}
    for name, item in names.items():
        *path, last = name.split(".")
        node = root
        for part in path:
            node = node.setdefault(part, {})
        node[last] = item
    return root


def _tensors(arrays):
    storages = {str(i): array for i, array in enumerate(arrays.values())}
    return {name: tensor(key, array) for (name, array), key in zip(arrays.items(), storages)}, \
        storages


def module(arrays, attributes=None, more=None, root="some_package.Network"):
    """(value to pickle, storages).  attributes: {layer: {name: value}}; more: {layer: kind} of
    layers without tensors, in their place by name."""
    tensors, storages = _tensors(arrays)
    tree = _tree({**tensors, **{f"{name}.": None for name in more or {}}})
    attributes, more = attributes or {}, more or {}

    def build(node, path):
        name = ".".join(path)
        buffers = {key: value for key, value in node.items()
                   if key in ("running_mean", "running_var", "num_batches_tracked")}
        parameters = {key: Call(Global("torch._utils", "_rebuild_parameter"),
                                (value, True, Call(ORDERED_DICT, ())))
                      for key, value in node.items()
                      if key in ("weight", "bias")}
        children = {key: build(value, [*path, key]) for key, value in node.items()
                    if isinstance(value, dict)}
        kind = more.get(name) or ("BatchNorm2d" if buffers else "Conv2d" if parameters
                                  else "Sequential")
        home, _, kind = (root if not path else f"torch.nn.modules.{kind}").rpartition(".")
        return New(Global(home, kind), {
            "training": False, "_parameters": parameters, "_buffers": buffers,
            "_non_persistent_buffers_set": Call(Global("__builtin__", "set"), ([],)),
            "_backward_hooks": Call(ORDERED_DICT, ()), "_modules": children,
            **attributes.get(name, {})})
    return build(tree, []), storages


def script(arrays, code, constants=True):
    """The bytes of a TorchScript archive.  code: {layer: lines of its class}."""
    tensors, storages = _tensors(arrays)
    files = {}

    def build(node, path):
        number = len(files)
        home = f"__torch__.mangled_{number}"
        files[f"code/__torch__/mangled_{number}.py"] = \
            "class Layer(Module):\n" + code.get(".".join(path), "  training : bool\n")
        return New(Global(home, "Layer"), {"training": False, **{
            key: build(value, [*path, key]) if isinstance(value, dict) else value
            for key, value in node.items()}})
    value = build(_tree(tensors), [])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", pickled(value))
        for name, text in files.items():
            archive.writestr(f"net/{name}", text)
        for key, array in storages.items():
            archive.writestr(f"net/data/{key}", stored(numpy.asarray(array)))
        if constants:
            archive.writestr("net/constants.pkl", b"\x80\x02" + encode(()) + b".")
        archive.writestr("net/version", "6\n")
    return file.getvalue()
