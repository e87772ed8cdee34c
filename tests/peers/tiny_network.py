"""A small network with everything the writers know, random weights in both sources' layouts, and
plain loops that run it: the reference is written without a look at bench/peers."""

import numpy

EPSILON = 1e-3
# Odd and not square; the first stride of 2 meets an odd height and an even width.
HEIGHT, WIDTH, CLASSES = 23, 18, 5

NONE = {"kind": "none", "slope": 0.0, "offset": 0.0}
RELU = {"kind": "relu", "slope": 0.0, "offset": 0.0}
RELU6 = {"kind": "relu6", "slope": 0.0, "offset": 0.0}
HARD_SIGMOID = {"kind": "hard_sigmoid", "slope": 0.1666666716337204, "offset": 0.5}
HARD_SWISH = {"kind": "hard_swish", "slope": 0.1666666716337204, "offset": 0.5}


class Tiny:
    """description: what `mobilenet-runner describe` prints; tensors: what a model file holds."""

    def __init__(self, source, seed=7):
        self.source = source
        self.random = numpy.random.default_rng(seed)
        self.rows, self.plain, self.tensors = [], [], {}
        self._layers()
        self.description = {
            "name": "tiny", "source": source, "batch_norm_epsilon": EPSILON,
            "input_shape": [HEIGHT, WIDTH, 3], "classes": CLASSES, "multiply_adds": 0,
            "parameters": 0, "layers": self.rows,
        }
        self.image = self.random.uniform(-1, 1, (HEIGHT, WIDTH, 3)).astype(numpy.float32)

    def _layers(self):
        stem = self._add("convolution", "stem", -1, 8, 3, 2, (1, 1, 1, 1), HARD_SWISH)
        first = self._add("depthwise", "depthwise", stem, 8, 3, 1, (1, 1, 1, 1), RELU6)
        first = self._add("pointwise", "project", first, 12, 1, 1, (0, 0, 0, 0), NONE)
        # With squeeze-excite and a residual.
        wide = self._add("pointwise", "expand", first, 20, 1, 1, (0, 0, 0, 0), HARD_SWISH)
        deep = self._add("depthwise", "depthwise", wide, 20, 5, 1, (2, 2, 2, 2), RELU)
        pool = self._add("global pool", "squeeze_pool", deep, 20)
        gate = self._add("fully connected", "squeeze", pool, 6, activation=RELU)
        gate = self._add("fully connected", "excite", gate, 20, activation=HARD_SIGMOID)
        deep = self._add("channel scale", "scale", deep, 20, gate=gate)
        second = self._add("pointwise", "project", deep, 12, 1, 1, (0, 0, 0, 0), NONE,
                           residual=first)
        # A residual again, so that one output is read three times; then SAME's stride of 2.
        third = self._add("pointwise", "project", second, 12, 1, 1, (0, 0, 0, 0), RELU6,
                          residual=second)
        last = self._add("depthwise", "depthwise", third, 12, 3, 2, self._same(third), RELU6)
        last = self._add("pointwise", "head", last, 24, 1, 1, (0, 0, 0, 0), HARD_SWISH)
        pool = self._add("global pool", "head_pool", last, 24)
        hidden = self._add("fully connected", "hidden", pool, 16, activation=HARD_SWISH)
        self._add("fully connected", "logits", hidden, CLASSES)

    def _same(self, index):
        pads = []
        for size in self.rows[index]["output_shape"][:2]:
            total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
            pads.append((total // 2, total - total // 2))
        (top, bottom), (left, right) = pads
        return top, left, bottom, right

    def _add(self, kind, role, source, outputs, kernel=1, stride=1, pads=(0, 0, 0, 0),
             activation=NONE, gate=-1, residual=-1):
        shape = self.rows[source]["output_shape"] if source >= 0 else [HEIGHT, WIDTH, 3]
        height = (shape[0] + pads[0] + pads[2] - kernel) // stride + 1
        width = (shape[1] + pads[1] + pads[3] - kernel) // stride + 1
        if kind == "global pool":
            height = width = 1
        name = f"layer.{len(self.rows)}"
        has_norm = kind in ("convolution", "depthwise", "pointwise")
        dense = kind == "fully connected"
        row = {
            "name": name, "batch_norm": name + ".norm" if has_norm else "", "kind": kind,
            "role": role, "input": source, "gate": gate, "residual": residual,
            "input_shape": list(shape), "output_shape": [height, width, outputs],
            "kernel": [kernel, kernel], "stride": [stride, stride], "pads": list(pads),
            "bias": dense, "activation": activation,
        }
        plain = {}
        if has_norm or dense:
            inputs = 1 if kind == "depthwise" else shape[2]
            plain["weight"] = self._normal((outputs, inputs, kernel, kernel),
                                           1.5 / numpy.sqrt(inputs * kernel * kernel))
            self._store_weight(name, kind, role, plain["weight"])
        if dense:
            plain["bias"] = self._normal(outputs, 0.3)
            self._store(name, "/bias", ".bias", plain["bias"])
        if has_norm:
            plain["norm"] = (self.random.uniform(0.5, 1.5, outputs).astype(numpy.float32),
                             self._normal(outputs, 0.3), self._normal(outputs, 0.3),
                             self.random.uniform(0.5, 1.5, outputs).astype(numpy.float32))
            for values, keras, torch in zip(
                    plain["norm"], ("/gamma", "/beta", "/moving_mean", "/moving_variance"),
                    (".weight", ".bias", ".running_mean", ".running_var")):
                self._store(name + ".norm", keras, torch, values)
        self.rows.append(row)
        self.plain.append(plain)
        return len(self.rows) - 1

    def _normal(self, shape, scale):
        return (self.random.standard_normal(shape) * scale).astype(numpy.float32)

    def _store(self, name, keras, torch, values):
        self.tensors[name + (keras if self.source == "keras" else torch)] = values

    def _store_weight(self, name, kind, role, weight):
        if self.source == "keras":
            order = (2, 3, 0, 1) if kind == "depthwise" else (2, 3, 1, 0)
            weight = weight.transpose(order)
        elif role in ("hidden", "logits"):
            weight = weight[:, :, 0, 0]
        self._store(name, "/kernel", ".weight", numpy.ascontiguousarray(weight))

    def logits(self, parameters=None):
        """In double precision.  parameters: a dictionary for each layer, with "weight", "bias" and
        "norm" if it has them; by default its own, where batch norm is not folded."""
        outputs = []
        for row, plain in zip(self.rows, parameters or self.plain):
            x = outputs[row["input"]] if row["input"] >= 0 else self.image.astype(numpy.float64)
            if row["kind"] == "global pool":
                y = x.mean((0, 1), keepdims=True)
            elif row["kind"] == "channel scale":
                y = x * outputs[row["gate"]]
            else:
                y = _convolve(x, row, plain)
            if row["residual"] >= 0:
                y = y + outputs[row["residual"]]
            outputs.append(_activate(y, row["activation"]["kind"]))
        return outputs[-1].reshape(-1)


def _convolve(x, row, plain):
    top, left, bottom, right = row["pads"]
    x = numpy.pad(x, ((top, bottom), (left, right), (0, 0)))
    height, width, outputs = row["output_shape"]
    size, stride = row["kernel"][0], row["stride"][0]
    weight = plain["weight"].astype(numpy.float64)
    y = numpy.empty((height, width, outputs))
    for i in range(height):
        for j in range(width):
            window = x[i * stride:i * stride + size, j * stride:j * stride + size]
            for o in range(outputs):
                inputs = window[:, :, o:o + 1] if row["kind"] == "depthwise" else window
                y[i, j, o] = (inputs * weight[o].transpose(1, 2, 0)).sum()
    y += plain.get("bias", 0)
    if "norm" in plain:
        gamma, beta, mean, variance = (v.astype(numpy.float64) for v in plain["norm"])
        y = gamma * (y - mean) / numpy.sqrt(variance + EPSILON) + beta
    return y


def _activate(x, kind):
    gate = numpy.clip(x / 6 + 0.5, 0, 1)
    return {"none": x, "relu": numpy.maximum(x, 0), "relu6": numpy.clip(x, 0, 6),
            "hard_sigmoid": gate, "hard_swish": x * gate}[kind]
