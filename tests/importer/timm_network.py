"""Small networks with timm's names: the operations, and the state dictionary."""
import json
import struct

import numpy

import small_network
from small_network import Conv, Dense, Pool


def safetensors(arrays):
    header, body = {}, b""
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


class Names:
    """Collects timm's names for the operations of a small network."""

    def __init__(self):
        self.arrays = {}

    def conv(self, op, name, norm=None):
        self.arrays[f"{name}.weight"] = op.weight
        if op.bias is not None:
            self.arrays[f"{name}.bias"] = op.bias
        if norm is not None:
            for parameter, field in (("weight", "gamma"), ("bias", "beta"),
                                     ("running_mean", "mean"), ("running_var", "variance")):
                self.arrays[f"{norm}.{parameter}"] = getattr(op.norm, field)
            self.arrays[f"{norm}.num_batches_tracked"] = numpy.zeros((), numpy.float32)


def build(stages, stem, stem_activation, head, hidden, padding, epsilon, size=64, rw=False):
    """(operations, state dict).  stages: [[(kernel, expand, channels, squeeze, stride,
    activation)]]; hidden: units of conv_head behind the pool, 0: conv_head is the head; rw: what
    mobilenetv3_rw has, its conv_head without a bias among it."""
    m, names = small_network.Maker(size, size, padding), Names()
    x = m.conv("stem", "image", stem, 3, (2, 2))
    x = m.act(x, stem_activation)
    labels = [("stem", "conv_stem", "bn1")]
    for s, stage in enumerate(stages):
        for b, (kernel, expand, channels, squeeze, stride, activation) in enumerate(stage):
            name, timm_name = f"s{s}b{b}", f"blocks.{s}.{b}"
            x = m.block(name, x, channels, kernel, expand, (stride, stride), squeeze, activation,
                        inner=activation if rw else RE, residual=bool(expand) or not rw)
            if expand:
                labels += [(f"{name}_expand", f"{timm_name}.conv_pw", f"{timm_name}.bn1"),
                           (f"{name}_depthwise", f"{timm_name}.conv_dw", f"{timm_name}.bn2"),
                           (f"{name}_project", f"{timm_name}.conv_pwl", f"{timm_name}.bn3")]
            else:
                labels += [(f"{name}_depthwise", f"{timm_name}.conv_dw", f"{timm_name}.bn1"),
                           (f"{name}_project", f"{timm_name}.conv_pw", f"{timm_name}.bn2")]
            if squeeze:
                labels += [(f"{name}_squeeze", f"{timm_name}.se.conv_reduce", None),
                           (f"{name}_excite", f"{timm_name}.se.conv_expand", None)]
    x = m.act(m.conv("head", x, head), stem_activation)
    labels.append(("head", f"blocks.{len(stages)}.0.conv", f"blocks.{len(stages)}.0.bn1")
                  if hidden else ("head", "conv_head", "bn2"))
    x = m.put(Pool("pool", x), (head, 1, 1))
    if hidden:
        x = m.conv("hidden", x, hidden, bias=True, norm=False)
        if rw:
            m.operations[-1] = m.operations[-1]._replace(bias=None)
        x = m.act(x, stem_activation)
        labels.append(("hidden", "conv_head", None))
    m.dense("classifier", x, 6)
    return named(m.operations, labels, names, epsilon)


def named(operations, labels, names, epsilon):
    """With that epsilon: (operations, state dict).  labels: [(operation, its name, its norm's)]"""
    operations = [op._replace(norm=op.norm._replace(epsilon=epsilon))
                  if isinstance(op, Conv) and op.norm is not None else op for op in operations]
    by_name = {op.name: op for op in operations if isinstance(op, (Conv, Dense))}
    for op, name, norm in labels:
        names.conv(by_name[op], name, norm)
    names.arrays["classifier.weight"] = by_name["classifier"].weight
    names.arrays["classifier.bias"] = by_name["classifier"].bias
    return operations, names.arrays


RE, HS = "relu", "hard_swish"


