"""What a whole module says of its layers, where a state dict leaves it to be taken for granted:
strides, padding, epsilon of batch norm, activations."""
from .errors import ImportFailure

_ACTIVATIONS = {"ReLU": "relu", "ReLU6": "relu6", "Hardswish": "hard_swish", "HardSwish": "hard_swish",
                "HardSwishMe": "hard_swish", "Hardsigmoid": "hard_sigmoid",
                "HardSigmoid": "hard_sigmoid"}
_OTHERS = ("SiLU", "Swish", "PReLU", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "Mish", "Tanh",
           "Softplus")
_FINAL = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid",
          "LogSigmoid": "sigmoid"}


def apply(network, modules, options):
    """Puts what `modules`, {name: module.Module}, say into the NetworkWeights.  True if something of
    it was not as it was taken."""
    before = _assumed(network)
    for weights, block in network.layers():
        norm = modules.get(weights.norm_name)
        epsilon = norm.get("eps") if norm else None
        if type(epsilon) is float and epsilon > 0 and not options.epsilon:
            weights.epsilon = epsilon
        layer = modules.get(weights.name)
        if layer is None:
            continue
        if layer.pair("dilation") not in (None, (1, 1)):
            raise ImportFailure(f"{weights.name}: dilated by {list(layer.pair('dilation'))}, which "
                                "MobileNets are not")
        strides = layer.pair("stride")
        if strides is None:
            continue
        if weights is network.stem:
            network.stem_strides = strides
        elif block is not None and weights is block.depthwise:
            block.strides = strides
        elif strides != (1, 1):
            raise ImportFailure(f"{weights.name}: a 1x1 convolution with strides {list(strides)}")
    if not options.padding:
        network.padding = _padding(network, modules) or network.padding
    return _assumed(network) != before


def _assumed(network):
    return (network.stem_strides, network.padding, [block.strides for block in network.blocks],
            {weights.epsilon or network.epsilon for weights, _ in network.layers()})


def _padding(network, modules):
    """By the layers that stride: at stride 1 both kinds are the same."""
    found = set()
    for weights, _ in network.layers():
        layer = modules.get(weights.name)
        kernel = weights.weight.shape[2:]
        if layer is None or len(kernel) != 2 or max(kernel) == 1:
            continue
        pads, strides = layer.pair("padding"), layer.pair("stride")
        if strides == (1, 1):
            continue
        if layer.kind.endswith("Same") or layer.get("padding") == "same" or pads == (0, 0):
            found.add("same")
        elif pads == tuple((side - 1) // 2 for side in kernel):
            found.add("symmetric")
        elif pads is not None:
            raise ImportFailure(f"{weights.name}: pads by {list(pads)}, which MobileNets do not")
    if len(found) > 1:
        raise ImportFailure("some of its layers pad as TensorFlow does, some symmetrically")
    return found.pop() if found else None


def between(modules, dense):
    """Activations behind each of the fully connected layers of that names but the last, None where
    they are not known; and the output's kind of probabilities, None if there is none."""
    order = [name for name in modules if name]
    places = [order.index(name) if name in modules else None for name in dense]
    found = []
    for (begin, end), name in zip(zip(places, places[1:]), dense):
        kinds = [] if begin is None or end is None else [
            modules[other].kind for other in order[begin + 1:end]]
        known = [_ACTIVATIONS[kind] for kind in kinds if kind in _ACTIVATIONS]
        strange = [kind for kind in kinds if kind in _OTHERS or kind in _FINAL]
        if strange:
            raise ImportFailure(f"{strange[0]} between {name} and the layer behind it: not one of the "
                                "activations that the library has")
        parent = modules.get(name.rpartition(".")[0])
        alone = parent is not None and parent.kind == "Sequential" and begin is not None
        found.append(known[0] if len(known) == 1 else "none" if alone and not known else None)
    last = places[-1] if places else None
    final = [_FINAL[modules[name].kind] for name in order[last + 1:]
             if modules[name].kind in _FINAL] if last is not None else []
    return found, (final[0] if final else None)


def activation(modules, until):
    """relu or relu6, if the layers before that one use only one of the two; None if it is not known."""
    kinds = set()
    for name, module in modules.items():
        if name == until:
            break
        if module.kind in _OTHERS:
            raise ImportFailure(f"{name or module.kind}: the activation {module.kind} is none of ReLU, "
                                "ReLU6, hard-swish")
        kinds.add(_ACTIVATIONS.get(module.kind))
    kinds &= {"relu", "relu6"}
    return kinds.pop() if len(kinds) == 1 else None
