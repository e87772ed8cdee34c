"""The integer networks of docs/model-format.md in numpy, by the definitions of
include/mobilenet/q8.h: an independent twin of the library's, plain and slow.

Bytes are unsigned here: signed ones plus 128, the origin.
"""

import json
import struct

import numpy as np

DTYPES = {"F32": "<f4", "F64": "<f8", "I8": "i1", "U8": "u1", "I32": "<i4"}


def read(path):
    """({name: array}, metadata) of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__")
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
    }, metadata


# ---- Rescaling ----


def wrap(x):
    """Modulo 2^32, as int64."""
    return (np.asarray(x, np.int64) + 2**31) % 2**32 - 2**31


def srdhm(a, b):
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 2**30, 1 - 2**30)
    return np.minimum(np.sign(nudged) * (np.abs(nudged) >> 31), 2**31 - 1)


def rdbpot(a, shift):
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return np.sign(a) * ((np.abs(a) + half) >> shift)


def by_fixed_point(x, multiplier, shift):
    left, right = np.maximum(shift, 0), np.maximum(-np.asarray(shift, np.int64), 0)
    return rdbpot(srdhm(wrap(np.asarray(x, np.int64) << left), multiplier), right)


def away(x):
    """To the nearest whole number, halves away from zero."""
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def rescale(x, multiplier):
    """Sums times what a file's `multiplier` says, one for all or one for each of the last axis."""
    if multiplier.dtype == np.float32:
        product = np.rint(x.astype(np.float32) * multiplier)
    elif multiplier.dtype == np.float64:
        product = away(x.astype(np.float64) * multiplier)
    else:
        product = by_fixed_point(x, *multiplier.astype(np.int64).T)
    return np.clip(product.astype(np.float64), -(2.0**40), 2.0**40).astype(np.int64)


def mean_multiplier(input_scale, output_scale, n):
    """TensorFlow Lite's reference MEAN: (fixed, shift)."""
    fixed, shift = fixed_point(float(input_scale) / float(output_scale))
    bits = min(int(n).bit_length() - 1, 32, 31 + shift)
    return (fixed << bits) // n, shift - bits


def fixed_point(real):
    """(fixed, shift) with real = fixed * 2^(shift - 31)."""
    fraction, shift = np.frexp(real)
    fixed, shift = int(away(fraction * 2.0**31)), int(shift)
    if fixed == 2**31:
        fixed, shift = fixed // 2, shift + 1
    return (fixed, shift) if shift >= -31 else (0, 0)


def reciprocal(x):
    """gemmlowp's of a number with 12 bits before the point and 19 behind it: (1 / m with 31 bits
    behind the point, n), x = m * 2^n, m from 1 to 2."""
    headroom = 32 - x.bit_length()
    a = (x << headroom) - 2**31
    half = (a + 2**31) >> 1
    x = 1515870810 + srdhm(half, -1010580540)  # 48/17 - 32/17 * half, 29 bits behind the point
    for _ in range(3):
        rest = 2**29 - srdhm(half, x)
        x += np.clip(srdhm(x, rest) << 2, -(2**31), 2**31 - 1)
    return np.clip(x << 1, -(2**31), 2**31 - 1), 12 - headroom


# ---- A file's layers ----


class Layer:
    def __init__(self, tensors, name):
        prefix = f"{name}." if name else ""
        self.tensors = {
            key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)
        }

    def __contains__(self, key):
        return key in self.tensors

    def __getitem__(self, key):
        return self.tensors[key]

    def quantisation(self, kind):
        """(scale, zero point as a byte, origin) of the output, lookup or sum."""
        zero = self[f"{kind}_zero_point"]
        origin = 128 if zero.dtype == np.int8 else 0
        return self[f"{kind}_scale"][0], int(zero[0]) + origin, origin

    def finish(self, x, kind="output"):
        """Rescaled numbers as bytes: plus the zero point, clamped."""
        _, zero, origin = self.quantisation(kind)
        low, high = 0, 255
        if f"{kind}_range" in self:
            low, high = self[f"{kind}_range"].astype(int) + origin
        return np.clip(x + zero, low, high).astype(np.uint8)