def small_v3(modern=HS, squeeze=True, kernel=5, **options):
    """Howard et al. 2019, table 2, at about width 0.2."""
    se = (lambda units: units) if squeeze else (lambda units: 0)
    k = kernel
    stages = [[(3, 0, 8, se(8), 2, RE)],
              [(3, 16, 8, 0, 2, RE), (3, 24, 8, 0, 1, RE)],
              [(k, 24, 8, se(8), 2, modern), (k, 48, 8, se(16), 1, modern),
               (k, 48, 8, se(16), 1, modern)],
              [(k, 24, 16, se(8), 1, modern), (k, 32, 16, se(8), 1, modern)],
              [(k, 56, 24, se(16), 2, modern), (k, 112, 24, se(32), 1, modern),
               (k, 112, 24, se(32), 1, modern)]]
    return build(stages, 8, modern, 144, 40, **options)


def small_rw(**options):
    """mobilenetv3_rw at about width 0.2: quarters are not rounded."""
    stages = [[(3, 0, 8, 0, 1, RE)],
              [(3, 16, 8, 0, 2, RE), (3, 24, 8, 0, 1, RE)],
              [(5, 24, 8, 6, 2, RE), (5, 24, 8, 6, 1, RE), (5, 24, 8, 6, 1, RE)],
              [(3, 48, 16, 0, 2, HS), (3, 40, 16, 0, 1, HS), (3, 40, 16, 0, 1, HS),
               (3, 40, 16, 0, 1, HS)],
              [(3, 96, 24, 24, 1, HS), (3, 144, 24, 36, 1, HS)],
              [(5, 144, 32, 36, 2, HS), (5, 192, 32, 48, 1, HS), (5, 192, 32, 48, 1, HS)]]
    return build(stages, 8, HS, 192, 40, rw=True, **options)


def small_v1(head=0, activation="relu6", channels=3, **options):
    """Howard et al. 2017, table 1, at about width 0.1; head: of mobilenetv1_100h."""
    m = small_network.Maker(64, 64, options["padding"], channels=channels)
    names = Names()
    x = m.act(m.conv("stem", "image", 8, 3, (2, 2)), activation)
    labels = [("stem", "conv_stem", "bn1")]
    for s, (repeat, channels, stride) in enumerate(
            ((1, 8, 1), (2, 16, 2), (2, 24, 2), (6, 48, 2), (2, 104, 2))):
        for b in range(repeat):
            name, timm_name = f"s{s}b{b}", f"blocks.{s}.{b}"
            strides = (stride, stride) if b == 0 else (1, 1)
            x = m.act(m.conv(f"{name}_depthwise", x, m.shapes[x][0], 3, strides, depthwise=True),
                      activation)
            x = m.act(m.conv(f"{name}_project", x, channels), activation)
            labels += [(f"{name}_depthwise", f"{timm_name}.conv_dw", f"{timm_name}.bn1"),
                       (f"{name}_project", f"{timm_name}.conv_pw", f"{timm_name}.bn2")]
    if head:
        x = m.act(m.conv("head", x, head), activation)
        labels.append(("head", "conv_head", "bn2"))
    m.put(Pool("pool", x), (m.shapes[x][0], 1, 1))
    m.dense("classifier", "pool", 6)
    return named(m.operations, labels, names, options["epsilon"])


def small_v2(**options):
    """Sandler et al. 2018, table 2, at width 0.1."""
    six = "relu6"
    stages = [[(3, 0, 8, 0, 1, six)]]
    for repeat, channels, stride in ((2, 8, 2), (3, 8, 2), (4, 8, 2), (3, 16, 1), (3, 16, 2),
                                     (1, 32, 1)):
        rows = []
        for index in range(repeat):
            inputs = rows[-1][2] if rows else stages[-1][-1][2]
            rows.append((3, 6 * inputs, channels, 0, stride if index == 0 else 1, six))
        stages.append(rows)
    return build(stages, 8, six, 48, 0, **options)
