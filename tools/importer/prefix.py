"""Where in a state dict a network is: names that begin with something of the program it was trained
in (`backbone.`, `module.model.`), and tensors beside it."""
import re
from dataclasses import dataclass, field

from .checkpoint import is_averaged
from .errors import ImportFailure

# A tensor that each way of naming has: what is before it is the prefix.
_ANCHORS = (
    ("timm", re.compile(r"(|.*\.)conv_stem\.weight")),
    ("transformers", re.compile(r"(|.*\.)conv_stem\.(?:first_conv\.)?convolution\.weight")),
    ("torchvision", re.compile(r"(|.*\.)1\.(?:conv|block)\.0\.0\.weight")),
)
_OF_TRAINING = re.compile(r"(^|[._])(loss|losses|criterion|metrics?|optimizer|ema_decay)([._]|$)",
                          re.IGNORECASE)
_COUNTERS = ("num_batches_tracked", "n_averaged")


@dataclass
class Found:
    family: str            # timm, transformers, torchvision, or None: names are not known
    weights: object        # checkpoint.Weights of the network alone, under its own names
    outside: list = field(default_factory=list)  # layers beside it, which may be its classifier
    mean: tuple = None     # what the checkpoint's program does to the image before the network
    std: tuple = None


def find(weights, chosen):
    """The network among the weights.  chosen: --prefix, or None."""
    weights = weights.renamed(lambda name: None if name.endswith(_COUNTERS) else name)
    if chosen is not None:
        chosen = chosen if not chosen or chosen.endswith(".") else chosen + "."
        inside = [name for name in weights.tensors if name.startswith(chosen)]
        if not inside:
            raise ImportFailure(f"--prefix {chosen}: no tensor's name begins so; the first is "
                                f"{next(iter(weights.tensors), 'none')}")
        left = len(weights.tensors) - len(inside)
        weights = weights.renamed(lambda name: name[len(chosen):] if name.startswith(chosen)
                                  else None)
        if left:
            weights.notes.append(f"left out: {left} tensors that are not under {chosen}")
    places = _places(weights.tensors)
    if not places:
        return Found(None, weights)
    if len(places) > 1:
        averaged = [place for place in places if is_averaged(place[0])]
        shown = ", ".join(place[0] or "none" for place in places)
        if len(averaged) != 1:
            raise ImportFailure(f"holds {len(places)} networks, with the prefixes {shown}: choose by "
                                "--prefix")
        weights.notes.append(f"averaged weights, under {averaged[0][0]}; the prefixes are {shown} "
                             "(--prefix)")
        weights = _without(weights, [place[0] for place in places if place not in averaged])
        places = averaged
    return _split(weights, *places[0])


def _places(tensors):
    """[(prefix, family, of the features alone)]"""
    places = {}
    for name in tensors:
        for family, pattern in _ANCHORS:
            match = pattern.fullmatch(name)
            if not match:
                continue
            prefix, alone = match[1], False
            if family == "torchvision":
                if f"{prefix}0.0.weight" not in tensors:
                    continue
                alone = not (prefix == "features." or prefix.endswith(".features."))
                prefix = prefix if alone else prefix[:-len("features.")]
            places[prefix] = prefix, family, alone
    return list(places.values())


def _without(weights, prefixes):
    return weights.renamed(lambda name: None if name.startswith(tuple(prefixes)) else name)


def _split(weights, prefix, family, alone):
    """Those under the prefix, and the rest."""
    inside = re.compile(re.escape(prefix) + (r"(\d{1,3}\..*|\d{1,3})" if alone else "(.*)"),
                        re.DOTALL)
    body = "features." if alone else ""

    def rename(name):
        match = inside.fullmatch(name)
        return f"{body}{match[1]}" if match else None
    rest = {name: tensor for name, tensor in weights.tensors.items() if rename(name) is None}
    if prefix:
        weights.notes.append(f"the network's names begin with {prefix}")
    if not rest and not prefix and not alone:
        return Found(family, weights)
    found = Found(family, weights.renamed(rename))
    _look_outside(found, rest, prefix)
    found.weights.modules.update({name: layer for name, layer in weights.modules.items()
                                  if rename(name) is None})
    return found


def _look_outside(found, rest, prefix):
    """Tells a classifier from what belongs to training, and from more network."""
    layers, left = {}, []
    for name, tensor in rest.items():
        layer, _, parameter = name.rpartition(".")
        if _OF_TRAINING.search(name) or parameter not in ("weight", "bias", "running_mean",
                                                          "running_var"):
            left.append(name)
        else:
            layers.setdefault(layer, {})[parameter] = tensor
    for layer, parameters in layers.items():
        weight = parameters.get("weight")
        shape = weight.shape if weight else ()
        if set(parameters) - {"weight", "bias"} or len(shape) not in (2, 4) \
                or shape[2:] not in ((), (1, 1)):
            raise ImportFailure(
                f"has more than a MobileNet: {layer}.{next(iter(parameters))} is not under the prefix "
                f"{prefix or 'of its names'}: " + (f"--prefix {prefix} imports the network there alone"
                                                   if prefix else "save the network alone"))
        found.outside.append((layer, weight, parameters.get("bias")))
    _images(found, rest, left)
    if left:
        found.weights.notes.append(f"left out: {', '.join(left[:4])}"
                                   + (f" and {len(left) - 4} more" if len(left) > 4 else ""))


def _images(found, rest, left):
    """A layer that normalises images has a mean and a std for each channel."""
    for name in list(left):
        if name.rpartition(".")[2] != "mean":
            continue
        other = name[:-len("mean")] + "std"
        pair = [rest[key].floats().reshape(-1) for key in (name, other)
                if key in rest and rest[key].dtype.startswith(("float", "bfloat"))]
        if len(pair) == 2 and pair[0].size == pair[1].size in (1, 3, 4) and (pair[1] > 0).all():
            unit = 255 if pair[1].max() > 2 else 1
            found.mean, found.std = (tuple(float(value) / unit for value in values)
                                     for values in pair)
            found.weights.notes.append(f"{name} and {other} are taken over as its mean and std")
            left.remove(name)
            left.remove(other)