def sum_of_quads(x):
    """Of floats [n,channels] as ONNX Runtime adds them: every fourth one by itself, then what is
    left."""
    whole = len(x) // 4 * 4
    lanes = np.zeros((4, x.shape[1]), np.float32)
    for i in range(0, whole, 4):
        lanes += x[i : i + 4]
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    for rest in x[whole:]:
        total = total + rest
    return total


def look_up(layer, x):
    lookup = layer["lookup"]
    return (lookup.astype(int) + (128 if lookup.dtype == np.int8 else 0))[x].astype(np.uint8)


def add(layer, a, b, quantisations):
    """quantisations: of a, what the layer computed, and of b, the residual."""
    multiplier = layer["sum_multiplier"]
    (_, zero_a, origin_a), (_, zero_b, origin_b) = quantisations
    a, b = a.astype(np.int64), b.astype(np.int64)
    if multiplier.dtype == np.float32:  # ONNX Runtime's, which has the zero point inside
        terms = [(a - origin_a, multiplier[0]), (b - origin_b, multiplier[1])]
        if layer["sum_swapped"][0] if "sum_swapped" in layer else False:
            terms.reverse()
        (first, m), (second, n) = terms
        inner = fma(second, n, multiplier[2])
        origin = layer.quantisation("sum")[2]
        zero = layer.quantisation("sum")[1]
        return layer.finish(np.rint(fma(first, m, inner)).astype(np.int64) + origin - zero, "sum")
    m = multiplier.astype(np.int64)
    if m.ndim == 1:
        total = m[0] * (a - zero_a) + m[1] * (b - zero_b)
        return layer.finish((total + (np.int64(1) << (m[2] - 1))) >> m[2], "sum")
    scaled = [by_fixed_point((x - zero) << 20, *m[i]) for i, (x, zero) in
              enumerate(((a, zero_a), (b, zero_b)))]  # fmt: skip
    return layer.finish(by_fixed_point(sum(scaled), *m[2]), "sum")


def fma(x, m, y):
    """Rounded once: the product of a byte and a float32 is exact in double, the sum nearly always,
    and where it is not, to a number that float32 rounds alike."""
    return (x.astype(np.float64) * np.float64(m) + np.asarray(y, np.float64)).astype(np.float32)


def padding(mode, stem, size, kernel, stride):
    """(before, after) in one direction."""
    if mode == "trailing" and (stem or stride == 1):
        mode = "same"
    total = {
        "same": (size - 1) // stride * stride + kernel - size,
        "symmetric": (kernel - 1) // 2 * 2,
        "trailing": kernel - stride,
    }[mode]
    total = max(total, 0)
    return total // 2, total - total // 2


