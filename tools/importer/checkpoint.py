"""Which of the things in a checkpoint are the weights to import: state dictionaries and whole modules
are looked for wherever they are, averaged weights come first, --key chooses."""
import re
from dataclasses import dataclass, field

from . import module, torch_file
from .errors import ImportFailure
from .inert_pickle import Object
from .tensor import Tensor
from .torch_file import Unreadable, View

# As timm and torchvision look for them; then what others write.
_AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
_USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
_IS_AVERAGED = re.compile(r"(^|[^a-z])(ema|swa|averaged?)([^a-z]|$)")
_CONVOLUTIONS = 8  # less is no MobileNet
_MAX_DEPTH = 5


@dataclass
class Weights:
    """tensors: {name: Tensor}; modules: {name of a layer: module.Module}, if a whole module was
    saved; more: what lies beside the weights, {name: value}."""
    tensors: dict
    modules: dict = field(default_factory=dict)
    more: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    def renamed(self, rename):
        """rename(name of a tensor or layer) -> another, or None to leave it out."""
        tensors = {}
        for name, tensor in self.tensors.items():
            new = rename(name)
            if new is not None:
                tensors[new] = Tensor(new, *tensor[1:])
        modules = {rename(name): value for name, value in self.modules.items()}
        modules.pop(None, None)
        return Weights(tensors, modules, self.more, self.notes)


def read(data, key=None):
    """Weights of a file of torch.save, a TorchScript archive or a pickle."""
    archive = torch_file.read(data)
    candidates = _candidates(archive.root, archive.code)
    whole = {path: value for path, value in candidates.items() if _is_network(value[0])}
    if archive.is_script and not whole:
        raise ImportFailure("a TorchScript archive without parameters by name (torch.jit.freeze makes "
                            "constants of them): save the module as it was before")
    if not candidates:
        raise ImportFailure("holds no state dict and no module: save model.state_dict()")
    if key is not None:
        if key not in candidates:
            raise ImportFailure(f"--key {key}: not there; there is " + _list(whole or candidates))
        path = key
    elif whole:
        path = _preferred(list(whole))
    else:
        path = max(candidates, key=lambda path: len(candidates[path][0]))
    tensors, modules = candidates[path]
    found = Weights({name: _tensor(name, value) for name, value in tensors.items()}, modules,
                    _more(archive.root))
    others = [other for other in whole if other != path]
    if others:
        what = "averaged weights" if is_averaged(path) else "weights"
        found.notes.append(f"{what}, of {path}; there is also {_list(others)} (--key)")
    return found


def _list(paths):
    paths = [path or "the file itself" for path in paths]
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")


def _preferred(paths):
    """The first averaged ones, else the first usual ones, else the only ones."""
    averaged = [path for path in paths if is_averaged(path)]
    for names, among in ((_AVERAGED, averaged), (_USUAL, paths)):
        for name in names:
            found = [path for path in among if path.rpartition(".")[2] == name]
            if len(found) == 1:
                return found[0]
        if len(among) == 1:
            return among[0]
    if "" in paths:
        return ""
    raise ImportFailure(f"holds the weights of several networks: choose by --key: {_list(paths)}")


def is_averaged(path):
    return bool(_IS_AVERAGED.search(path.lower()))


def _is_network(tensors):
    return sum(isinstance(value, View) and len(value.shape) == 4
               for value in tensors.values()) >= _CONVOLUTIONS


def _candidates(root, code):
    """{path of keys: (tensors, modules)} of everything that may be a network."""
    found, seen = {}, set()
    queue = [("", root, 0)]
    while queue:
        path, value, depth = queue.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if module.is_module(value):
            found[path] = module.flatten(value, code)
            continue
        if isinstance(value, Object):
            items = {**(value.state if isinstance(value.state, dict) else {}), **(value.items or {})}
        else:
            items = value if isinstance(value, dict) else {}
        names = {name: item for name, item in items.items() if isinstance(name, str)}
        tensors = {name: item for name, item in names.items()
                   if isinstance(item, (View, Unreadable)) or _in_place_of_one(name, item)}
        if any(isinstance(item, (View, Unreadable)) for item in tensors.values()):
            found[path] = tensors, {}
        if depth < _MAX_DEPTH:
            queue += [(f"{path}.{name}" if path else name, item, depth + 1)
                      for name, item in names.items()
                      if isinstance(item, (dict, Object)) and name not in tensors]
    return found


def _in_place_of_one(name, value):
    """A tensor of a kind that is not known here, such as a quantised one."""
    return isinstance(value, Object) and not module.is_module(value) and name.endswith(
        (".weight", ".bias", ".running_mean", ".running_var"))


def _tensor(name, value):
    if isinstance(value, View):
        return Tensor(name, value.shape, value.storage.dtype, value.load)
    reason = value.reason if isinstance(value, Unreadable) else \
        f"made by {value.path}, which is not called here"

    def load():
        raise ImportFailure(f"{name}: {reason}")
    return Tensor(name, (), "unreadable", load)


def _more(root):
    """What lies beside the weights: of the outermost dictionary, and of the training script's
    arguments in it."""
    items = root.state if isinstance(root, Object) else root
    return {name: value for name, value in items.items() if isinstance(name, str)} \
        if isinstance(items, dict) else {}
