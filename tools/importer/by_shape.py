"""Networks of PyTorch whose names are not known: layers are matched with the papers' tables by their
order and their shapes.  Strides, activations, padding and epsilon are in no tensor: they are the
paper's, torch's, or what a whole module says."""
from dataclasses import dataclass, field

from . import classifier, facts, said
from . import imported as result
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .networks import natural
from .structure import recognise
from .table import FAMILIES

_PARAMETERS = ("weight", "bias", "running_mean", "running_var")


@dataclass
class _Layer:
    name: str
    parameters: dict = field(default_factory=dict)  # name -> Tensor

    @property
    def shape(self):
        return self.parameters["weight"].shape

    def floats(self, parameter):
        tensor = self.parameters.get(parameter)
        return None if tensor is None else tensor.floats()


def _differs(text):
    raise ImportFailure(text)


def _nearest(candidates, name):
    """The one whose name has most in common with another's, for they are of one block; of equals the
    first."""
    parts = name.split(".")

    def distance(layer):
        pairs = zip(layer.name.split(".")[:-1], parts)
        return -next((i for i, (a, b) in enumerate(pairs) if a != b), layer.name.count("."))
    return min(candidates, key=distance, default=None)


def read(found, about, options):
    tensors = found.weights.tensors
    try:
        if not tensors:
            _differs("it holds no tensors")
        matched = _match(tensors, options, found)
    except ImportFailure as failure:
        first = next(iter(tensors), None)
        raise ImportFailure(
            "not a network that can be imported, by the names of torchvision, timm and transformers, "
            "or by order and shapes: " + (f"its first tensor is {first}; {failure}" if first
                                          else str(failure))) from None
    return _finish(*matched, found, about, options)


def _layers(tensors):
    """In the order of the file, or of their names where the file has them sorted."""
    names = list(tensors)
    if names == sorted(names):
        names.sort(key=natural)
    layers = {}
    for name in names:
        layer, _, parameter = name.rpartition(".")
        if parameter not in _PARAMETERS:
            _differs(f"{name} is no parameter of a convolution, batch norm or fully connected layer")
        layers.setdefault(layer, _Layer(layer)).parameters[parameter] = tensors[name]
    for layer in layers.values():
        if "weight" not in layer.parameters:
            _differs(f"{layer.name}.weight is missing")
    return list(layers.values())


class _Matcher:
    def __init__(self, layers):
        self.norms = [layer for layer in layers if "running_mean" in layer.parameters]
        rest = [layer for layer in layers if "running_mean" not in layer.parameters]
        self.with_norms = bool(self.norms)
        self.pairs = self.squeeze_pairs(layers) if self.with_norms else []
        inside = {id(layer) for pair in self.pairs for layer in pair}
        rest = [layer for layer in rest if id(layer) not in inside]
        wide = [layer for layer in rest if len(layer.shape) == 4 and max(layer.shape[2:]) > 1]
        self.stem = next((layer for layer in wide if 2 <= layer.shape[1] <= 4), None) or \
            next(iter(wide), None)
        self.depthwise = [layer for layer in wide if layer is not self.stem]
        self.pointwise = [layer for layer in rest if len(layer.shape) == 4
                          and max(layer.shape[2:]) == 1]
        self.dense = [layer for layer in rest if len(layer.shape) != 4]
        if self.stem is None or self.stem.shape[2:] != (3, 3):
            _differs("it has no 3x3 convolution")
        for layer in self.depthwise:
            if layer.shape[1] != 1:
                _differs(f"{layer.name} is a {layer.shape[2]}x{layer.shape[3]} convolution that is not "
                         "depthwise")

    @staticmethod
    def squeeze_pairs(layers):
        """Squeeze and excite follow each other without a batch norm between."""
        pairs, previous = [], None
        for layer in layers:
            shapes = [part.shape for part in (previous, layer) if part is not None]
            if len(shapes) == 2 and all(len(shape) in (2, 4) and shape[2:] in ((), (1, 1))
                                        for shape in shapes) \
                    and shapes[0][:2] == shapes[1][1::-1] and shapes[0][0] <= shapes[0][1]:
                pairs.append((previous, layer))
                previous = None
            else:
                previous = layer
        return pairs

    def weights(self, layer, norm):
        statistics = chosen = None
        if norm:
            channels = layer.shape[0]
            chosen = _nearest([n for n in self.norms if n.parameters["running_mean"].shape
                               == (channels,)], layer.name)
            if chosen is None:
                _differs(f"there is no batch norm of {channels} channels left for {layer.name}")
            self.norms.remove(chosen)
            statistics = tuple(chosen.floats(p) for p in _PARAMETERS)
            if any(array is None for array in statistics):
                _differs(f"{chosen.name} has not all of {', '.join(_PARAMETERS)}")
        return Weights(layer.name, layer.floats("weight"), layer.floats("bias"), statistics,
                       chosen.name if chosen else None)

    def take_pointwise(self, inputs, outputs, near, what):
        layer = _nearest([layer for layer in self.pointwise if layer.shape[1] == inputs
                          and outputs in (None, layer.shape[0])], near)
        if layer is None:
            of = f"from {inputs} channels" + (f" to {outputs}" if outputs else "")
            _differs(f"there is no 1x1 convolution {of} for {what}")
        self.pointwise.remove(layer)
        return self.weights(layer, self.with_norms)

    def take_squeeze(self, channels, near):
        squeeze = _nearest([pair[0] for pair in self.pairs if pair[0].shape[1] == channels], near)
        if squeeze is None:
            _differs(f"there is no squeeze-excite of {channels} channels")
        pair = next(pair for pair in self.pairs if pair[0] is squeeze)
        self.pairs.remove(pair)
        return [self.weights(layer, False) for layer in pair]

    def block(self, row, number, channels, expands, activation, squeezes):
        layer = self.depthwise.pop(0)
        hidden = layer.shape[0]
        expand = self.take_pointwise(channels, hidden, layer.name, f"the expansion of row {number}") \
            if expands else None
        if not expands and hidden != channels:
            _differs(f"{layer.name} has {hidden} channels, expected {channels}")
        depthwise = self.weights(layer, self.with_norms)
        squeeze = excite = None
        if row.squeeze and squeezes:
            squeeze, excite = self.take_squeeze(hidden, layer.name)
        project = self.take_pointwise(hidden, None, layer.name, f"the projection of row {number}")
        return BlockWeights(expand, depthwise, squeeze, excite, project, row.strides, activation,
                            row.separable)


