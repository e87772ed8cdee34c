"""Random networks of the family that tables can say (docs/model-format.md), from a seed."""
import numpy

from small_network import Maker, MaxPool, Pool

GATES = "hard_sigmoid", "hard_sigmoid_0.2"
ACTIVATIONS = "relu", "relu6", "hard_swish"
STRIDES = ((1, 1), (1, 1), (2, 2), (2, 1), (1, 2))


def network(seed, channels=None, **fixed):
    """(operations, [height,width,channels]): any kernels, strides, widths, activations and sizes, odd
    and not square; with or without batch norm, squeeze-excite, residuals, a head, a max pool, hidden
    layers.  fixed: of padding, norms, gate, maximum, those that a format or a runtime restricts."""
    random = numpy.random.default_rng(seed)

    def one_of(values):
        return values[random.integers(len(values))]

    def perhaps(part=0.5):
        return bool(random.random() < part)

    channels = channels or one_of((3, 3, 3, 1, 4, 2))
    height, width = (int(size) for size in random.integers(32, 97, 2))
    chosen = {"padding": one_of(("same", "symmetric")), "norms": perhaps(), "gate": one_of(GATES),
              "maximum": perhaps(0.15)} | fixed
    family = one_of(("v1", "v2", "v3"))
    activation = one_of(ACTIVATIONS)
    m = Maker(height, width, chosen["padding"], chosen["norms"], seed, channels)
    x = m.act(m.conv("stem", "image", int(random.integers(1, 33)), 3, one_of(STRIDES)), activation)
    for row in range(random.integers(1, 6)):
        name, outputs = f"b{row}", int(random.integers(1, 49))
        kernel, strides = one_of((3, 3, 5)), one_of(STRIDES)
        inputs = m.shapes[x][0]
        if family != "v1" and strides == (1, 1) and perhaps():
            outputs = inputs  # a residual
        kind = one_of(ACTIVATIONS) if family == "v3" else activation
        squeeze = int(random.integers(1, 17)) if family == "v3" and perhaps() else 0
        expand = int(random.integers(1, 97)) if family != "v1" and perhaps(0.8) else 0
        x = m.block(name, x, outputs, kernel, expand, strides, squeeze, kind, chosen["gate"],
                    residual=family != "v1")
        if family == "v1":
            x = m.act(x, kind)
    if perhaps():
        x = m.act(m.conv("head", x, int(random.integers(1, 97))), one_of(ACTIVATIONS))
    planes, rows, columns = m.shapes[x]
    if min(rows, columns) >= 4 and perhaps(0.25):
        x = m.put(MaxPool("maxpool", x, 2, 2), (planes, rows // 2, columns // 2))
    x = m.put(Pool("pool", x, chosen["maximum"]), (planes, 1, 1))
    for layer in range(random.integers(0, 3)):
        x = m.act(m.dense(f"hidden{layer}", x, int(random.integers(2, 65))), one_of(ACTIVATIONS))
    m.dense("logits", x, int(random.integers(2, 101)))
    return m.operations, [height, width, channels]
