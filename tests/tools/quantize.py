#!/usr/bin/python3
"""`mobilenet quantize`, against the same ranges, rounding and corrections in numpy.

usage: quantize.py MOBILENET [unittest's arguments]"""

import json
import os
import re
import struct

import numpy

from case import Case, main
from integers import DTYPES, write
from models import write_bmp

TABLE = {
    "stem": {"channels": 8, "activation": "relu6"},
    "rows": [
        {"kernel": 3, "expand": 24, "channels": 8, "activation": "relu6"},
        {"kernel": 5, "expand": 16, "channels": 16, "squeeze": 8, "strides": [2, 2],
         "activation": "hard_swish"},
        {"kind": "separable", "kernel": 3, "channels": 24, "activation": "relu"},
    ],
    "head": {"channels": 32, "activation": "hard_swish"},
    "hidden": [{"channels": 16, "activation": "hard_swish"}],
}  # fmt: skip
SIZE, CLASSES = 32, 20
# The part of the values that a percentile leaves out at either end; of the outputs' highest.
LEFT_OUT, ROOM = 1e-4, 1.25
# Of equalisation: what channels grow to, and by how much at most.
QUARTER, MOST = 0.25, 64


def read(path):
    """(tensors, metadata)"""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header, data = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__")
    types = {name: kind for kind, name in DTYPES.items()}
    tensors = {
        name: numpy.frombuffer(data[slice(*of["data_offsets"])], types[of["dtype"]]).reshape(
            of["shape"]
        )
        for name, of in header.items()
    }
    return tensors, metadata


def convolve(x, weight, stride=1, groups=1):
    """x [H,W,C], weight [O,I,k,k], symmetric padding."""
    k = weight.shape[2]
    pad = (k - 1) // 2
    padded = numpy.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    windows = numpy.lib.stride_tricks.sliding_window_view(padded, (k, k), (0, 1))
    windows = windows[::stride, ::stride]  # [H,W,C,k,k]
    if groups == 1:
        return numpy.einsum("hwcij,ocij->hwo", windows, weight)
    return numpy.einsum("hwcij,cij->hwc", windows, weight[:, 0])


ACTIVATIONS = {
    "none": lambda x: x,
    "relu": lambda x: numpy.maximum(x, 0),
    "relu6": lambda x: numpy.clip(x, 0, 6),
    "hard_sigmoid": lambda x: numpy.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * numpy.clip(x / 6 + 0.5, 0, 1),
}