class Network:
    """Of a file.  run(image) computes one [height,width,channels] image of bytes; `values` then has
    every layer's bytes by its name, and those of sums by the name of the layer they belong to plus
    ".sum"."""

    def __init__(self, path):
        self.tensors, self.metadata = read(path)
        self.table = json.loads(self.metadata["architecture"])
        self.padding = self.metadata["padding"]
        self.onnx = self.metadata.get("arithmetic") == "onnx"
        self.values = {}

    def layer(self, name):
        return Layer(self.tensors, name)

    # ---- Ends ----

    def input_quantisation(self):
        return self.layer("").quantisation("input")

    def quantise(self, image):
        """Floats as the network reads them -> the image's bytes."""
        scale, zero, _ = self.input_quantisation()
        image = np.asarray(image, np.float32)
        if "input_lookup" in self.tensors:
            pixels = (image - self.tensors["image_shift"]) / self.tensors["image_scale"]
            return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        if self.onnx:
            scaled = np.rint(image / scale)
        elif self.metadata["rescaling"] == "fixed":
            scaled = away((image / scale).astype(np.float64))
        else:
            scaled = np.rint(image * (np.float32(1) / scale))
        return np.clip(scaled.astype(np.float64) + zero, 0, 255).astype(np.uint8)

    def looked_up(self, image):
        """What becomes of the image's bytes."""
        lookup = self.tensors["input_lookup"]
        lookup = np.broadcast_to(lookup, (image.shape[2], 256)).astype(int)
        lookup = lookup + self.input_quantisation()[2]
        return np.stack([lookup[c][image[..., c]] for c in range(len(lookup))], 2).astype(np.uint8)

    # ---- Layers ----

    def put(self, name, value, quantisation):
        self.values[name] = value
        return value, quantisation

    def after(self, name, layer, rescaled):
        result, quantisation = layer.finish(rescaled), layer.quantisation("output")
        if "lookup" in layer:
            result, quantisation = look_up(layer, result), layer.quantisation("lookup")
        return self.put(name, result, quantisation)

    def weights(self, layer):
        weight = layer["weight"].astype(np.int64)
        if "weight_zero_point" in layer:
            zero = layer["weight_zero_point"].astype(np.int64)
            weight = weight - zero.reshape((-1,) + (1,) * (weight.ndim - 1))
        return weight.reshape((*weight.shape, 1, 1)[:4])

    def window(self, name, x, stride, stem=False):
        """A convolution, depthwise where its weights are [C,1,h,w] and the input has C channels."""
        (x, (_, zero, _)), layer = x, self.layer(name)
        weight = self.weights(layer)
        outputs, inputs, rows, columns = weight.shape
        pads = [padding(self.padding, stem, x.shape[i], weight.shape[2 + i], stride[i])
                for i in (0, 1)]  # fmt: skip
        x = np.pad(x.astype(np.int64) - zero, (*pads, (0, 0)))
        height, width = ((x.shape[i] - weight.shape[2 + i]) // stride[i] + 1 for i in (0, 1))
        depthwise = inputs == 1 and x.shape[2] == outputs
        total = np.zeros((height, width, outputs), np.int64)
        for i in range(rows):
            for j in range(columns):
                part = x[i : i + stride[0] * (height - 1) + 1 : stride[0],
                         j : j + stride[1] * (width - 1) + 1 : stride[1]]  # fmt: skip
                taps = weight[:, :, i, j]
                # Sums of whole numbers below 2^53 are exact in double.
                total += part * taps[:, 0] if depthwise else np.rint(
                    part.astype(np.float64) @ taps.T.astype(np.float64)).astype(np.int64)
        return self.after(name, layer, rescale(wrap(total + layer["bias"]), layer["multiplier"]))

    def pointwise(self, name, x):
        return self.window(name, x, (1, 1))

    def mean(self, name, x):
        (x, (scale, zero, origin)), layer = x, self.layer(name)
        n = x.shape[0] * x.shape[1]
        if "values" in layer:
            output_scale, _, _ = layer.quantisation("output")
            mean = sum_of_quads(layer["values"][x].reshape(n, -1)) / np.float32(n)
            result = np.rint(mean / output_scale).astype(np.int64)
            return self.after(name, layer, result.reshape(1, 1, -1))
        total = x.astype(np.int64).sum((0, 1), keepdims=True)
        if "output_scale" not in layer:
            average = away((total - n * origin) / n).astype(np.int64) + origin
            return self.put(name, average.astype(np.uint8), (scale, zero, origin))
        output_scale, output_zero, _ = layer.quantisation("output")
        if self.metadata["rescaling"] == "fixed":
            multiplier = np.array([mean_multiplier(scale, output_scale, n)], np.int64)
            return self.after(name, layer, rescale(total - n * zero, multiplier))
        if self.onnx:
            m = scale / (np.float32(n) * output_scale)
            return self.after(name, layer, rescale(total - n * zero, m.reshape(1)))
        m = (scale / output_scale) * (np.float32(1) / np.float32(n))
        offset = np.float32(output_zero - origin) - np.float32(n * (zero - origin)) * m
        result = np.rint((total - n * origin).astype(np.float32) * m + offset).astype(np.int64)
        return self.after(name, layer, result + origin - output_zero)

    def squeeze_excite(self, name, x):
        (plane, (_, zero, _)), layer = x, self.layer(f"{name}.scale")
        y = self.mean(f"{name}.avgpool", x)
        y = self.pointwise(f"{name}.fc1", y)
        gate, (_, gate_zero, _) = self.pointwise(f"{name}.fc2", y)
        if "lookup" in layer:
            plane, (_, zero, _) = look_up(layer, plane), layer.quantisation("lookup")
        product = (plane.astype(np.int64) - zero) * (gate.astype(np.int64) - gate_zero)
        if self.onnx:  # whose zero point is inside the rounding
            _, zero, origin = layer.quantisation("output")
            scaled = product.astype(np.float32) * layer["multiplier"] + np.float32(zero - origin)
            result = np.rint(scaled).astype(np.int64) + origin
            return self.put(f"{name}.scale", layer.finish(result - zero),
                            layer.quantisation("output"))  # fmt: skip
        return self.after(f"{name}.scale", layer, rescale(product, layer["multiplier"]))

    def residual(self, name, x, skipped):
        layer = self.layer(name)
        total = add(layer, x[0], skipped[0], (x[1], skipped[1]))
        return self.put(f"{name}.sum", total, layer.quantisation("sum"))

    def row(self, number, row, x):
        name, module, skipped = f"features.{number}.block", 0, x
        stride = row.get("strides", [1, 1])
        if "expand" in row:
            x = self.pointwise(f"{name}.{module}.0", x)
            module += 1
        x = self.window(f"{name}.{module}.0", x, stride)
        module += 1
        if "squeeze" in row:
            x = self.squeeze_excite(f"{name}.{module}", x)
            module += 1
        x = self.pointwise(f"{name}.{module}.0", x)
        if row.get("kind") != "separable" and row.get("residual", True) and stride == [1, 1] \
                and skipped[0].shape == x[0].shape:  # fmt: skip
            x = self.residual(f"{name}.{module}.0", x, skipped)
        return x

    def run(self, image):
        """The bytes of the last layer, a plane's as [height,width,channels]."""
        table, self.values = self.table, {}
        image = np.asarray(image)
        if "input_lookup" in self.tensors:
            image = self.looked_up(image)
        x = image, self.input_quantisation()
        x = self.window("features.0.0", x, table["stem"].get("strides", [2, 2]), stem=True)
        for number, row in enumerate(table["rows"], 1):
            x = self.row(number, row, x)
        if "head" in table:
            x = self.pointwise(f"features.{len(table['rows']) + 1}.0", x)
        x = self.pooled(x)
        count = len(table.get("hidden", ())) + table.get("logits", True)
        for i in range(count):
            x = self.pointwise(f"classifier.{3 * i}", x)
        return x[0].reshape(-1) if x[0].shape[:2] == (1, 1) else x[0]

    def pooled(self, x):
        table = self.table
        if "max_pool" in table:
            size, stride = table["max_pool"]["window"], table["max_pool"]["stride"]
            windows = np.lib.stride_tricks.sliding_window_view(x[0], (size, size), (0, 1))
            x = self.put("maxpool", windows[::stride, ::stride].max((3, 4)), x[1])
        if table.get("pool") == "max":
            return self.put("globalmaxpool", x[0].max((0, 1), keepdims=True), x[1])
        return self.mean("avgpool", x)

    def probabilities(self, logits):
        """The quantised probabilities of logits' bytes."""
        layer = self.layer("")
        scale, zero, origin = layer.quantisation("probabilities")
        if "probabilities_lookup" in layer:
            return (layer["probabilities_lookup"].astype(int) + origin)[logits].astype(np.uint8)
        table = layer["probabilities_table"]
        terms = table[int(logits.max()) - logits.astype(int)]
        if table.dtype == np.int32:
            total = rdbpot(terms.astype(np.int64), 12).sum()
            one_over, bits = reciprocal(int(total))
            result = rdbpot(srdhm(one_over, terms), bits + 31 - 8)
            return np.clip(result, 0, 255).astype(np.uint8)
        total = np.float32(0)
        for term in terms:
            total += term
        shares = terms * (np.float32(1) / (total * scale))
        rounded = np.floor(shares + np.float32(0.5)) if origin == 0 else away(shares)
        return np.clip(rounded + zero, 0, 255).astype(np.uint8)
