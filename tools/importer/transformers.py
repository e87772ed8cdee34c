"""MobileNetV1 and MobileNetV2 of transformers by their tensors' names: TensorFlow's weights, with its
padding, epsilon and background class."""
from . import classifier, facts, said, torch_runtime
from . import imported as result
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .structure import recognise
from .table import FAMILIES


class _Tensors:
    def __init__(self, tensors):
        self.tensors, self.left = tensors, set(tensors)

    def __contains__(self, name):
        return f"{name}.convolution.weight" in self.tensors

    def get(self, name):
        if name not in self.tensors:
            raise ImportFailure(f"nearest to a MobileNet of transformers, but {name} is missing")
        self.left.discard(name)
        return self.tensors[name].floats()

    def layer(self, name):
        weight, norm = f"{name}.convolution", f"{name}.normalization"
        return Weights(weight, self.get(f"{weight}.weight"), None, tuple(
            self.get(f"{norm}.{p}") for p in ("weight", "bias", "running_mean", "running_var")),
            norm)


def read(found, about, options):
    tensors = _Tensors(found.weights.tensors)
    v2 = "conv_stem.first_conv" in tensors
    name = "mobilenet_v2" if v2 else "mobilenet_v1"
    if about.output_stride not in (None, 32):
        raise ImportFailure(f"an output stride of {about.output_stride}: its convolutions are dilated, "
                            "which MobileNets are not")
    activation = options.activation or facts.activation(found.weights.modules, "classifier") \
        or about.activation or "relu6"
    if activation not in ("relu", "relu6"):
        raise ImportFailure(f"config.json: hidden_act {activation}, expected relu or relu6")
    blocks = []
    for index, row in enumerate(FAMILIES[name]):
        if not v2:
            parts = (None, tensors.layer(f"layer.{2 * index}"), tensors.layer(f"layer.{2 * index + 1}"))
        else:
            block = f"layer.{index - 1}" if index else "conv_stem"
            expand = tensors.layer(f"{block}.expand_1x1") if f"{block}.expand_1x1" in tensors else None
            parts = (expand, tensors.layer(f"{block}.conv_3x3"), tensors.layer(f"{block}.reduce_1x1"))
        blocks.append(BlockWeights(parts[0], parts[1], None, None, parts[2], row.strides, activation,
                                   separable=not v2))
    stem = tensors.layer("conv_stem.first_conv" if v2 else "conv_stem")
    head = tensors.layer("conv_1x1") if v2 else None
    if tensors.left:
        raise ImportFailure(f"nearest to a {name} of transformers, but {min(tensors.left)} is not a "
                            "tensor of that network")
    padding = "symmetric" if about.tensorflow is False else "same"
    network = NetworkWeights(stem, activation, blocks, head, activation, [],
                             options.padding or padding,
                             options.epsilon or about.epsilon or 1e-3)
    facts.apply(network, found.weights.modules, options)
    layers = classifier.of_tensors(found, lambda tensor: tensor.floats())
    last = head or blocks[-1].project
    final, notes = classifier.attach(network, layers, last.weight.shape[0], found, options)
    # MobileNetV1Model and MobileNetV2Model end with the pool.
    height, width = options.resolution or about.resolution or (224, 224)
    structure = recognise(assemble(network), height, width)
    structure.padding = network.padding
    imported = result.from_structure(structure, "transformers", height, width)
    imported.probabilities = final
    about.complete(imported, options, said.Said(mean=said.HALF, std=said.HALF))
    imported.notes += notes
    if not about.by_config and not found.weights.modules:
        imported.notes.append(f"taken for granted: {network.padding} padding, batch norm epsilon "
                              f"{network.epsilon:g} (--padding, --epsilon)")
    if imported.classes == 1001 and not imported.labels:
        imported.notes.append("1001 classes: the first is the background")
    imported.make_reference = lambda: torch_runtime.transformers(found, imported, network)
    return imported