class Network:
    """Random weights of TABLE; `layers` maps names to what they do, in order: weights and bias with
    batch norm folded in, stride, groups, activation."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.tensors, self.layers = {}, {}
        self.add("features.0", (8, 3, 3, 3), "relu6", stride=2)
        self.add("features.1.block.0", (24, 8, 1, 1), "relu6", uneven=True)
        self.add("features.1.block.1", (24, 1, 3, 3), "relu6", groups=24)
        self.add("features.1.block.2", (8, 24, 1, 1), "none")
        self.add("features.2.block.0", (16, 8, 1, 1), "hard_swish")
        self.add("features.2.block.1", (16, 1, 5, 5), "hard_swish", stride=2, groups=16)
        self.add("features.2.block.2.fc1", (8, 16, 1, 1), "relu", batch_norm=False)
        self.add("features.2.block.2.fc2", (16, 8, 1, 1), "hard_sigmoid", batch_norm=False)
        self.add("features.2.block.3", (16, 16, 1, 1), "none")
        self.add("features.3.block.0", (16, 1, 3, 3), "relu", groups=16)
        self.add("features.3.block.1", (24, 16, 1, 1), "relu")
        self.add("features.4", (32, 24, 1, 1), "hard_swish")
        self.add("classifier.0", (16, 32), "hard_swish", batch_norm=False)
        self.add("classifier.3", (CLASSES, 16), "none", batch_norm=False)

    def add(self, name, shape, activation, stride=1, groups=1, batch_norm=True, uneven=False):
        random, outputs = self.random, shape[0]
        weight = random.normal(0, (2 / numpy.prod(shape[1:])) ** 0.5, shape)
        bias = random.normal(0, 0.3, outputs)
        if batch_norm:
            gamma = random.uniform(0.7, 1.3, outputs)
            if uneven:  # channels that an equaliser has something to do with
                gamma *= numpy.geomspace(0.02, 1, outputs)
            mean, variance = random.normal(0, 0.2, outputs), random.uniform(0.5, 1.5, outputs)
            parts = {"0.weight": weight, "1.weight": gamma, "1.bias": bias, "1.running_mean": mean,
                     "1.running_var": variance}  # fmt: skip
            scale = gamma / numpy.sqrt(variance + 1e-3)
            weight = weight * scale.reshape(-1, *[1] * (len(shape) - 1))
            bias = bias - mean * scale
        else:
            parts = {"weight": weight, "bias": bias}
        self.tensors |= {f"{name}.{key}": value.astype("f4") for key, value in parts.items()}
        self.layers[f"{name}.0" if batch_norm else name] = (
            weight.astype("f4"), bias.astype("f4"), stride, groups, activation)  # fmt: skip

    def write(self, path, table=TABLE, **metadata):
        write(
            path,
            self.tensors,
            **{
                "format": "mobilenet/2",
                "network": "tiny",
                "architecture": json.dumps(table),
                "classes": str(CLASSES),
                "input_height": str(SIZE),
                "input_width": str(SIZE),
                **metadata,
            },
        )

    def run(self, image):
        """{layer: (what it reads, what it writes before a residual, and behind)}"""
        values = {}

        def layer(name, x):
            weight, bias, stride, groups, activation = self.layers[name]
            sums = convolve(x, weight, stride, groups) if weight.ndim == 4 else x @ weight.T
            values[name] = x, ACTIVATIONS[activation](sums + bias), None
            return values[name][1]

        x = layer("features.0.0", image.astype("f8"))
        y = layer("features.1.block.0.0", x)
        y = layer("features.1.block.1.0", y)
        y = layer("features.1.block.2.0", y)
        x = x + y
        values["features.1.block.2.0"] = (*values["features.1.block.2.0"][:2], x)
        y = layer("features.2.block.0.0", x)
        y = layer("features.2.block.1.0", y)
        pooled = y.mean((0, 1), keepdims=True)
        values["features.2.block.2.avgpool"] = None, pooled, None
        gate = layer("features.2.block.2.fc2", layer("features.2.block.2.fc1", pooled))
        y = y * gate
        values["features.2.block.2.scale"] = None, y, None
        y = layer("features.2.block.3.0", y)
        y = layer("features.3.block.1.0", layer("features.3.block.0.0", y))
        y = layer("features.4.0", y)
        y = y.mean((0, 1))
        values["avgpool"] = None, y, None
        layer("classifier.3", layer("classifier.0", y))
        return values


def affine(low, high):
    scale = max((high - low) / 255, 1e-30)
    return scale, int(numpy.clip(numpy.rint(-low / scale), 0, 255))


def squared_error(values, low, high):
    scale, zero = affine(low, high)
    rounded = (numpy.clip(numpy.rint(values / scale) + zero, 0, 255) - zero) * scale
    return ((rounded - values) ** 2).sum()


def best_weights(weights):
    """(bytes, scale) of one output's, by trying all scales that are worth it."""
    most = abs(weights).max()
    tries = [most / steps for steps in range(64, 191)]
    rounded = [numpy.clip(numpy.rint(weights / scale), -127, 127) for scale in tries]
    errors = [((weights - q * s) ** 2).sum() for q, s in zip(rounded, tries)]
    best = int(numpy.argmin(errors))
    return rounded[best], tries[best], errors[best]


