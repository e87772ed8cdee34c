"""timm's mobilenetv1_*, mobilenetv2_*, mobilenetv3_small_*, mobilenetv3_large_* and mobilenetv3_rw by
their tensors' names.

timm gives the same names to its other networks of that kind (EfficientNet, MnasNet, FBNet, LCNet...):
kernels, expansions and squeeze-excites tell them apart.  The names of the tf_... networks are those
of the others, but their padding and epsilon are TensorFlow's: they are known by what is said of them
(said.py), or by --padding and --epsilon.  mobilenetv3_rw has squeeze channels that are a quarter, not
rounded."""
import re
from dataclasses import dataclass

from . import classifier, facts, said, torch_runtime
from . import imported as result
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .networks import make_divisible
from .said import IMAGENET_MEAN, IMAGENET_STD
from .structure import recognise


@dataclass
class _Family:
    """Stage by stage: strides of the first block, kernels, whether there is a squeeze-excite."""
    name: str
    strides: tuple
    kernels: tuple
    squeeze: tuple
    plain: int  # the number of stages without hard-swish


_V1 = _Family("MobileNetV1", (1, 2, 2, 2, 2), (3,) * 5, (False,) * 5, 5)
_V2 = _Family("MobileNetV2", (1, 2, 2, 2, 1, 2, 1), (3,) * 7, (False,) * 7, 7)
_V3_SMALL = _Family("MobileNetV3-small", (2, 2, 2, 1, 2), (3, 3, 5, 5, 5),
                    (True, False, True, True, True), 2)
_V3_LARGE = _Family("MobileNetV3-large", (1, 2, 2, 2, 1, 2), (3, 3, 5, 3, 3, 5),
                    (False, False, True, False, True, True), 3)


class _Tensors:
    """The state dict, with a note of what was asked for."""

    def __init__(self, tensors):
        self.tensors, self.left = tensors, set(tensors)

    def __contains__(self, name):
        return name in self.tensors

    def get(self, name):
        if name not in self.tensors:
            raise ImportFailure(f"nearest to a MobileNet of timm, but {name} is missing")
        self.left.discard(name)
        return self.tensors[name].floats()

    def layer(self, name, batch_norm=None):
        bias = self.get(f"{name}.bias") if f"{name}.bias" in self else None
        statistics = None
        if batch_norm is not None:
            statistics = tuple(self.get(f"{batch_norm}.{p}") for p in
                               ("weight", "bias", "running_mean", "running_var"))
        weight = self.get(f"{name}.weight")
        if weight.ndim not in (2, 4):
            raise ImportFailure(f"{name}.weight: {weight.ndim} dimensions")
        return Weights(name, weight, bias, statistics, batch_norm)


def _stages(tensors):
    """Stage -> number of blocks."""
    stages = {}
    for name in tensors:
        match = re.match(r"blocks\.(\d{1,3})\.(\d{1,3})\.", name)
        if match:
            stage, block = int(match[1]), int(match[2])
            stages[stage] = max(stages.get(stage, 0), block + 1)
    if sorted(stages) != list(range(len(stages))) or not stages:
        raise ImportFailure("nearest to a MobileNet of timm, but its stages are not blocks.0, "
                            "blocks.1, ...")
    return [stages[index] for index in range(len(stages))]


def _family(tensors, counts, v3):
    """By the number of stages; what else there has to be is checked block by block."""
    if v3:
        family = {6: _V3_SMALL, 7: _V3_LARGE}.get(len(counts))
    elif any(".conv_pwl." in name for name in tensors):
        family = _V2 if len(counts) == 7 else None
    else:
        family = _V1 if len(counts) == 5 else None
    if family is None:
        raise ImportFailure(f"nearest to a MobileNet of timm, but it has {len(counts)} stages")
    return family


def _is_rw(tensors):
    """mobilenetv3_rw, rather than mobilenetv3_large_*."""
    return any(name.endswith(".se.conv_reduce.weight")
               and tensor.shape[0] != make_divisible(tensor.shape[1] / 4)
               for name, tensor in tensors.items() if len(tensor.shape) == 4)


def _check(tensors, prefix, family, stage, minimal):
    """The block is one of the family's stage, and not of another family with the same names."""
    def differs(text):
        raise ImportFailure(f"not a {family.name}: {prefix} {text}; timm gives the same names to "
                            "EfficientNet, MnasNet, FBNet, LCNet and others")
    inverted = f"{prefix}.conv_pwl.weight" in tensors
    if inverted != (family is not _V1 and stage > 0):
        differs("is not the kind of block that it has there")
    name = f"{prefix}.conv_dw.weight"
    kernel = 3 if minimal else family.kernels[stage]
    if name in tensors and tensors.tensors[name].shape[2:] != (kernel, kernel):
        found = "x".join(map(str, tensors.tensors[name].shape[2:]))
        differs(f"has a {found} depthwise convolution, expected {kernel}x{kernel}")
    if (f"{prefix}.se.conv_reduce.weight" in tensors) != (family.squeeze[stage] and not minimal):
        differs("has a squeeze-excite" if not family.squeeze[stage] or minimal
                else "has no squeeze-excite")
    name = f"{prefix}.conv_pw.weight"
    if family is _V2 and inverted and name in tensors:
        shape = tensors.tensors[name].shape
        if len(shape) == 4 and shape[0] != 6 * shape[1]:
            differs(f"expands {shape[1]} channels to {shape[0]}, expected {6 * shape[1]}")