def _match(tensors, options, found):
    """(NetworkWeights, family, its classifier's layers)"""
    layers = _layers(tensors)
    count = len(_Matcher(layers).depthwise)
    family = {len(rows): name for name, rows in FAMILIES.items()}.get(count)
    if family is None:
        _differs(f"it has {count} depthwise convolutions, expected " + ", ".join(
            f"{len(rows)} ({name})" for name, rows in FAMILIES.items()))
    failure = None
    # Some write out the expansion of the first block, too, which the papers' tables leave out.
    for first in (False, True):
        try:
            return *_match_family(_Matcher(layers), family, first, options, found), family
        except ImportFailure as error:
            failure = failure or error
    raise failure


def _match_family(matcher, family, first_expands, options, found):
    rows = FAMILIES[family]
    v3 = family.startswith("mobilenet_v3")
    kernels = [layer.shape[2:] for layer in matcher.depthwise]
    minimal = v3 and set(kernels) == {(3, 3)}
    for layer, row in zip(matcher.depthwise, rows):
        kernel = 3 if minimal else row.kernel
        if layer.shape[2:] != (kernel, kernel):
            _differs(f"{layer.name} is a depthwise convolution of {layer.shape[2]}x{layer.shape[3]}, "
                     f"expected {kernel}x{kernel} ({family})")
    plain = options.activation or facts.activation(found.weights.modules, None) or "relu6"
    modern = "relu" if minimal else "hard_swish" if v3 else plain
    stem = matcher.weights(matcher.stem, matcher.with_norms)
    channels, blocks = stem.weight.shape[0], []
    for number, row in enumerate(rows):
        activation = ("relu" if minimal else row.activation) if v3 else plain
        expands = bool(row.expand) or first_expands and number == 0
        blocks.append(matcher.block(row, number, channels, expands, activation, not minimal))
        channels = blocks[-1].project.weight.shape[0]
    head = None
    if family != "mobilenet_v1" and (matcher.norms or not matcher.with_norms):
        head = matcher.take_pointwise(channels, None, "", "the last convolution")
    left = matcher.norms + [layer for pair in matcher.pairs for layer in pair]
    if left:
        _differs(f"{left[0].name} has no place in a {family}")
    network = NetworkWeights(stem, modern, blocks, head, modern, [], options.padding or "symmetric",
                             options.epsilon or 1e-5)
    order = matcher.pointwise + matcher.dense
    return network, [matcher.weights(layer, False) for layer in order]


def _finish(network, layers, family, found, about, options):
    modules = found.weights.modules
    facts.apply(network, modules, options)
    last = network.head or network.blocks[-1].project
    default = "hard_swish" if family.startswith("mobilenet_v3") else "relu"
    final, notes = classifier.attach(network, layers, last.weight.shape[0], found, options, default)
    network.pool = bool(layers)
    height, width = options.resolution or about.resolution or (224, 224)
    structure = recognise(assemble(network), height, width)
    structure.padding = network.padding
    name, multiplier = structure.table.family()
    if name != family or multiplier is None:
        raise ImportFailure(f"its layers follow each other as those of a {family}, but their channels "
                            "are of no width of it: its first tensor is "
                            f"{next(iter(found.weights.tensors))}")
    imported = result.from_structure(structure, "PyTorch (by order and shapes)", height, width)
    imported.probabilities = final
    about.complete(imported, options, said.Said(mean=said.IMAGENET_MEAN, std=said.IMAGENET_STD))
    imported.notes += notes
    activation = network.blocks[0].activation
    taken = f"{activation} (--activation), {network.padding} padding (--padding), epsilon " \
            f"{network.epsilon:g} (--epsilon)"
    if not modules:
        imported.notes.append("its names are not known: taken for granted by order and shapes, with "
                              f"the strides of the paper, {taken}, ImageNet's mean and std")
    imported.make_reference = lambda: "its own program would have to run, for its names are not known"
    return imported
