"""Networks of PyTorch by the names of their tensors: torchvision's, timm's, transformers'; others by
order and shape."""
import re

import numpy

from . import by_shape, classifier, facts, labels, networks, prefix, said, timm, torch_runtime
from . import transformers as hugging_face
from . import imported as result
from . import table
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .structure import recognise


def read(weights, options):
    """An Imported of checkpoint.Weights."""
    notes = weights.notes
    found = prefix.find(weights, options.prefix)
    for tensor in found.weights.tensors.values():
        if tensor.dtype == "unreadable":
            tensor.load()
    about = said.read(options.source, weights.more)
    try:
        read_family = {"timm": timm.read, "transformers": hugging_face.read,
                       "torchvision": _torchvision, None: by_shape.read}[found.family]
        imported = read_family(found, about, options)
    except ImportFailure as failure:
        raise _of_another_family(found, failure) from None
    imported.notes = notes + imported.notes
    if found.mean:
        imported.mean, imported.std = found.mean, found.std
    if imported.classes == 1 and not (imported.probabilities or options.probabilities):
        imported.notes.append("taken for granted: its one output is a value (--probabilities sigmoid, "
                              "if it is a logit)")
    beside = labels.beside_weights(weights.more, imported.classes)
    if beside and not imported.labels:
        imported.labels = beside[1]
        imported.notes.append(f"labels of the checkpoint's {beside[0]}")
    return imported


# What other families have that MobileNets have not: a tensor's name, the family.
_OTHERS = (
    (r"(^|\.)msfa\.", "a MobileNetV5"),
    (r"blocks\.\d+\.\d+\.(dw_start|dw_mid|pw_exp|pw_proj)\.", "a MobileNetV4"),
    (r"(^|\.)mobilevit|(^|\.)stages\.\d+\.\d+\.transformer\.", "a MobileViT"),
    (r"blocks\.\d+\.\d+\.(conv_exp|ghost\d)\.", "an EfficientNet-EdgeTPU or GhostNet"),
    (r"(^|\.)conv1_3x3_s2|layer1\.0\.conv2\.", "a ResNet"),
    (r"(^|\.)layer1\.0\.(conv1|downsample)\.", "a ResNet"),
    (r"(^|\.)features\.denseblock1\.", "a DenseNet"),
    (r"(^|\.)stage2\.0\.branch1\.", "a ShuffleNetV2"),
    (r"(^|\.)features\.\d+\.squeeze\.", "a SqueezeNet"),
    (r"(^|\.)features\.\d+\.\d+\.block\.", "an EfficientNet or ConvNeXt of torchvision"),
    (r"(^|\.)layers\.0\.weight$", "a MnasNet of torchvision"),
    (r"(^|\.)(_conv_stem|_blocks\.0)\.", "an EfficientNet"),
    (r"(^|\.)(cls_token|patch_embed\.|encoder\.layers?\.)", "a vision transformer"),
    (r"(^|\.)model\.22\.dfl\.|\.cv[123]\.conv\.weight$", "a YOLO"),
    (r"lora_[AB]\.", "a LoRA adapter"),
    (r"\.embed_tokens\.", "a language model"),
)


def _of_another_family(found, failure):
    quantised = next((name for name in found.weights.tensors if "_packed_params" in name), None)
    if quantised:
        return ImportFailure(f"quantised by torch ({quantised}): save the network as it was before")
    for pattern, name in _OTHERS:
        for tensor in found.weights.tensors:
            if re.search(pattern, tensor):
                return ImportFailure(f"{name} ({tensor}): the library runs MobileNet v1, v2 and v3")
    return failure


def values(tensor):
    array = tensor.floats()
    if not numpy.isfinite(array).all():
        raise ImportFailure(f"{tensor.name}: NaN or infinity among its values")
    if tensor.name.endswith(".running_var") and (array < 0).any():
        raise ImportFailure(f"{tensor.name}: a variance is negative")
    return array


# ---- torchvision ----

def _torchvision(found, about, options):
    tensors = found.weights.tensors
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    # torchvision's networks read three channels; those that read others are compared as if they did.
    stem = shapes.get("features.0.0.weight", ())
    colours = len(stem) != 4 or stem[1] == 3
    if not colours and 1 <= stem[1] <= 4:
        shapes["features.0.0.weight"] = (stem[0], 3, *stem[2:])
    network = networks.nearest(shapes)
    body = {name: shape for name, shape in shapes.items() if name.startswith("features.")}
    dense = _classifier(shapes)
    imported = None
    if dense is None or dense and not found.outside and _standard(network, shapes):
        try:
            recognised = networks.recognise(shapes)
        except ImportFailure:
            # Are there only other hidden units?
            if not dense or len(dense) < 2 or not networks.fits_features(network, body):
                raise
        else:
            imported = _as_it_is(found, recognised, options) if colours else None
    if imported is None:
        imported = _own_classifier(found, body, network, options)
    about.complete(imported, options, said.Said(mean=said.IMAGENET_MEAN, std=said.IMAGENET_STD))
    return imported


