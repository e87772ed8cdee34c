#!/usr/bin/python3
"""Models of integers in the `mobilenet` command, against the same network in numpy.

usage: integers.py MOBILENET [unittest's arguments]"""

import json
import re
import struct

import numpy

from case import Case, main
from models import write_bmp

TABLE = {
    "stem": {"channels": 6, "activation": "relu"},
    "rows": [{"kind": "separable", "kernel": 3, "channels": 20, "activation": "relu"}],
    "batch_norm": False,
}
SCALE, ZERO = {"image": 1 / 64, "output": 1 / 16}, {"image": 128, "output": 100}
DTYPES = {"uint8": "U8", "int8": "I8", "int32": "I32", "float32": "F32"}


def write(path, tensors, **metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": array.shape,
                        "data_offsets": [len(data), len(data) + array.nbytes]}  # fmt: skip
        data += array.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class Network:
    """Random weights of TABLE, with 7 classes."""

    def __init__(self):
        random = numpy.random.default_rng(3)
        shapes = {"features.0.0": (6, 3, 3, 3), "features.1.block.0.0": (6, 1, 3, 3),
                  "features.1.block.1.0": (20, 6, 1, 1), "classifier.0": (7, 20)}  # fmt: skip
        self.tensors = self.quantisation("input", "image")
        scale = SCALE["image"]
        for name, shape in shapes.items():
            weight = random.integers(-127, 128, shape, "i1")
            multiplier = random.uniform(0.3, 0.6, shape[0]) / (73 * numpy.prod(shape[1:]) ** 0.5)
            if name == "classifier.0":
                multiplier *= 4
            self.tensors |= {
                f"{name}.weight": weight,
                f"{name}.bias": random.integers(-2000, 4000, shape[0], "i4"),
                f"{name}.multiplier": multiplier.astype("f4"),
                f"{name}.weight_scale": (multiplier * SCALE["output"] / scale).astype("f4"),
                **self.quantisation(f"{name}.output", "output"),
            }
            if name != "classifier.0":
                self.tensors[f"{name}.output_range"] = numpy.array([ZERO["output"], 255], "u1")
            scale = SCALE["output"]

    def quantisation(self, name, kind):
        return {f"{name}_scale": numpy.array([SCALE[kind]], "f4"),
                f"{name}_zero_point": numpy.array([ZERO[kind]], "u1")}  # fmt: skip

    def sign(self, name):
        """The same bytes as signed numbers."""
        zero = self.tensors[f"{name}_zero_point"]
        self.tensors[f"{name}_zero_point"] = (zero.astype(int) - 128).astype("i1")
        self.write("m.safetensors")

    def write(self, path):
        write(path, self.tensors, format="mobilenet/2", network="small", rescaling="float",
              architecture=json.dumps(TABLE), input_height="40", input_width="48", classes="7")  # fmt: skip

    def layer(self, name, planes, zero, stride=1):
        """planes: [C,H,W] bytes."""
        weight = self.tensors[f"{name}.weight"].astype(int)
        weight = weight.reshape((*weight.shape, 1, 1)[:4])
        pad = weight.shape[2] // 2
        x = numpy.pad(planes.astype(int) - zero, ((0, 0), (pad, pad), (pad, pad)))
        windows = numpy.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (1, 2))
        windows = windows[:, ::stride, ::stride]
        depthwise = weight.shape[1] == 1
        sums = numpy.einsum("chwij,cij->chw" if depthwise else "chwij,ocij->ohw", windows,
                            weight[:, 0] if depthwise else weight)  # fmt: skip
        sums += self.tensors[f"{name}.bias"][:, None, None]
        multiplier = self.tensors[f"{name}.multiplier"][:, None, None]
        low, high = self.tensors.get(f"{name}.output_range", (0, 255))
        rescaled = numpy.rint(sums.astype("f4") * multiplier).astype(int)
        return numpy.clip(rescaled + ZERO["output"], low, high)

    def logits(self, image):
        """Of a [40,48,3] image."""
        x = numpy.rint(image.transpose(2, 0, 1) / numpy.float32(SCALE["image"]))
        x = numpy.clip(x + ZERO["image"], 0, 255)
        x = self.layer("features.0.0", x, ZERO["image"], 2)
        x = self.layer("features.1.block.0.0", x, ZERO["output"])
        x = self.layer("features.1.block.1.0", x, ZERO["output"])
        x = numpy.floor(x.mean((1, 2), keepdims=True) + 0.5)  # halves away from zero
        x = self.layer("classifier.0", x, ZERO["output"])
        return (x.reshape(-1) - ZERO["output"]) * SCALE["output"]


