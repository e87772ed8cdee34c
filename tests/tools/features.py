#!/usr/bin/python3
"""`mobilenet features` and `mobilenet embed`.

usage: features.py MOBILENET [unittest's arguments]"""

import json
import os
import struct

import numpy

from case import Case, main
from models import write_bmp
from tables import write_table


def behead(path):
    """Takes the tensors of the classifier, which are the last, out of a model file."""
    with open(path, "rb") as file:
        contents = file.read()
    (length,) = struct.unpack("<Q", contents[:8])
    header = json.loads(contents[8 : 8 + length])
    data = contents[8 + length :]
    for name in [n for n in header if n.startswith("classifier")]:
        data = data[: header.pop(name)["data_offsets"][0]]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class Features(Case):
    def setUp(self):
        super().setUp()
        self.init()
        self.images = numpy.random.default_rng(1).standard_normal((2, 40, 48, 3)).astype("f4")
        numpy.save("x.npy", self.images)

    def features(self, *arguments, folder="f"):
        self.succeed("features", "m.safetensors", "-i", "x.npy", "-o", folder, *arguments)
        arrays = {n[:-4]: numpy.load(f"{folder}/{n}") for n in os.listdir(folder)}
        for array in arrays.values():
            self.assertEqual(array.dtype, numpy.float32)
        return arrays

    def test_shapes_and_layouts(self):
        names = ["stride8", "block3", "pool", "features.5.conv.1.0"]
        rows = self.features(*[a for n in names for a in ("--stage", n)])
        self.assertEqual(sorted(rows), sorted(names))
        self.assertEqual(rows["stride8"].shape[:3], (2, 5, 6))
        self.assertEqual(rows["pool"].shape, (2, 1280))
        planes = self.features("--stage", *names, "--layout", "nchw", folder="g")
        for name in names[:2] + names[3:]:
            self.assertEqual(
                planes[name].tobytes(), rows[name].transpose(0, 3, 1, 2).tobytes(), name
            )
        self.assertEqual(planes["pool"].tobytes(), rows["pool"].tobytes())
        # The head's map pooled is the pool; the linear layer applied is what run gives.
        head = self.features("--stage", "stride32", "classifier.1", folder="h")
        mean = head["stride32"].mean(axis=(1, 2))
        self.assertLess(numpy.abs(mean - rows["pool"]).max(), 1e-5)
        self.succeed("run", "m.safetensors", "-i", "x.npy", "-o", "y.npy")
        self.assertEqual(head["classifier.1"].tobytes(), numpy.load("y.npy").tobytes())

    def test_a_model_without_a_head(self):
        expected = self.features("--stage", "pool")
        behead("m.safetensors")
        self.assertEqual(self.features("--stage", "pool")["pool"].tobytes(), expected["pool"].tobytes())
        self.fail_with(
            1, "classifier.1.", "features", "m.safetensors", "-i", "x.npy", "-o", "f",
            "--stage", "classifier.1",
        )  # fmt: skip
        self.fail_with(1, "classifier.1.", "run", "m.safetensors", "-i", "x.npy", "-o", "y.npy")

    def test_a_file_of_a_network_without_a_classifier(self):
        table = {
            "stem": {"channels": 8, "activation": "relu"}, "batch_norm": False, "logits": False,
            "rows": [{"kernel": 3, "strides": [2, 2], "channels": 5, "activation": "relu"}],
            "hidden": [{"channels": 4, "activation": "relu"}],
        }  # fmt: skip
        tensors = write_table("m.safetensors", table)
        found = self.features("--stage", "stride4", "pool", "classifier.0")
        self.assertEqual(found["stride4"].shape, (2, 10, 12, 5))
        numpy.testing.assert_allclose(found["pool"], found["stride4"].mean((1, 2)), rtol=1e-4)
        weight, bias = (tensors[f"classifier.0.{name}"] for name in ("weight", "bias"))
        hidden = numpy.maximum(found["pool"] @ weight.T + bias, 0)
        numpy.testing.assert_allclose(found["classifier.0"], hidden, rtol=1e-4, atol=1e-6)
        self.assertIn("0 classes", self.succeed("plan", "m.safetensors"))
        reason = "m.safetensors: has no classifier; `mobilenet features' and"
        self.fail_with(1, reason, "run", "m.safetensors", "-i", "x.npy", "-o", "y.npy")
        self.fail_with(1, reason, "classify", "m.safetensors", "x.bmp")
        self.fail_with(1, reason, "evaluate", "m.safetensors", ".")
        profile = json.loads(self.succeed("profile", "m.safetensors", "--json"))
        self.assertEqual(profile["steps"][-1]["layers"][-1]["name"], "classifier.0")

    def test_list(self):
        lines = self.succeed("features", "m.safetensors", "--list").splitlines()
        self.assertEqual(lines[0].split(), ["stage", "shape", "layer"])
        table = {line.split()[0]: line.split()[1:] for line in lines[1:]}
        self.assertEqual(table["pool"], ["1x1x1280", "avgpool"])
        self.assertEqual(table["stride16"][1], "features.14.conv.0.0")
        self.assertEqual(table["classifier.1"], ["1x1x7"])
        counts = json.loads(self.succeed("count", "mobilenet_v2", "--json"))
        self.assertLessEqual({layer["name"] for layer in counts["layers"]}, set(table))

    def test_errors_name_the_thing(self):
        run = ["features", "m.safetensors", "-i", "x.npy", "-o"]
        errors = self.fail_with(1, "no stage 'strid8'", *run, "f", "--stage", "strid8")
        for name in "stride8", "block16", "pool", "features.0.0":
            self.assertIn(name, errors)
        self.assertFalse(os.path.exists("f"))
        self.fail_with(1, "mobilenet: no/f: No such file", *run, "no/f", "--stage", "pool")
        self.fail_with(1, "mobilenet: x.npy/pool.npy: Not a dir", *run, "x.npy", "--stage", "pool")
        numpy.save("x.npy", self.images[0])
        self.fail_with(1, "x.npy: shape (40, 48, 3), expected", *run, "f", "--stage", "pool")
        for message, *arguments in [
            ("missing argument: MODEL",),
            ("missing option: --input", "m"),
            ("missing option: --output", "m", "-i", "x"),
            ("missing option: --stage", "m", "-i", "x", "-o", "f"),
            ("too many arguments: 'n'", "m", "n", "-i", "x", "-o", "f"),
            ("--layout: 'hwc' is not nhwc or nchw", "m", "--layout", "hwc"),
        ]:
            self.fail_with(2, message, "features", *arguments)


