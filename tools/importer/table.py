"""A network's table, as a model file's metadata `architecture` has it, and the tensors it names."""
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from .graph import Activation


def make_divisible(channels):
    """The nearest multiple of 8, never below 90 % of the channels asked for."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


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


def _read(table):
    """A table of the JSON that to_json writes."""
    def rows():
        for row in table["rows"]:
            yield Row(row["kernel"], tuple(row["strides"]), row.get("expand", 0), row["channels"],
                      row.get("squeeze", 0), row["activation"], row.get("kind") == "separable")

    stem, head = table["stem"], table.get("head")
    result = Table(stem["channels"], tuple(stem["strides"]), stem["activation"], list(rows()),
                   head=head and (head["channels"], head["activation"]),
                   hidden=[(h["channels"], h["activation"]) for h in table.get("hidden", ())])
    if "gate" in table:
        result.squeeze_activation = table["squeeze_activation"]
        gate = table["gate"]
        result.gate = Activation(gate["activation"])
        if "slope" in gate:
            result.gate = Activation(gate["activation"], gate["slope"], gate["offset"])
    return result


# The library's tables at width 1: `mobilenet count --table` writes them.
TABLES = {name: _read(table) for name, table in
          json.loads(Path(__file__).with_name("networks.json").read_text()).items()}

# The networks that others are variants of.
FAMILIES = {name: TABLES[name].rows for name in
            ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")}


class Tensors(dict):
    """Name -> float32 array, named as docs/model-format.md says for tables."""

    def convolution(self, name, weight, bias):
        self[f"{name}.weight"] = numpy.ascontiguousarray(weight, numpy.float32)
        self[f"{name}.bias"] = numpy.ascontiguousarray(bias, numpy.float32)