class Integers(Case):
    def setUp(self):
        super().setUp()
        self.network = Network()
        self.network.write("m.safetensors")
        random = numpy.random.default_rng(5)
        self.images = random.uniform(-2, 2, (3, 40, 48, 3)).astype("f4")
        self.images += numpy.float32([-1, 0, 1]).reshape(3, 1, 1, 1)
        numpy.save("x.npy", self.images)
        write_bmp("a.bmp", random.integers(0, 256, (50, 60, 3), "u1"))

    def run_images(self, *options):
        self.succeed("run", "m.safetensors", "-i", "x.npy", "-o", "y.npy", *options)
        return numpy.load("y.npy")

    def test_logits_are_those_of_numpy(self):
        expected = numpy.array([self.network.logits(image) for image in self.images])
        self.assertGreater(len(numpy.unique(expected)), 10)
        for options in [], ["--precision", "int8"], ["--precision", "fastest"], ["--threads", "2"], \
                ["--isa", "scalar"]:  # fmt: skip
            numpy.testing.assert_array_equal(self.run_images(*options), expected, str(options))

    def test_raw_bytes(self):
        logits = self.run_images()
        raw = self.run_images("--raw")
        self.assertEqual(raw.dtype, numpy.uint8)
        numpy.testing.assert_array_equal((raw.astype(int) - ZERO["output"]) * SCALE["output"], logits)
        self.network.sign("classifier.0.output")
        signed = self.run_images("--raw")
        self.assertEqual(signed.dtype, numpy.int8)
        numpy.testing.assert_array_equal(signed.astype(int) + 128, raw)
        maps = "features", "m.safetensors", "-i", "x.npy", "-o", "maps", "-s", "pool", "features.0.0"
        self.succeed(*maps)
        floats = {name: numpy.load(f"maps/{name}.npy") for name in ("pool", "features.0.0")}
        self.succeed(*maps, "--raw")
        for name, of in floats.items():
            raw = numpy.load(f"maps/{name}.npy")
            self.assertEqual((raw.dtype, raw.shape), (numpy.uint8, of.shape))
            numpy.testing.assert_array_equal((raw.astype(int) - ZERO["output"]) * SCALE["output"], of)
        self.fail_with(1, "m.safetensors: --raw: its probabilities are floats", "run",
                       "m.safetensors", "-i", "x.npy", "-o", "y.npy", "--raw", "--probabilities")  # fmt: skip
        self.fail_with(1, "m.safetensors: --raw: its logits are floats", "run", "m.safetensors",
                       "-i", "x.npy", "-o", "y.npy", "--raw", "--precision", "float32")  # fmt: skip
        self.fail_with(1, "maps/pool.npy: --raw: pool is of floats", *maps, "--raw", "--precision",
                       "float32")  # fmt: skip

    def test_floats_are_near(self):
        exact = self.run_images()
        for precision in "float32", "bfloat16":
            floats = self.run_images("--precision", precision)
            self.assertFalse(numpy.array_equal(floats, exact))
            self.assertLess(numpy.abs(floats - exact).max(), 3 * SCALE["output"])

    def test_commands_say_it(self):
        info = json.loads(self.succeed("info", "m.safetensors", "--json"))
        self.assertEqual((info["precision"], info["rescaling"]), ("int8", "float"))
        text = self.succeed("info", "m.safetensors")
        self.assertRegex(text, r"(?m)^  file +[\d,]+ bytes of 8-bit integers, float rescaling$")
        self.assertIn(f"int8 packed for {info['kernels']}", text)
        plan = json.loads(self.succeed("plan", "m.safetensors", "--json"))
        self.assertEqual((plan["precision"], plan["kernels"]["block"]), ("int8", 16))
        self.assertEqual(plan["steps"][0]["kind"], "convert")
        info = json.loads(
            self.succeed("info", "m.safetensors", "--json", "--precision", "float32")
        )
        self.assertEqual((info["precision"], info["rescaling"]), ("float32", "float"))
        self.succeed("profile", "m.safetensors", "--rounds", "1")
        classes = json.loads(self.succeed("classify", "m.safetensors", "a.bmp", "--top", "7", "--json"))
        self.assertAlmostEqual(sum(c["probability"] for c in classes[0]["classes"]), 1, 5)

    def test_models_of_floats_have_none(self):
        self.init("mobilenet_v1", "f.safetensors")
        self.fail_with(
            1, "precision: int8 is of files of integers, and this one has floats",
            "info", "f.safetensors", "--precision", "int8",
        )  # fmt: skip
        info = json.loads(self.succeed("info", "f.safetensors", "--json"))
        self.assertIsNone(info["rescaling"])
        self.assertNotIn("rescaling", self.succeed("info", "f.safetensors"))

    def test_what_is_wrong_is_named(self):
        self.network.tensors["features.0.0.weight_scale"][2] = -1
        self.network.write("m.safetensors")
        self.fail_with(
            1, "m.safetensors: features.0.0.weight_scale: [2] is -1, not a finite number from 0 on",
            "run", "m.safetensors", "-i", "x.npy", "-o", "y.npy",
        )  # fmt: skip

    def test_info_of_the_machine(self):
        chosen = re.search(r"(?m)^  int8 +(\w+) \(channel blocks of 16\)$", self.succeed("info"))[1]
        info = json.loads(self.succeed("info", "m.safetensors", "--json"))
        self.assertEqual(info["kernels"], chosen)


if __name__ == "__main__":
    main()
