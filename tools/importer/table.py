"""A network's table, as a model file's metadata `architecture` has it, and the tensors it names."""
import json
from dataclasses import dataclass, field

import numpy

from .graph import Activation
from .networks import V2_ROWS, V3_LARGE_ROWS, V3_SMALL_ROWS, make_divisible


@dataclass
class Row:
    kernel: int
    strides: tuple
    expand: int        # 0: no expand layer
    channels: int
    squeeze: int       # 0: no squeeze-excite
    activation: str
    separable: bool = False
    residual: bool = True  # the input is added where strides and channels allow it
    squeeze_activation: str = None  # None: the table's


@dataclass
class Table:
    stem_channels: int
    stem_strides: tuple
    stem_activation: str
    rows: list = field(default_factory=list)
    squeeze_activation: str = "relu"
    gate: Activation = field(default_factory=lambda: Activation("hard_sigmoid"))
    head: tuple = None       # (channels, activation)
    max_pool: tuple = None   # (window, stride)
    pool: str = "average"    # the global pool: average or max
    hidden: list = field(default_factory=list)  # (channels, activation)
    logits: bool = True      # False: it ends with the hidden layers, or the pool

    def to_json(self):
        gate = {"activation": self.gate.kind}
        if self.gate.kind == "hard_sigmoid":
            gate.update(slope=self.gate.slope, offset=self.gate.offset)
        table = {
            "stem": {"channels": self.stem_channels, "strides": list(self.stem_strides),
                     "activation": self.stem_activation},
            "rows": [self._row_json(row) for row in self.rows],
            "squeeze_activation": self.squeeze_activation, "gate": gate, "batch_norm": False}
        if self.head:
            table["head"] = {"channels": self.head[0], "activation": self.head[1]}
        if self.max_pool:
            table["max_pool"] = {"window": self.max_pool[0], "stride": self.max_pool[1]}
        if self.pool != "average":
            table["pool"] = self.pool
        if self.hidden:
            table["hidden"] = [{"channels": channels, "activation": activation}
                               for channels, activation in self.hidden]
        if not self.logits:
            table["logits"] = False
        return json.dumps(table, separators=(",", ":"))

    def _row_json(self, row):
        result = {"kernel": row.kernel, "strides": list(row.strides), "channels": row.channels,
                  "activation": row.activation}
        if row.separable:
            result["kind"] = "separable"
        if row.expand:
            result["expand"] = row.expand
        if row.squeeze:
            result["squeeze"] = row.squeeze
            if row.squeeze_activation not in (None, self.squeeze_activation):
                result["squeeze_activation"] = row.squeeze_activation
        if not row.residual:
            result["residual"] = False
        return result

    def family(self):
        """(the network that it is or varies, whether it is exactly that one at some width, the
        width or None)."""
        shape = [(row.kernel, row.separable, bool(row.squeeze)) for row in self.rows]
        for name, rows in FAMILIES.items():
            if len(rows) != len(shape):
                continue
            if shape in ([(r.kernel, r.separable, bool(r.squeeze)) for r in rows],
                         [(3, r.separable, False) for r in rows]):
                if name == "mobilenet_v3_small" and self.gate.kind == "hard_swish":
                    name = "mobilenet_v3_small_article"
                return name, self._width(rows)
        if all(row.separable for row in self.rows):
            return "mobilenet_v1_variant", None
        modern = any(row.squeeze or row.activation == "hard_swish" for row in self.rows)
        return ("mobilenet_v3_variant" if modern else "mobilenet_v2_variant"), None

    def _width(self, rows):
        """The width multiplier by the rows' channels, in hundredths, or None.  Many give the same:
        the one that expands as the file does, and is roundest."""
        wanted = [row.channels for row in self.rows]
        expanded = [row.expand for row in self.rows if row.expand]

        def matches(width):
            return wanted in ([make_divisible(row.channels * width) for row in rows],
                              [int(row.channels * width) for row in rows],
                              [make_divisible(int(row.channels * width)) for row in rows])

        def rank(hundredths):
            expands = [make_divisible(row.expand * hundredths / 100) for row in rows if row.expand]
            return (expands != expanded[-len(expands):], hundredths % 100 != 0,
                    hundredths % 25 != 0, hundredths % 5 != 0)
        found = [n for n in range(10, 401) if matches(n / 100)]
        return min(found, key=rank) / 100 if found else None


def _v1():
    rows = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
            (1024, 2), (1024, 1))
    return [Row(3, (stride, stride), 0, channels, 0, "relu6", True) for channels, stride in rows]


def _v2():
    rows, inputs = [], 32
    for expansion, channels, repeat, stride in V2_ROWS:
        for index in range(repeat):
            s = stride if index == 0 else 1
            expand = expansion * inputs if expansion > 1 else 0
            rows.append(Row(3, (s, s), expand, channels, 0, "relu6"))
            inputs = channels
    return rows


def _v3(rows, strides):
    result, inputs = [], 16
    for index, (kernel, expanded, channels, squeeze) in enumerate(rows):
        stride = 2 if index in strides else 1
        activation = "relu" if index < (6 if len(rows) == 15 else 3) else "hard_swish"
        result.append(Row(kernel, (stride, stride), expanded if expanded != inputs else 0, channels,
                          make_divisible(expanded / 4) if squeeze else 0, activation))
        inputs = channels
    return result


def _families():
    return {"mobilenet_v1": _v1(), "mobilenet_v2": _v2(),
            "mobilenet_v3_small": _v3(V3_SMALL_ROWS, (0, 1, 3, 8)),
            "mobilenet_v3_large": _v3(V3_LARGE_ROWS, (1, 3, 6, 12))}


FAMILIES = _families()


class Tensors(dict):
    """Name -> float32 array, named as docs/model-format.md says for tables."""

    def convolution(self, name, weight, bias):
        self[f"{name}.weight"] = numpy.ascontiguousarray(weight, numpy.float32)
        self[f"{name}.bias"] = numpy.ascontiguousarray(bias, numpy.float32)
