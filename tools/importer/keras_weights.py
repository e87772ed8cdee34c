"""Keras's weights without a model: which network they are is known by their number, order and
shapes."""
from .assemble import BlockWeights, NetworkWeights, Weights, assemble
from .errors import ImportFailure
from .table import FAMILIES

_PADDING = "same"


class _Layers:
    """Layers with weights, by class and in order: convolutions, depthwise, batch norm, dense."""

    def __init__(self, layers):
        """layers: [(name, kind, {parameter: array})], kind one of the four."""
        self.queues = {"conv2d": [], "depthwise_conv2d": [], "batch_normalization": [],
                       "dense": []}
        for name, kind, parameters in layers:
            self.queues[kind].append((name, parameters))

    def count(self, kind):
        return len(self.queues[kind])

    def peek(self, kind):
        return self.queues[kind][0][1] if self.queues[kind] else None

    def take(self, kind, batch_norm=False):
        name, parameters = self._next(kind)
        weight, bias = parameters["kernel"], parameters.get("bias")
        if kind == "conv2d":
            weight = weight.transpose(3, 2, 0, 1)
        elif kind == "depthwise_conv2d":
            weight = weight.transpose(2, 3, 0, 1)
        else:
            weight = weight.T
        statistics = None
        if batch_norm:
            _, norm = self._next("batch_normalization")
            statistics = tuple(norm[p] for p in ("gamma", "beta", "moving_mean",
                                                 "moving_variance"))
        return Weights(name, weight, bias, statistics)

    def _next(self, kind):
        if not self.queues[kind]:
            raise ImportFailure(f"not the weights of a MobileNet: there are not enough {kind} "
                                "layers")
        return self.queues[kind].pop(0)


def identify(name, shapes):
    """(kind, parameters' names) of a layer by the shapes of its arrays, in Keras's order."""
    ranks = [len(shape) for shape in shapes]
    if ranks == [1, 1, 1, 1]:
        return "batch_normalization", ("gamma", "beta", "moving_mean", "moving_variance")
    if ranks in ([4], [4, 1]):
        depthwise = "depthwise" in name or "_dw_" in name or \
            shapes[0][3] == 1 and shapes[0][0] > 1
        return ("depthwise_conv2d" if depthwise else "conv2d"), ("kernel", "bias")[:len(ranks)]
    if ranks in ([2], [2, 1]):
        return "dense", ("kernel", "bias")[:len(ranks)]
    raise ImportFailure(f"{name}: arrays of shapes {[list(shape) for shape in shapes]} are no "
                        "layer of a MobileNet")


def network(layers, options):
    """(output of the graph, name of the family, notes)."""
    layers = _Layers(layers)
    family = {len(rows): name for name, rows in FAMILIES.items()}.get(
        layers.count("depthwise_conv2d"))
    if family is None:
        raise ImportFailure("not the weights of a MobileNet: it has "
                            f"{layers.count('depthwise_conv2d')} depthwise convolutions, expected "
                            + ", ".join(f"{len(rows)} ({name})" for name, rows in FAMILIES.items()))
    rows = FAMILIES[family]
    article = family == "mobilenet_v3_small" and "bias" in (layers.peek("conv2d") or {})
    v3 = family.startswith("mobilenet_v3")
    minimal = v3 and not article and all(
        parameters["kernel"].shape[:2] == (3, 3)
        for _, parameters in layers.queues["depthwise_conv2d"])
    modern = "relu6" if not v3 else "relu" if minimal else "hard_swish"
    stem = layers.take("conv2d", True)
    blocks = [_block(layers, row, article, minimal) for row in rows]
    head = layers.take("conv2d", True) if family != "mobilenet_v1" else None
    notes = []
    dense = _classifier(layers, v3, modern, options, notes)
    if layers.count("batch_normalization"):
        raise ImportFailure(f"{layers.queues['batch_normalization'][0][0]}: a batch norm too many; "
                            "import the whole model instead of its weights")
    padding = options.padding or _PADDING
    if family in ("mobilenet_v1", "mobilenet_v2") and not options.padding:
        notes.append("taken for granted: keras.applications' padding (the article's v2 has "
                     "--padding symmetric, its v1 --padding same)")
    found = NetworkWeights(stem, modern, blocks, head, modern, dense,
                           "symmetric" if padding == "symmetric" else "same",
                           options.epsilon or 1e-3)
    if article:
        found.squeeze_activation, found.gate = "relu6", "hard_swish"
    trailing = family == "mobilenet_v1" and options.padding is None or padding == "trailing"
    return assemble(found), "trailing" if trailing else padding, notes


def _block(layers, row, article, minimal):
    activation = row.activation
    if article and activation == "relu":
        activation = "relu6"
    if minimal:
        activation = "relu"
    expand = layers.take("conv2d", True) if row.expand or article else None
    depthwise = layers.take("depthwise_conv2d", True)
    squeeze = excite = None
    if row.squeeze and not minimal:
        kind = "dense" if article else "conv2d"
        squeeze, excite = layers.take(kind), layers.take(kind)
    project = layers.take("conv2d", True)
    return BlockWeights(expand, depthwise, squeeze, excite, project, row.strides, activation,
                        row.separable)


def _classifier(layers, v3, modern, options, notes):
    """The convolutions that are left, then the dense layers; all have a bias."""
    dense, between = [], options.hidden_activation or "relu"
    convolutions = layers.count("conv2d")
    while layers.count("conv2d"):
        dense.append([layers.take("conv2d"), modern])
    while layers.count("dense"):
        dense.append([layers.take("dense"), between])
    hidden = dense[:-1]
    if any(index >= (convolutions if v3 else 0) for index in range(len(hidden))):
        notes.append(f"taken for granted: {between} between the classifier's layers "
                     "(--hidden-activation)")
    if dense:
        dense[-1][1] = "none"
    return [tuple(item) for item in dense]
