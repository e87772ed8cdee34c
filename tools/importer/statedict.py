"""State dictionaries of PyTorch: torchvision's names, and timm's."""
import re

import numpy

from . import networks, table, timm
from . import imported as result
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .structure import recognise
from .tensor import Tensor
from .timm import IMAGENET_MEAN, IMAGENET_STD


def read(tensors, options):
    tensors = {name: tensor for name, tensor in tensors.items()
               if not name.endswith("num_batches_tracked")}
    if "conv_stem.weight" in tensors:
        return timm.read(tensors, options)
    tensors = with_prefix(tensors)
    imported = _torchvision(tensors, options)
    imported.mean, imported.std = IMAGENET_MEAN, IMAGENET_STD
    imported.resize = round(min(options.resolution or (224,)) * 256 / 224)
    return imported


def with_prefix(tensors):
    """The state dict of a network's `features` alone, with the names that they have in the
    network."""
    if not tensors or not all(re.match(r"\d{1,3}\.", name) for name in tensors):
        return tensors
    return {f"features.{name}": Tensor(f"features.{name}", *tensor[1:])
            for name, tensor in tensors.items()}


def values(tensor):
    array = tensor.floats()
    if not numpy.isfinite(array).all():
        raise ImportFailure(f"{tensor.name}: NaN or infinity among its values")
    if tensor.name.endswith(".running_var") and (array < 0).any():
        raise ImportFailure(f"{tensor.name}: a variance is negative")
    return array


def _torchvision(tensors, options):
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    dense = _classifier(shapes)
    network = networks.nearest(shapes)
    body = {name: shape for name, shape in shapes.items() if name.startswith("features.")}
    if len(body) == len(shapes) and body:
        return _own_classifier(tensors, body, [], network, options)
    if dense and not _standard(network, shapes):
        return _own_classifier(tensors, body, dense, network, options)
    try:
        found = networks.recognise(shapes)
    except ImportFailure:
        # Are there only other hidden units?
        if not dense or len(dense) < 2 or not networks.fits_features(network, body):
            raise
        return _own_classifier(tensors, body, dense, network, options)
    return result.Imported(
        network=network.name, described=f"{network.name} of {network.source}: width "
        f"{found.width:g}", tensors={name: values(tensors[name]) for name in found.shapes},
        classes=found.classes, padding=options.padding or network.padding, source=network.source,
        width=found.width, epsilon=options.epsilon or network.epsilon,
        parameters=networks.parameter_count(found.shapes))


def _standard(network, shapes):
    """Whether the classifier has the names that torchvision gives it."""
    wanted = {name for name in network.layout(1.0, 10) if not name.startswith("features.")}
    return wanted == {name for name in shapes if not name.startswith("features.")}


def _natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _classifier(shapes):
    """Fully connected layers that are no part of the features, in order; None if there is anything
    else."""
    others = {name for name in shapes if not name.startswith("features.")}
    dense = []
    for name in sorted((n for n in others if n.endswith(".weight")), key=_natural):
        layer = name[:-len(".weight")]
        if len(shapes[name]) != 2:
            return None
        dense.append(layer)
        others -= {name, f"{layer}.bias"}
    return dense if dense and not others else None


def _own_classifier(tensors, body, dense, network, options):
    """torchvision's features under a classifier of one's own; without fully connected layers
    (`dense`), the features alone."""
    width = networks.recognise_features(network, body)
    v3 = network.name != "mobilenet_v2"
    weights = {name: values(tensor) for name, tensor in tensors.items()}

    def layer(name, batch_norm=None):
        statistics = None if batch_norm is None else tuple(
            weights[f"{batch_norm}.{p}"] for p in ("weight", "bias", "running_mean", "running_var"))
        return Weights(name, weights[f"{name}.weight"], weights.get(f"{name}.bias"), statistics)

    blocks = []
    for index, row in enumerate(table.FAMILIES[network.name], 1):
        blocks.append(_block(weights, layer, f"features.{index}", row, v3))
    last = f"features.{len(blocks) + 1}"
    activation = "hard_swish" if v3 else "relu6"
    between = options.hidden_activation or (
        "hard_swish" if v3 and dense == ["classifier.0", "classifier.3"] else "relu")
    classifier = [(layer(name), between) for name in dense[:-1]]
    classifier += [(layer(name), "none") for name in dense[-1:]]
    found = NetworkWeights(
        layer("features.0.0", "features.0.1"), activation, blocks,
        layer(f"{last}.0", f"{last}.1"), activation, classifier,
        options.padding or network.padding, options.epsilon or network.epsilon, pool=bool(dense))
    height, columns = options.resolution or (224, 224)
    structure = recognise(assemble(found), height, columns)
    structure.padding = found.padding
    source = "torchvision with a classifier of its own" if dense else "torchvision"
    imported = result.from_structure(structure, source, height, columns)
    imported.source_width = width
    if len(dense) > 1:
        imported.notes.append(f"taken for granted: {between} between the classifier's layers "
                              "(--hidden-activation)")
    return imported


def _block(weights, layer, prefix, row, v3):
    name, module = f"{prefix}.{'block' if v3 else 'conv'}", 0
    expand = squeeze = excite = None
    if _has_expand(weights, name, v3):
        expand, module = layer(f"{name}.0.0", f"{name}.0.1"), 1
    depthwise = layer(f"{name}.{module}.0", f"{name}.{module}.1")
    module += 1
    if f"{name}.{module}.fc1.weight" in weights:
        squeeze, excite = layer(f"{name}.{module}.fc1"), layer(f"{name}.{module}.fc2")
        module += 1
    project = layer(f"{name}.{module}.0", f"{name}.{module}.1") if v3 else \
        layer(f"{name}.{module}", f"{name}.{module + 1}")
    return BlockWeights(expand, depthwise, squeeze, excite, project, row.strides, row.activation)


def _has_expand(weights, name, v3):
    """The first module is a 1x1 convolution, not the depthwise one."""
    return weights[f"{name}.0.0.weight"].shape[2:] == (1, 1)