class Embed(Case):
    def setUp(self):
        super().setUp()
        self.init("mobilenet_v3_small")
        generator = numpy.random.default_rng(2)
        self.pixels = generator.integers(0, 256, (3, 40, 48, 3), "u1")
        self.paths = [f"{i}.bmp" for i in range(3)]
        for path, pixels in zip(self.paths, self.pixels):
            write_bmp(path, pixels)

    def test_is_the_pool_of_the_preprocessed_image(self):
        """Of the model's size, and without a mean in the model file: pixels go to -1..1."""
        numpy.save("x.npy", (self.pixels / 127.5 - 1).astype("f4"))
        self.succeed("features", "m.safetensors", "-i", "x.npy", "-o", ".", "--stage", "pool")
        expected = numpy.load("pool.npy")
        self.succeed("embed", "m.safetensors", *self.paths, "--output", "e.npy")
        vectors = numpy.load("e.npy")
        self.assertEqual((vectors.dtype, vectors.shape), (numpy.float32, expected.shape))
        self.assertLess(numpy.abs(vectors - expected).max(), 1e-5)
        behead("m.safetensors")
        self.succeed("embed", "m.safetensors", *self.paths, "-o", "h.npy", "--threads", "2")
        self.assertEqual(numpy.load("h.npy").tobytes(), vectors.tobytes())
        self.succeed("embed", "m.safetensors", "--normalize", *self.paths, "-o", "n.npy")
        unit = vectors / numpy.linalg.norm(vectors.astype("f8"), axis=1, keepdims=True)
        self.assertLess(numpy.abs(numpy.load("n.npy") - unit).max(), 1e-6)

    def test_names_are_beside_the_rows(self):
        for output, names in ("e.npy", "e.txt"), ("rows", "rows.txt"), (".npy", ".npy.txt"):
            self.succeed("embed", "m.safetensors", "./0.bmp", *self.paths[1:], "-o", output)
            with open(names) as file:
                self.assertEqual(file.read(), "./0.bmp\n1.bmp\n2.bmp\n")
            self.assertEqual(len(numpy.load(output)), 3)
        os.rename("0.bmp", "a\nb.bmp")
        self.succeed("embed", "m.safetensors", "a\nb.bmp", "-o", "e.npy")
        with open("e.txt") as file:
            self.assertEqual(file.read(), "a?b.bmp\n")
        before = set(os.listdir())
        self.succeed("embed", "m.safetensors", "1.bmp", "-o", "/dev/null")
        self.assertEqual(set(os.listdir()), before)
        self.assertFalse(os.path.exists("/dev/null.txt"))

    def test_bad_images_are_left_out_and_named(self):
        with open("bad.bmp", "wb") as file:
            file.write(b"BMx")
        self.succeed("embed", "m.safetensors", *self.paths, "--normalize", "-o", "e.npy")
        output, errors = self.run_command(
            "embed", "m.safetensors", "none.bmp", "0.bmp", "bad.bmp", "1.bmp", "2.bmp", ".",
            "--normalize", "-o", "some.npy", status=1,
        )  # fmt: skip
        self.assertEqual(output, "")
        self.assertEqual(
            errors,
            "mobilenet: none.bmp: No such file or directory\n"
            "mobilenet: bad.bmp: truncated BMP\n"
            "mobilenet: .: Is a directory\n"
            "mobilenet: 3 of 6 images are in some.npy\n",
        )
        numpy.testing.assert_array_equal(numpy.load("some.npy"), numpy.load("e.npy"))
        with open("some.txt") as file:
            self.assertEqual(file.read(), "0.bmp\n1.bmp\n2.bmp\n")
        errors = self.fail_with(
            1, "mobilenet: bad.bmp: ", "embed", "m.safetensors", "bad.bmp", "-o", "no.npy"
        )
        self.assertIn("mobilenet: no.npy: not written: no image could be read\n", errors)
        self.assertFalse(os.path.exists("no.npy") or os.path.exists("no.txt"))
        self.fail_with(
            1, "mobilenet: no/e.npy: No such file", "embed", "m.safetensors", "0.bmp", "-o", "no/e.npy"
        )

    def test_usage(self):
        self.fail_with(2, "missing option: --output", "embed", "m.safetensors", "0.bmp")
        self.fail_with(2, "MODEL and IMAGE", "embed", "m.safetensors", "-o", "e.npy")


if __name__ == "__main__":
    main()
