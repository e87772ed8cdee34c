"""timm's mobilenetv2_*, mobilenetv3_small_*, mobilenetv3_large_* and mobilenetv3_rw by their tensors'
names.

The names of the tf_... networks are the same, but their padding and epsilon are TensorFlow's: they
are known by the hub's config.json beside the file (timm_config.py), by the file's name, or by
--padding and --epsilon.  mobilenetv3_rw has squeeze channels that are a quarter, not rounded."""
import re

from . import imported as result
from . import timm_config
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .networks import make_divisible
from .structure import recognise

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Strides of the stages' first blocks; the number of stages without hard-swish.
_V2 = ((1, 2, 2, 2, 1, 2, 1), 7)
_V3_SMALL = ((2, 2, 2, 1, 2), 2)
_V3_LARGE = ((1, 2, 2, 2, 1, 2), 3)


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
        return Weights(name, weight, bias, statistics)

    def optional(self, name, batch_norm):
        return self.layer(name, batch_norm) if f"{name}.weight" in self else None


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


def _is_rw(tensors):
    """mobilenetv3_rw, rather than mobilenetv3_large_*."""
    return any(name.endswith(".se.conv_reduce.weight")
               and tensor.shape[0] != make_divisible(tensor.shape[1] / 4)
               for name, tensor in tensors.items() if len(tensor.shape) == 4)


def _block(tensors, prefix, stride, activation, rw):
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
                        squeeze_activation=activation if rw else "relu",
                        residual=inverted or not rw)


def read(tensors, options):
    tensors = _Tensors(tensors)
    counts = _stages(tensors.tensors)
    last = len(counts) - 1
    v3 = f"blocks.{last}.0.conv.weight" in tensors
    if v3:
        strides, plain = {5: _V3_SMALL, 6: _V3_LARGE}.get(last, ((), 0))
    else:
        strides, plain = _V2
    if len(strides) != len(counts) - v3:
        raise ImportFailure(f"nearest to a MobileNet of timm, but it has {len(counts)} stages")
    rw = v3 and _is_rw(tensors.tensors)
    minimal = v3 and not any(".se." in name for name in tensors.tensors)
    modern = "relu" if minimal else "hard_swish"
    blocks = []
    for stage, stride in enumerate(strides):
        activation = "relu6" if not v3 else "relu" if stage < plain else modern
        blocks += [_block(tensors, f"blocks.{stage}.{index}", stride if index == 0 else 1,
                          activation, rw) for index in range(counts[stage])]
    if v3 and not rw and "conv_head.weight" in tensors and "conv_head.bias" not in tensors:
        raise ImportFailure("nearest to a MobileNet of timm, but conv_head.bias is missing")
    stem = tensors.layer("conv_stem", "bn1")
    # Without a classifier (num_classes=0) there may be a conv_head; a pyramid (features_only) has
    # none.
    pool = "conv_head.weight" in tensors
    if v3:
        head = tensors.layer(f"blocks.{last}.0.conv", f"blocks.{last}.0.bn1")
        dense = [(tensors.layer("conv_head"), modern)] if pool else []
    else:
        head, dense = tensors.layer("conv_head", "bn2") if pool else None, []
    if pool and "classifier.weight" in tensors:
        dense.append((tensors.layer("classifier"), "none"))
    if tensors.left:
        raise ImportFailure(f"nearest to a MobileNet of timm, but {min(tensors.left)} is not a "
                            "tensor of that network")
    return _finish(NetworkWeights(stem, modern if v3 else "relu6", blocks, head,
                                  modern if v3 else "relu6", dense, "symmetric",
                                  1e-3 if rw else 1e-5, pool=pool), rw, options)


def _finish(network, rw, options):
    config = timm_config.read(options.source)
    if config.tensorflow:
        network.padding, network.epsilon = "same", 1e-3
    network.padding = options.padding or network.padding
    network.epsilon = options.epsilon or network.epsilon
    if network.padding == "trailing":
        raise ImportFailure("--padding trailing: timm's networks have none of that kind")
    height, width = options.resolution or config.resolution or (224, 224)
    structure = recognise(assemble(network), height, width)
    structure.padding = network.padding
    imported = result.from_structure(structure, "timm (mobilenetv3_rw)" if rw else "timm", height,
                                     width)
    imported.mean, imported.std = config.mean, config.std
    if imported.mean is None:
        imported.mean, imported.std = ((0.5,) * 3, (0.5,) * 3) if config.tensorflow else \
            (IMAGENET_MEAN, IMAGENET_STD)
    imported.source_epsilon = network.epsilon
    imported.resize = int(min(height, width) / config.crop) if config.crop else \
        round(min(height, width) * 256 / 224)
    imported.notes += config.notes
    if not config.known:
        imported.notes.append(f"taken for granted: {network.padding} padding, batch norm epsilon "
                              f"{network.epsilon:g}"
                              + ("" if config.tensorflow or rw else " (tf_... networks of timm have "
                                 "--padding same --epsilon 0.001)"))
    return imported