def _as_it_is(found, recognised, options):
    """torchvision's network with its own classifier; None if a whole module differs from it."""
    tensors, network = found.weights.tensors, recognised.network
    arrays = {name: values(tensors[name]) for name in recognised.shapes}
    if found.weights.modules:
        dense = _dense_layers(arrays)
        built = _body(arrays, network, options)
        differs = facts.apply(built, found.weights.modules, options)
        said_between, final = facts.between(found.weights.modules, [w.name for w in dense])
        usual = {"mobilenet_v2": "relu6"}.get(network.name, "hard_swish")
        head = facts.activation(found.weights.modules, "features.1")
        if differs or head not in (None, usual) or final or any(
                activation not in (None, "hard_swish") for activation in said_between):
            return None
    imported = result.Imported(
        network=network.name, described=f"{network.name} of {network.source}: width "
        f"{recognised.width:g}", tensors=arrays, classes=recognised.classes,
        padding=options.padding or network.padding, source=network.source, width=recognised.width,
        epsilon=options.epsilon or network.epsilon,
        parameters=networks.parameter_count(recognised.shapes))
    imported.make_reference = lambda: torch_runtime.torchvision(arrays, imported)
    return imported


def _standard(network, shapes):
    """Whether the classifier has the names that torchvision gives it."""
    wanted = {name for name in network.layout(1.0, 10) if not name.startswith("features.")}
    return wanted == {name for name in shapes if not name.startswith("features.")}


def _classifier(shapes):
    """Fully connected layers that are no part of the features, in order; None if there is anything
    else."""
    others = {name for name in shapes if not name.startswith("features.")}
    dense = []
    for name in sorted((n for n in others if n.endswith(".weight")), key=networks.natural):
        if len(shapes[name]) != 2 and shapes[name][2:] != (1, 1):
            return None
        dense.append(name[:-len(".weight")])
        others -= {name, f"{dense[-1]}.bias"}
    return None if others else dense


def _dense_layers(arrays):
    names = _classifier({name: array.shape for name, array in arrays.items()})
    return [Weights(name, arrays[f"{name}.weight"], arrays.get(f"{name}.bias"))
            for name in names or ()]


def _own_classifier(found, body, network, options):
    """torchvision's features under a classifier of one's own; without fully connected layers, the
    features alone."""
    width = networks.recognise_features(network, body)
    arrays = {name: values(tensor) for name, tensor in found.weights.tensors.items()}
    built = _body(arrays, network, options)
    layers = _dense_layers(arrays) + classifier.of_tensors(found, values)
    v3 = network.name != "mobilenet_v2"
    facts.apply(built, found.weights.modules, options)
    between = facts.activation(found.weights.modules, "classifier") if not v3 else None
    if between and between != built.stem_activation:
        built.stem_activation = built.head_activation = between
        for block in built.blocks:
            block.activation = between
    names = tuple(weights.name for weights in layers)
    usual = ("classifier.0", "classifier.3") if v3 else ()
    final, notes = classifier.attach(built, layers, built.head.weight.shape[0], found, options,
                                     "hard_swish" if names == usual else "relu", usual)
    built.pool = bool(layers)
    height, columns = options.resolution or (224, 224)
    structure = recognise(assemble(built), height, columns)
    structure.padding = built.padding
    source = "torchvision with a classifier of its own" if layers else "torchvision"
    imported = result.from_structure(structure, source, height, columns)
    imported.probabilities = final
    imported.source_width = width
    imported.notes += notes
    imported.make_reference = lambda: torch_runtime.torchvision_features(arrays, network, width,
                                                                         built, imported)
    return imported


def _body(weights, network, options):
    """The NetworkWeights of torchvision's features."""
    v3 = network.name != "mobilenet_v2"

    def layer(name, batch_norm=None):
        statistics = None if batch_norm is None else tuple(
            weights[f"{batch_norm}.{p}"] for p in ("weight", "bias", "running_mean", "running_var"))
        return Weights(name, weights[f"{name}.weight"], weights.get(f"{name}.bias"), statistics,
                       batch_norm)

    blocks = [_block(weights, layer, f"features.{index}", row, v3)
              for index, row in enumerate(table.FAMILIES[network.name], 1)]
    last = f"features.{len(blocks) + 1}"
    activation = "hard_swish" if v3 else "relu6"
    return NetworkWeights(
        layer("features.0.0", "features.0.1"), activation, blocks,
        layer(f"{last}.0", f"{last}.1"), activation, [],
        options.padding or network.padding, options.epsilon or network.epsilon)


def _block(weights, layer, block, row, v3):
    name, module = f"{block}.{'block' if v3 else 'conv'}", 0
    expand = squeeze = excite = None
    if _has_expand(weights, name):
        expand, module = layer(f"{name}.0.0", f"{name}.0.1"), 1
    depthwise = layer(f"{name}.{module}.0", f"{name}.{module}.1")
    module += 1
    if f"{name}.{module}.fc1.weight" in weights:
        squeeze, excite = layer(f"{name}.{module}.fc1"), layer(f"{name}.{module}.fc2")
        module += 1
    project = layer(f"{name}.{module}.0", f"{name}.{module}.1") if v3 else \
        layer(f"{name}.{module}", f"{name}.{module + 1}")
    return BlockWeights(expand, depthwise, squeeze, excite, project, row.strides, row.activation)


def _has_expand(weights, name):
    """The first module is a 1x1 convolution, not the depthwise one."""
    return weights[f"{name}.0.0.weight"].shape[2:] == (1, 1)