class Quantize(Case):
    def images(self, count, seed=1):
        random = numpy.random.default_rng(seed)
        waves = random.normal(0, 0.4, (count, 8, 8, 3))
        return numpy.clip(numpy.kron(waves, numpy.ones((1, 4, 4, 1))), -1, 1).astype("f4")

    def quantize(self, *arguments, status=0, calibrate="x.npy"):
        """(report, errors)"""
        return self.run_command(
            "quantize", "m.safetensors", "q.safetensors", "--calibrate", calibrate, *arguments,
            status=status,
        )  # fmt: skip

    @staticmethod
    def kept(report):
        """(method, equalised, corrected, numbers) of the combination that was kept."""
        (line,) = re.findall(r"^.* kept$", report, re.M)
        method, equalised, corrected, *numbers = line.split()
        return method, equalised == "yes", corrected == "yes", numbers

    def check_range(self, method, values, low, high, last):
        """Of the bytes that `values` became."""
        least, most = min(values.min(), 0), max(values.max(), 0)
        width = (values.max() - values.min()) / 2048
        if last:
            most, width = most * ROOM, 0
        elif method == "percentile":
            # Between two values that are neighbours any number may be meant.
            step = 0.51 * (high - low) / 255 + 2 * width + 1e-5
            ranked, count = numpy.sort(values), len(values)
            for part, end in ((LEFT_OUT, low), (1 - LEFT_OUT, high)):
                rank = int(numpy.ceil(part * count)) - 1
                below, above = ranked[max(rank - 1, 0)], ranked[min(rank + 1, count - 1)]
                if end == low:
                    below, above = min(below, 0), min(above, 0)
                self.assertGreaterEqual(end, below - step)
                self.assertLessEqual(end, above + step)
            return
        elif method == "mse":
            ends = numpy.linspace(0.1, 1, 46)
            best = min(
                squared_error(values, least * a, most * b)
                for a in (ends[::3] if least < 0 else [1])
                for b in ends
            )
            self.assertLessEqual(squared_error(values, low, high), 1.05 * best + 1e-12)
            return
        # Bounds, with the half of a step that a whole zero point moves them by.
        tolerance = 2 * width + 0.51 * (most - least) / 255 + 1e-5
        self.assertAlmostEqual(low, least, delta=tolerance)
        self.assertAlmostEqual(high, most, delta=tolerance)

    def check_network(self, network, values, report):
        """The file, against what numpy makes of the images' values."""
        method, equalised, corrected, _ = self.kept(report)
        tensors, _ = read("q.safetensors")

        def bounds(name):
            scale, zero = tensors[f"{name}_scale"][0], int(tensors[f"{name}_zero_point"][0])
            return scale * (0 - zero), scale * (255 - zero)

        def scale_of(name):
            of = next(k for k in ("sum", "lookup", "output") if f"{name}.{k}_scale" in tensors)
            return tensors[f"{name}.{of}_scale"][0]

        factors = {}
        if equalised:
            high = numpy.max([v["features.1.block.0.0"][1].max((0, 1)) for v in values], 0)
            wanted = QUARTER * high.max() / numpy.where(high > 0, high, numpy.inf)
            factors["features.1.block.0.0"] = numpy.clip(wanted, 1, MOST)
        before = None
        for name, (weight, bias, stride, groups, activation) in network.layers.items():
            weight, bias = weight.astype("f8"), bias.astype("f8")
            own, behind = factors.get(name), factors.get(before) if groups > 1 else None
            if own is not None:
                weight, bias = weight * own.reshape(-1, 1, 1, 1), bias * own
            if behind is not None:
                weight = weight / behind.reshape(-1, 1, 1, 1)
            # Weights.
            got, scales = tensors[f"{name}.weight"], tensors[f"{name}.weight_scale"]
            self.assertEqual((got.dtype, got.shape), (numpy.int8, weight.shape))
            rounded = got * scales.reshape(-1, *[1] * (weight.ndim - 1)).astype("f8")
            for o in range(len(weight)):
                _, _, error = best_weights(weight[o])
                self.assertLessEqual(((rounded[o] - weight[o]) ** 2).sum(), 1.001 * error + 1e-12)
            # Bias: what rounding adds to the mean of the sums is taken back.
            if corrected:
                sums = []
                for v in values:
                    x = v[name][0] if behind is None else v[name][0] * behind
                    error = rounded - weight
                    sums.append(
                        convolve(x, error, stride, groups).mean((0, 1))
                        if weight.ndim == 4
                        else x @ error.T
                    )
                bias = bias - numpy.mean(sums, 0)
            inputs = {"features.0.0": "input", "features.2.block.2.fc1": "features.2.block.2.avgpool",
                      "features.2.block.3.0": "features.2.block.2.scale",
                      "classifier.0": "avgpool"}  # fmt: skip
            source = inputs.get(name, before)
            unit = scales * (tensors["input_scale"] if source == "input" else scale_of(source))
            numpy.testing.assert_allclose(tensors[f"{name}.bias"] * unit, bias,
                                          atol=unit.max() + 1e-5, rtol=1e-4)  # fmt: skip
            output_scale = tensors[f"{name}.output_scale"]
            numpy.testing.assert_allclose(tensors[f"{name}.multiplier"], unit / output_scale,
                                          rtol=1e-6)  # fmt: skip
            # Ranges.
            last = name == "classifier.3"
            seen = numpy.concatenate([
                (v[name][1] if own is None else v[name][1] * own).ravel() for v in values])  # fmt: skip
            looks_up = activation in ("hard_swish", "hard_sigmoid")
            self.check_range(method, seen, *bounds(f"{name}.{'lookup' if looks_up else 'output'}"),
                             last)  # fmt: skip
            if looks_up:
                low, high = bounds(f"{name}.output")
                x = low + output_scale[0] * numpy.arange(256)
                lookup_scale = tensors[f"{name}.lookup_scale"][0]
                y = ACTIVATIONS[activation](x.astype("f8"))
                lowest, highest = bounds(f"{name}.lookup")
                got = lowest + lookup_scale * tensors[f"{name}.lookup"].astype("f8")
                expected = numpy.clip(y, lowest, highest)
                numpy.testing.assert_allclose(got, expected, atol=0.501 * lookup_scale)
                # It reaches from where the activation begins to where the results end.
                self.assertLess(abs(got.max() - highest), 2 * max(lookup_scale, output_scale[0]))
            elif activation != "none":
                zero = tensors[f"{name}.output_zero_point"][0]
                self.assertEqual(zero, 0)
            if values[0][name][2] is not None:
                sums = numpy.concatenate([v[name][2].ravel() for v in values])
                self.check_range(method, sums, *bounds(f"{name}.sum"), False)
                a, b, shift = tensors[f"{name}.sum_multiplier"].tolist()
                self.assertAlmostEqual(a / 2**shift, output_scale[0] / scale_of(name), delta=1e-6)
                self.assertAlmostEqual(
                    b / 2**shift, scale_of("features.0.0") / scale_of(name), delta=1e-6
                )
            before = name
        for name in ("features.2.block.2.avgpool", "features.2.block.2.scale", "avgpool"):
            seen = numpy.concatenate([v[name][1].ravel() for v in values])
            self.check_range(method, seen, *bounds(f"{name}.output"), False)
        return method, equalised, corrected

    def test_numbers(self):
        """Every method's ranges, rounded weights, corrected biases and lookups are those of numpy, on
        the three quarters of the images that are not held out."""
        images = self.images(24)
        numpy.save("x.npy", images)
        calibrated = [image for i, image in enumerate(images) if i % 4 != 3]
        seen = set()
        for seed in (1, 2, 3):
            network = Network(seed)
            network.write("m.safetensors")
            values = [network.run(image) for image in calibrated]
            for method in ("minmax", "percentile", "mse"):
                with self.subTest(seed=seed, method=method):
                    report, _ = self.quantize("--method", method)
                    kept = self.check_network(network, values, report)
                    self.assertEqual(kept[0], method)
                    seen.add(kept[1:])
        # Else equalisation or correction goes untested.
        self.assertTrue(any(equalised for equalised, _ in seen), seen)
        self.assertTrue(any(corrected for _, corrected in seen), seen)
        self.assertTrue(any(not equalised for equalised, _ in seen), seen)

    def test_loss(self):
        """What is printed of the outputs and of a layer is what the two models give for the images
        that are held out; the best of all that was tried is kept."""
        images = self.images(24)
        numpy.save("x.npy", images)
        numpy.save("held.npy", images[3::4])
        Network(1).write("m.safetensors")
        report, _ = self.quantize()
        logits = []
        for model in ("m", "q"):
            self.succeed("run", f"{model}.safetensors", "--input", "held.npy", "--output",
                         f"{model}.npy")  # fmt: skip
            logits.append(numpy.load(f"{model}.npy").astype("f8"))
        x, y = logits
        lengths = numpy.sqrt((x**2).sum(1) * (y**2).sum(1))
        decibels, cosine, top, sure, _, sures, _, word = self.kept(report)[3]
        self.assertEqual(word, "kept")
        self.assertAlmostEqual(float(cosine), ((x * y).sum(1) / lengths).mean(), delta=2e-5)
        self.assertAlmostEqual(
            float(decibels), 10 * numpy.log10((x**2).sum() / ((x - y) ** 2).sum()), delta=0.06
        )
        same = x.argmax(1) == y.argmax(1)
        self.assertAlmostEqual(float(top), 100 * same.mean(), delta=0.01)
        parts = numpy.exp(x - x.max(1, keepdims=True))
        confident = parts.max(1) / parts.sum(1) >= 0.5
        self.assertEqual((int(sure), int(sures)), (same[confident].sum(), confident.sum()))
        trials = re.findall(r"^(?:minmax|percentile|mse) +(?:yes|no) +(?:yes|no) +(\S+)", report,
                            re.M)  # fmt: skip
        self.assertEqual(len(trials), 12)
        self.assertEqual(float(decibels), max(map(float, trials)))
        (layer,) = re.findall(r"^classifier\.3 .* (\S+)$", report, re.M)
        self.assertEqual(layer, decibels)
        # No byte of the inputs' range is far from what floats give.
        self.assertGreater(float(decibels), 20)
        self.assertGreater(float(cosine), 0.99)

    def test_threads(self):
        """Any number of them gives the same file and report."""
        numpy.save("x.npy", self.images(13))
        Network(1).write("m.safetensors")
        results = []
        for threads in ("1", "2", "5"):
            report, _ = self.quantize("--threads", threads)
            with open("q.safetensors", "rb") as file:
                results.append((report, file.read()))
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_metadata(self):
        """Labels, preprocessing, names of layers and stages are those of the model of floats."""
        numpy.save("x.npy", self.images(8))
        labels = json.dumps([f"Müsli {i}" for i in range(CLASSES)])
        Network(1).write("m.safetensors", labels=labels, mean="[0.4,0.5,0.6]", std="[0.2,0.3,0.4]",
                         resize="40", interpolation="bicubic", probabilities="sigmoid",
                         padding="symmetric")  # fmt: skip
        self.quantize()
        lists = [self.succeed("features", f"{model}.safetensors", "--list") for model in "mq"]
        self.assertEqual(*lists)
        _, metadata = read("q.safetensors")
        self.assertEqual(metadata["labels"], labels)
        infos = [self.succeed("info", f"{model}.safetensors") for model in "mq"]
        for line in ("resize", "mean", "deviation", "output", "labels", "input "):
            self.assertEqual(*[re.findall(rf"^ +{line}.*$", info, re.M) for info in infos])

    def test_pixels(self):
        """Where a pixel stands for 0, bytes are pixels; with a mean between two, they do not lie in
        the middle between two bytes."""
        numpy.save("x.npy", 0.9 * self.images(8))
        for mean, exact in ((128, True), (127.5, False)):
            text = json.dumps([mean / 255] * 3)
            Network(1).write("m.safetensors", mean=text, std=text)
            self.quantize("--method", "minmax")
            tensors, _ = read("q.safetensors")
            pixels = (numpy.arange(256) - mean) / mean
            at = pixels / tensors["input_scale"][0] + tensors["input_zero_point"][0]
            missed = abs(at - numpy.rint(at))
            self.assertEqual(missed.max() < 1e-3, exact, mean)
            self.assertLess(missed.mean(), 0.3)

    def test_networks(self):
        """All networks, whatever their source, width and size: names and stages stay the same, and
        little is lost."""
        for network, *more in (("mobilenet_v1",), ("mobilenet_v2",), ("mobilenet_v2", "--source", "keras"),
                               ("mobilenet_v3_small",), ("mobilenet_v3_large", "--source", "keras"),
                               ("mobilenet_v3_small_article",)):  # fmt: skip
            with self.subTest(network=network, more=more):
                # Of some seeds, a layer of so narrow a network writes nothing but zeros.
                self.init(network, "m.safetensors", *more, "--seed", "1")
                random = numpy.random.default_rng(5)
                numpy.save("x.npy", random.uniform(-1, 1, (9, 40, 48, 3)).astype("f4"))
                report, _ = self.quantize("--method", "minmax")
                lists = [self.succeed("features", f"{model}.safetensors", "--list")
                         for model in "mq"]  # fmt: skip
                self.assertEqual(*lists)
                self.assertGreater(float(self.kept(report)[3][0]), 20, report)

    def test_variants(self):
        """Pools of other kinds, no classifier, a single sigmoid, grey images."""
        images = self.images(12)

        def headless(network):
            for name in ("classifier.0", "classifier.3"):
                del network.tensors[f"{name}.weight"], network.tensors[f"{name}.bias"]

        def single(network):
            for part in ("weight", "bias"):
                name = f"classifier.3.{part}"
                network.tensors[name] = network.tensors[name][:1]

        def grey(network):
            network.tensors["features.0.0.weight"] = network.tensors["features.0.0.weight"][:, :1]

        for change, table, metadata in (
            (None, {"pool": "max"}, {}),
            (None, {"max_pool": {"window": 3, "stride": 2}}, {}),
            (headless, {"logits": False, "hidden": []}, {}),
            (single, {}, {"classes": "1", "probabilities": "sigmoid"}),
            (grey, {}, {"input_channels": "1", "mean": "[0.5]", "std": "[0.25]"}),
        ):
            with self.subTest(table=table, **metadata):
                network = Network(1)
                if change is not None:
                    change(network)
                network.write("m.safetensors", {**TABLE, **table}, **metadata)
                numpy.save("x.npy", images[..., :1] if change is grey else images)
                report, _ = self.quantize()
                lists = [self.succeed("features", f"{m}.safetensors", "--list") for m in "mq"]
                self.assertEqual(*lists)
                numbers = self.kept(report)[3]
                self.assertGreater(float(numbers[0]), 20, report)
                self.assertGreater(float(numbers[-2]), 0.99, report)  # the pool's cosine
                infos = [self.succeed("info", f"{m}.safetensors") for m in "mq"]
                self.assertEqual(*[re.findall(r"(?m)^ +output.*$", info) for info in infos])

    def test_keep_float(self):
        """A layer that stays in floats loses nothing where it reads the image, and its pools go with
        it; layers around it have bytes."""
        numpy.save("x.npy", self.images(8))
        numpy.save("one.npy", self.images(8)[:1])
        Network(1).write("m.safetensors")
        report, _ = self.quantize("--keep-float", "features.0.0", "--keep-float", "features.4.0")
        for name in ("features.0.0", "features.4.0", "avgpool"):
            self.assertRegex(report, rf"(?m)^{name} .* float ")
        self.assertRegex(report, r"(?m)^features\.0\.0 .* exact$")
        self.assertGreater(float(self.kept(report)[3][0]), 20)
        tensors, _ = read("q.safetensors")
        self.assertEqual(tensors["features.4.0.weight"].dtype, numpy.float32)
        self.assertEqual(tensors["classifier.0.weight"].dtype, numpy.int8)
        for model in ("m", "q"):
            self.succeed("features", f"{model}.safetensors", "--input", "one.npy", "--output", model,
                         "--stage", "features.0.0", "avgpool")  # fmt: skip
        numpy.testing.assert_array_equal(*[numpy.load(f"{m}/features.0.0.npy") for m in "mq"])
        # The vector is of floats, not of 256 of them.
        pooled = numpy.load("q/avgpool.npy")[0].astype("f8")
        scale = tensors["avgpool.output_scale"][0]
        self.assertGreater(abs(pooled / scale - numpy.rint(pooled / scale)).max(), 0.1)
        self.fail_with(1, "keep_float: features.9 is no layer with weights", "quantize",
                       "m.safetensors", "q.safetensors", "--calibrate", "x.npy", "--keep-float",
                       "features.9")  # fmt: skip

    def test_photos(self):
        """A folder of photos and of folders with photos; what cannot be read is named."""
        Network(1).write("m.safetensors")
        os.makedirs("photos/more")
        random = numpy.random.default_rng(7)
        for i in range(9):
            folder = "photos/more" if i % 2 else "photos"
            write_bmp(f"{folder}/{i}.bmp", random.integers(0, 256, (40, 36, 3)).astype("u1"))
        with open("photos/broken.bmp", "wb") as file:
            file.write(b"BM not")
        with open("photos/notes.txt", "w") as file:
            file.write("no photo")
        report, errors = self.quantize(calibrate="photos")
        self.assertIn("mobilenet: photos/broken.bmp: ", errors)
        self.assertIn("notes.txt", errors)
        self.assertRegex(errors, "(?m)^mobilenet: photos: only 9 images")
        self.assertRegex(errors, r"(?m)^\d+ of \d+ images, 100 %$")
        self.assertIn("7 images to calibrate with, 2 others", report)

    def test_plot(self):
        """A bar for each layer, as long as its decibels."""
        numpy.save("x.npy", self.images(8))
        Network(1).write("m.safetensors")
        report, _ = self.quantize("--plot", "loss.svg", "--keep-float", "features.0.0")
        with open("loss.svg", encoding="utf-8") as file:
            drawing = file.read()
        lengths = [float(x) for x in re.findall(r'<rect x="330\.00".* width="([\d.]+)"', drawing)]
        table = report[report.index("\nlayer") :].strip().splitlines()[1:]
        decibels = [line.split()[-2 if line.endswith("equalised") else -1] for line in table]
        self.assertEqual(len(lengths), len(table))
        longest = lengths[decibels.index("exact")]
        for length, value in zip(lengths, decibels):
            if value != "exact":
                self.assertAlmostEqual(length / longest, min(float(value), 60) / 60, delta=0.002)
        for line in table:
            self.assertIn(f">{line.split()[0]}</text>", drawing)
        self.fail_with(2, "--plot: 'loss.png': what is written is no png; name it .svg", "quantize",
                       "m.safetensors", "q.safetensors", "--calibrate", "x.npy", "--plot",
                       "loss.png")  # fmt: skip

    def test_few(self):
        numpy.save("x.npy", self.images(32))
        Network(1).write("m.safetensors")
        _, errors = self.quantize()
        self.assertNotIn("mobilenet:", errors)
        numpy.save("x.npy", self.images(31))
        _, errors = self.quantize()
        self.assertIn("mobilenet: x.npy: only 31 images", errors)
        numpy.save("x.npy", self.images(1))
        report, _ = self.quantize()
        self.assertIn("1 images to calibrate with, and none to measure with but these", report)

    def test_refused(self):
        network = Network(1)
        network.write("m.safetensors")
        images = self.images(4)
        numpy.save("x.npy", images)
        command = ("quantize", "m.safetensors", "q.safetensors")
        self.fail_with(2, "missing option: --calibrate DIR, a folder with", *command)
        self.fail_with(2, "--method: 'max' is none of minmax, percentile, mse", *command,
                       "--calibrate", "x.npy", "--method", "max")  # fmt: skip
        self.fail_with(1, "nowhere: No such file or directory", *command, "--calibrate", "nowhere")
        os.mkdir("empty")
        self.fail_with(1, "empty: no JPEG, PNG or BMP images in it", *command, "--calibrate",
                       "empty")  # fmt: skip
        numpy.save("small.npy", images[:, :16])
        self.fail_with(1, "small.npy: shape (4, 16, 32, 3), expected (N, 32, 32, 3)", *command,
                       "--calibrate", "small.npy")  # fmt: skip
        os.mkdir("bad")
        with open("bad/a.bmp", "wb") as file:
            file.write(b"BM")
        _, errors = self.quantize(status=1, calibrate="bad")
        self.assertIn("mobilenet: bad/a.bmp: ", errors)
        self.assertIn("mobilenet: m.safetensors: no image can be read: bad/a.bmp: ", errors)
        self.assertFalse(os.path.exists("q.safetensors"))
        self.quantize()
        self.fail_with(1, "q.safetensors: is quantised already; give the model of floats", "quantize",
                       "q.safetensors", "r.safetensors", "--calibrate", "x.npy")  # fmt: skip

    def test_refused_layers(self):
        """Values that no range holds are refused with the layer's name."""
        images = self.images(4)
        for value, message in ((numpy.nan, "NaN or infinite"), (numpy.inf, "NaN or infinite")):
            spoilt = images.copy()
            spoilt[2, 3, 4, 1] = value
            numpy.save("x.npy", spoilt)
            Network(1).write("m.safetensors")
            _, errors = self.quantize(status=1)
            self.assertIn(f"m.safetensors: the images: there are values that are {message}", errors)
        numpy.save("x.npy", images)
        network = Network(1)
        network.tensors["features.3.block.1.1.bias"][5] = numpy.inf
        network.write("m.safetensors")
        _, errors = self.quantize(status=1)
        self.assertIn("m.safetensors: features.3.block.1.0: there are values that are NaN", errors)
        network = Network(1)
        network.tensors["features.3.block.1.1.weight"][:] = 0
        network.tensors["features.3.block.1.1.bias"][:] = -1
        network.write("m.safetensors")
        _, errors = self.quantize(status=1)
        self.assertIn("m.safetensors: features.3.block.1.0: all values are 0 on the", errors)


if __name__ == "__main__":
    main()
