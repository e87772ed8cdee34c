"""The fully connected layers behind a network whose file has no graph."""
from . import facts
from .assemble import Weights
from .errors import ImportFailure


def attach(network, layers, channels, found, options, default="relu", usual=()):
    """Appends fully connected layers to network.dense.  layers: [Weights], in the order of the file;
    channels: of what they read; default: the activation between them, where nobody says; usual: the
    names of layers that are known to have it.  Returns (kind of probabilities or None, notes)."""
    ordered = _chain([_flat(weights) for weights in layers], channels)
    names = [weights.name for weights in ordered]
    said, final = facts.between(found.weights.modules, names)
    notes, taken = [], None
    for weights, activation in zip(ordered, said):
        if options.hidden_activation:
            activation = options.hidden_activation
        elif activation is None:
            activation = default
            if tuple(names) != tuple(usual):
                taken = activation
        network.dense.append((weights, activation))
    network.dense += [(weights, "none") for weights in ordered[-1:]]
    if taken:
        notes.append(f"taken for granted: {taken} between the classifier's layers "
                     "(--hidden-activation)")
    return final, notes


def of_tensors(found, values):
    """The layers beside the network, as Weights.  values(tensor) -> floats."""
    return [Weights(name, values(weight), None if bias is None else values(bias))
            for name, weight, bias in found.outside]


def _flat(weights):
    if weights.weight.ndim == 4 and weights.weight.shape[2:] == (1, 1):
        weights.weight = weights.weight.reshape(weights.weight.shape[:2])
    return weights


def _chain(layers, channels):
    """In the order in which each takes what the one before gives."""
    left, ordered = list(layers), []
    while left:
        fitting = [weights for weights in left
                   if weights.weight.ndim == 2 and weights.weight.shape[1] == channels]
        if not fitting:
            raise ImportFailure(f"{left[0].name}: weights {list(left[0].weight.shape)}, but what is "
                                f"before it has {channels} channels")
        ordered.append(fitting[0])
        left.remove(fitting[0])
        channels = fitting[0].weight.shape[0]
    return ordered