def _block(tensors, prefix, stride, activation, family, rw):
    inverted = f"{prefix}.conv_pwl.weight" in tensors
    squeeze = excite = None
    if f"{prefix}.se.conv_reduce.weight" in tensors:
        squeeze = tensors.layer(f"{prefix}.se.conv_reduce")
        excite = tensors.layer(f"{prefix}.se.conv_expand")
    if inverted:
        parts = (tensors.layer(f"{prefix}.conv_pw", f"{prefix}.bn1"),
                 tensors.layer(f"{prefix}.conv_dw", f"{prefix}.bn2"),
                 tensors.layer(f"{prefix}.conv_pwl", f"{prefix}.bn3"))
    else:
        parts = (None, tensors.layer(f"{prefix}.conv_dw", f"{prefix}.bn1"),
                 tensors.layer(f"{prefix}.conv_pw", f"{prefix}.bn2"))
    return BlockWeights(parts[0], parts[1], squeeze, excite, parts[2], (stride, stride), activation,
                        separable=family is _V1, squeeze_activation=activation if rw else "relu",
                        residual=inverted or not rw)


def read(found, about, options):
    tensors = _Tensors(found.weights.tensors)
    counts = _stages(tensors.tensors)
    last = len(counts) - 1
    v3 = f"blocks.{last}.0.conv.weight" in tensors
    family = _family(tensors.tensors, counts, v3)
    rw = v3 and _is_rw(tensors.tensors)
    minimal = v3 and not any(".se." in name for name in tensors.tensors)
    modern = "relu" if minimal else "hard_swish"
    base = "relu" if v3 else options.activation or facts.activation(
        found.weights.modules, "conv_head") or about.activation or "relu6"
    blocks = []
    for stage, stride in enumerate(family.strides):
        activation = base if stage < family.plain else modern
        for index in range(counts[stage]):
            name = f"blocks.{stage}.{index}"
            _check(tensors, name, family, stage, minimal)
            blocks.append(_block(tensors, name, stride if index == 0 else 1, activation, family,
                                 rw))
    if v3 and not rw and "conv_head.weight" in tensors and "conv_head.bias" not in tensors:
        raise ImportFailure("nearest to a MobileNet of timm, but conv_head.bias is missing")
    stem = tensors.layer("conv_stem", "bn1")
    # Without a classifier (num_classes=0) there may be a conv_head; a pyramid (features_only) has
    # none, and v1's looks like its num_classes=0.
    headed = "conv_head.weight" in tensors
    pool = headed or "classifier.weight" in tensors or bool(found.outside)
    head, dense, layers = None, [], []
    if v3:
        head = tensors.layer(f"blocks.{last}.0.conv", f"blocks.{last}.0.bn1")
        dense = [(tensors.layer("conv_head"), modern)] if headed else []
    elif headed:
        head = tensors.layer("conv_head", "bn2")
    if "classifier.weight" in tensors:
        layers = [tensors.layer("classifier")]
    if tensors.left:
        raise ImportFailure(f"nearest to a MobileNet of timm, but {min(tensors.left)} is not a "
                            "tensor of that network")
    layers += classifier.of_tensors(found, lambda tensor: tensor.floats())
    network = NetworkWeights(stem, modern if v3 else base, blocks, head, modern if v3 else base,
                             dense, "symmetric", 1e-3 if rw else 1e-5, pool=pool)
    return _finish(network, found, about, layers, rw, family, options)


def _finish(network, found, about, layers, rw, family, options):
    if about.tensorflow:
        network.padding, network.epsilon = "same", 1e-3
    network.padding = options.padding or network.padding
    network.epsilon = options.epsilon or about.epsilon or network.epsilon
    if network.padding not in ("same", "symmetric"):
        raise ImportFailure(f"--padding {network.padding}: timm's networks have none of that kind")
    facts.apply(network, found.weights.modules, options)
    before = network.dense[-1][0] if network.dense else network.head or network.blocks[-1].project
    final, notes = classifier.attach(network, layers, before.weight.shape[0], found, options)
    height, width = options.resolution or about.resolution or (224, 224)
    structure = recognise(assemble(network), height, width)
    structure.padding = network.padding
    imported = result.from_structure(structure, "timm (mobilenetv3_rw)" if rw else "timm", height,
                                     width)
    imported.probabilities = final
    half = about.tensorflow or family is _V1
    about.complete(imported, options, said.Said(
        mean=said.HALF if half else IMAGENET_MEAN, std=said.HALF if half else IMAGENET_STD,
        interpolation="bicubic"))
    imported.source_epsilon = network.epsilon
    imported.notes += notes
    if about.tensorflow is None and not found.weights.modules:
        imported.notes.append(f"taken for granted: {network.padding} padding, batch norm epsilon "
                              f"{network.epsilon:g}"
                              + ("" if rw or family is _V1 else " (tf_... networks of timm have "
                                 "--padding same --epsilon 0.001)"))
    if not about.by_config:
        imported.notes.append(f"taken for granted: timm's {imported.interpolation} interpolation and "
                              f"crop ratio {about.crop or 0.875:g} (--interpolation, --crop-ratio)")
    imported.make_reference = lambda: torch_runtime.timm(found, imported, network)
    return imported
