#!/usr/bin/python3
"""The `mobilenet` command, run as its users run it: init, run and classify, on small models.

usage: models.py MOBILENET [unittest's arguments]"""

import json
import os
import re
import struct
import subprocess

import numpy

from case import ISAS, NETWORKS, PROGRAM, Case, main


def relabel(path, metadata):
    """Changes a model file's metadata, as the format says it."""
    with open(path, "rb") as file:
        contents = file.read()
    (length,) = struct.unpack("<Q", contents[:8])
    header = json.loads(contents[8 : 8 + length])
    header["__metadata__"].update(metadata)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + contents[8 + length :])


class Init(Case):
    def test_writes_what_the_options_say(self):
        for network in NETWORKS:
            path = self.init(network, f"{network}.safetensors")
            with open(path, "rb") as file:
                header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            metadata = header.pop("__metadata__")
            self.assertEqual(metadata["format"], "mobilenet/1")
            self.assertEqual(metadata["network"], network)
            self.assertEqual((metadata["input_height"], metadata["input_width"]), ("40", "48"))
            self.assertEqual(metadata["classes"], "7")
            size = [] if network.endswith("article") else ["--width", "0.35"]
            counts = json.loads(
                self.succeed("count", network, "--classes", "7", "--json", *size)
            )
            elements = sum(
                int(numpy.prod(tensor["shape"]))
                for name, tensor in header.items()
                if not name.endswith("num_batches_tracked")
            )
            self.assertEqual(elements, counts["parameters"] + counts["batch_norm_statistics"])

    def test_other_channels(self):
        """A grey image runs through grey, RGB and RGBA networks; every command counts channels."""
        write_bmp("grey.bmp", numpy.arange(50 * 40).reshape(50, 40, 1).repeat(3, 2) % 256)
        for channels in 1, 2, 4:
            path = self.init("mobilenet_v3_small", "c.safetensors", "--channels", str(channels))
            numpy.save("x.npy", numpy.ones((2, 40, 48, channels), "f4"))
            self.succeed("run", path, "-i", "x.npy", "-o", "y.npy")
            self.assertEqual(numpy.load("y.npy").shape, (2, 7))
            self.succeed("features", path, "-i", "x.npy", "-o", "f", "--stage", "pool")
            self.assertEqual(len(json.loads(self.succeed("classify", path, "grey.bmp", "--json"))), 1)
            self.succeed("embed", path, "grey.bmp", "-o", "e.npy")
            for command in "plan", "profile":
                printed = json.loads(self.succeed(command, path, "--json"))
                self.assertEqual(printed["input_channels"], channels)
            printed = json.loads(
                self.succeed("count", "mobilenet_v3_small", "--channels", str(channels), "--json")
            )
            self.assertEqual(printed["layers"][0]["weights"], 9 * channels * 16)
            numpy.save("x.npy", numpy.ones((2, 40, 48, 3), "f4"))
            self.fail_with(
                1, f"expected (N, height, width, {channels})", "run", path, "-i", "x.npy", "-o", "z"
            )

    def test_the_seed_decides(self):
        contents = []
        for path, *seed in [("a",), ("b", "--seed", "0"), ("c", "--seed", str(2**64 - 1))]:
            self.init("mobilenet_v1", path, *seed)
            with open(path, "rb") as file:
                contents.append(file.read())
        self.assertEqual(contents[0], contents[1])
        self.assertNotEqual(contents[0], contents[2])

    def test_writes_nothing_where_it_cannot(self):
        self.fail_with(1, "mobilenet: no/m: No such file", "init", "mobilenet_v1", "no/m")
        self.assertEqual(os.listdir(), [])


class Info(Case):
    def test_says_what_the_file_holds(self):
        self.init("mobilenet_v2", "m.safetensors", "--padding", "same")
        labels = ["a", "b\x1b", "c", "d", "e", "f", "ü"]
        relabel("m.safetensors", {"resize": "56", "mean": "[0.485,0.456,0.406]",
                                  "labels": json.dumps(labels)})  # fmt: skip
        info = json.loads(self.succeed("info", "m.safetensors", "--json"))
        count = json.loads(
            self.succeed("count", "mobilenet_v2", "--width", "0.35", "--resolution", "40x48",
                         "--classes", "7", "--padding", "same", "--json")
        )  # fmt: skip
        for key in ("network", "source", "padding", "width", "input", "input_channels", "classes",
                    "parameters", "batch_norm_statistics", "multiply_adds"):  # fmt: skip
            self.assertEqual(info[key], count[key], key)
        self.assertEqual(info["file"], "m.safetensors")
        self.assertEqual(info["preprocessing"]["resize"], 56)
        self.assertEqual(info["preprocessing"]["interpolation"], "bilinear")
        self.assertEqual(info["preprocessing"]["resampling"], "pillow")
        self.assertEqual(info["preprocessing"]["fit"], "crop")
        self.assertEqual(info["preprocessing"]["fill"], [0.0] * 3)
        self.assertEqual(info["preprocessing"]["mean"], [0.485, 0.456, 0.406])
        self.assertEqual(info["preprocessing"]["standard_deviation"], [0.5] * 3)
        self.assertEqual((info["probabilities"], info["classifier"]), ("softmax", True))
        self.assertEqual(info["labels"], labels)
        self.assertEqual(info["bytes"]["file"], os.path.getsize("m.safetensors"))
        plan = json.loads(self.succeed("plan", "m.safetensors", "--json"))
        self.assertEqual(info["bytes"]["loaded"], plan["memory"]["model"])
        self.assertEqual(info["bytes"]["context"], plan["memory"]["context"])
        text = self.succeed("info", "m.safetensors")
        for part in (
            "m.safetensors: mobilenet_v2, width 0.35", "torchvision, same padding", "40x48, RGB",
            "shorter side 56, fit crop, bilinear as in Pillow", "0.485, 0.456, 0.406", "7 classes", "softmax",
            "a (0), b? (1), ... ü (6)",
        ):  # fmt: skip
            self.assertIn(part, text)

    def test_of_other_outputs_and_channels(self):
        self.init("mobilenet_v1", "m.safetensors", "--channels", "2")
        relabel("m.safetensors", {"probabilities": "sigmoid", "interpolation": "bicubic",
                                  "resampling": "tensorflow", "fit": "letterbox",
                                  "fill": "[12.5,255]"})  # fmt: skip
        text = self.succeed("info", "m.safetensors")
        for part in "grey and alpha", "to the input's size, fit letterbox, bicubic as in TensorFlow", \
                "12.5, 255":  # fmt: skip
            self.assertIn(part, text)
        self.assertIn("sigmoid", text)
        self.assertRegex(text, "labels +none")
        info = json.loads(self.succeed("info", "m.safetensors", "--json"))
        self.assertEqual((info["input_channels"], info["probabilities"]), (2, "sigmoid"))
        self.assertEqual(info["preprocessing"]["fill"], [12.5, 255.0])
        self.assertEqual(info["preprocessing"]["mean"], [0.5] * 2)
        self.assertIsNone(info["labels"])

    def test_of_a_file_that_lacks_its_classifier(self):
        from features import behead

        self.init()
        behead("m.safetensors")
        self.assertIn("lacks the classifier", self.succeed("info", "m.safetensors"))
        info = json.loads(self.succeed("info", "m.safetensors", "--json"))
        self.assertFalse(info["classifier"])
        self.fail_with(1, "mobilenet: none: No such file", "info", "none")


class Run(Case):
    def run_model(self, values, *options, model="m.safetensors"):
        numpy.save("x.npy", values)
        self.succeed("run", model, "--input", "x.npy", "--output", "y.npy", *options)
        output = numpy.load("y.npy")
        self.assertEqual(output.dtype, numpy.float32)
        return output

    def images(self, *shape):
        return numpy.random.default_rng(1).standard_normal(shape).astype("f4")

    def test_logits_and_probabilities(self):
        self.init()
        values = self.images(3, 40, 48, 3)
        logits = self.run_model(values)
        self.assertEqual(logits.shape, (3, 7))
        self.assertGreater(logits.std(), 0)
        powers = numpy.exp(logits.astype("f8") - logits.max(axis=1, keepdims=True))
        probabilities = self.run_model(values, "--probabilities")
        expected = powers / powers.sum(axis=1, keepdims=True)
        self.assertLess(numpy.abs(probabilities - expected).max(), 1e-6)
        # One by one, or with more threads: the same bits.
        for i in range(3):
            self.assertEqual(self.run_model(values[i : i + 1]).tobytes(), logits[i].tobytes())
        self.assertEqual(self.run_model(values, "--threads", "2").tobytes(), logits.tobytes())

    def test_any_size_of_every_network(self):
        for network in NETWORKS:
            path = self.init(network, f"{network}.safetensors")
            with self.subTest(network):
                output = self.run_model(self.images(1, 33, 64, 3), model=path)
                self.assertEqual(output.shape, (1, 7))
                self.assertTrue(numpy.isfinite(output).all())

    def test_instruction_sets_agree(self):
        self.init()
        values = self.images(1, 40, 48, 3)
        expected = self.run_model(values, "--isa", "scalar")
        usable = re.search(r"usable +(.*)", self.succeed("info")).group(1).split(", ")
        for isa in usable:
            output = self.run_model(values, "--isa", isa)
            self.assertLess(numpy.abs(output - expected).max(), 1e-4 * numpy.ptp(expected))
        foreign = [isa for isa in ISAS if isa not in usable]
        self.assertTrue(foreign, "no machine has them all")
        errors = self.fail_with(
            1, "m.safetensors", "run", "m.safetensors", "-i", "x.npy", "-o", "z.npy",
            "--isa", ",".join(foreign),
        )  # fmt: skip
        self.assertIn("scalar", errors)
        self.assertFalse(os.path.exists("z.npy"))

    def test_accepts_numpy_versions(self):
        self.init()
        values = self.images(1, 40, 48, 3)
        expected = self.run_model(values)
        for version in (1, 0), (2, 0), (3, 0):
            with open("x.npy", "wb") as file:
                numpy.lib.format.write_array(file, values, version=version)
            self.succeed("run", "m.safetensors", "-i", "x.npy", "-o", "y.npy")
            self.assertEqual(numpy.load("y.npy").tobytes(), expected.tobytes())

    def test_says_what_is_wrong_with_the_input(self):
        self.init()
        good = self.images(2, 40, 48, 3)
        for values, message in [
            (good.astype("f8"), "type '<f8', expected float32"),
            (good.astype("u1"), "type '|u1', expected float32"),
            (good.astype(">f4"), "big-endian"),
            (numpy.asfortranarray(good), "Fortran order"),
            (good[0], "shape (40, 48, 3), expected (N, height, width, 3)"),
            (good[:0], "shape (0, 40, 48, 3), expected (N"),
            (good[..., :1], "shape (2, 40, 48, 1), expected (N"),
            (good.reshape(2, 3, 40, 48), "shape (2, 3, 40, 48), expected (N"),
            (good[:, :31], "input_height: 31 is outside 32 to 1024"),
            (self.images(1, 32, 1025, 3), "input_width: 1025 is outside 32 to 1024"),
        ]:
            numpy.save("x.npy", values)
            with self.subTest(message):
                self.fail_with(
                    1, f"mobilenet: x.npy: {message}", "run", "m.safetensors",
                    "--input", "x.npy", "--output", "y.npy",
                )  # fmt: skip
        numpy.save("x.npy", good)
        with open("x.npy", "r+b") as file:
            file.truncate(os.path.getsize("x.npy") - 1)
        self.fail_with(
            1, "mobilenet: x.npy: ", "run", "m.safetensors", "-i", "x.npy", "-o", "y.npy"
        )
        self.assertFalse(os.path.exists("y.npy"))

    def test_names_the_file_that_fails(self):
        self.init()
        numpy.save("x.npy", self.images(1, 40, 48, 3))
        for model, source, target, message in [
            ("none", "x.npy", "y.npy", "mobilenet: none: No such file"),
            ("x.npy", "x.npy", "y.npy", "mobilenet: x.npy: "),
            ("m.safetensors", "none", "y.npy", "mobilenet: none: No such file"),
            ("m.safetensors", "m.safetensors", "y.npy", "m.safetensors: not a .npy file"),
            ("m.safetensors", "x.npy", "no/y.npy", "mobilenet: no/y.npy: No such file"),
        ]:
            self.fail_with(1, message, "run", model, "--input", source, "--output", target)
        self.assertEqual(sorted(os.listdir()), ["m.safetensors", "x.npy"])


def write_bmp(path, pixels):
    """24 bits, rows from the bottom."""
    height, width, _ = pixels.shape
    rows = [row[:, ::-1].tobytes() for row in pixels[::-1]]
    rows = [row + bytes(-len(row) % 4) for row in rows]
    data = b"".join(rows)
    with open(path, "wb") as file:
        file.write(struct.pack("<2sIII", b"BM", 54 + len(data), 0, 54))
        file.write(struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0))
        file.write(data)


class Classify(Case):
    def setUp(self):
        super().setUp()
        self.init()
        self.pixels = numpy.random.default_rng(2).integers(0, 256, (40, 48, 3), "u1")
        write_bmp("a.bmp", self.pixels)

    def classify(self, *arguments):
        return json.loads(self.succeed("classify", "m.safetensors", *arguments, "--json"))

    def label(self, *labels):
        relabel("m.safetensors", {"labels": json.dumps(labels)})

    def test_agrees_with_run(self):
        """An image of the model's size needs no resizing; the model file has no mean and no
        standard deviation, so that pixels go to -1..1."""
        relabel("m.safetensors", {"mean": "[0.5, 0.5, 0.5]", "std": "[0.5, 0.5, 0.5]", "resize": "0"})
        numpy.save("x.npy", (self.pixels[None] / 127.5 - 1).astype("f4"))
        self.succeed("run", "m.safetensors", "-i", "x.npy", "-o", "y.npy", "--softmax")
        expected = numpy.load("y.npy")[0]
        (result,) = self.classify("a.bmp", "--top", "7")
        order = [c["index"] for c in result["classes"]]
        self.assertEqual(order, list(numpy.argsort(-expected)))
        for c in result["classes"]:
            self.assertAlmostEqual(c["probability"], float(expected[c["index"]]), places=5)

    def test_text(self):
        self.label("a", "b", "c", "d", "e", "f", "g")
        output = self.succeed("classify", "m.safetensors", "a.bmp", "a.bmp", "--top", "3")
        number = r"  \d\.\d{3}  [a-g] \([0-6]\)\n"
        self.assertRegex(output, rf"^(a\.bmp: \d+\.\d ms\n({number}){{3}}){{2}}$")

    def test_text_without_labels(self):
        output = self.succeed("classify", "m.safetensors", "a.bmp", "--top", "1")
        self.assertRegex(output, r"^a\.bmp: \d+\.\d ms\n  \d\.\d{3}  class [0-6]\n$")

    def test_json(self):
        self.label("köttbullar", *"bcdef", "\x1b[31mred")
        (result,) = self.classify("a.bmp", "--top", "100")
        self.assertEqual(sorted(result), ["classes", "file", "milliseconds"])
        self.assertEqual(result["file"], "a.bmp")
        self.assertGreater(result["milliseconds"], 0)
        classes = result["classes"]
        self.assertEqual(len(classes), 7)
        labels = {c["index"]: c["label"] for c in classes}
        self.assertEqual((labels[0], labels[6]), ("köttbullar", "\x1b[31mred"))
        probabilities = [c["probability"] for c in classes]
        self.assertEqual(probabilities, sorted(probabilities, reverse=True))
        self.assertAlmostEqual(sum(probabilities), 1, places=5)
        # On a terminal a label does not get to send escape sequences.
        output = self.succeed("classify", "m.safetensors", "a.bmp", "--top", "7")
        self.assertIn("?[31mred", output)
        self.assertIn("köttbullar", output)

    def test_top_is_5_by_default(self):
        self.assertEqual(len(self.classify("a.bmp")[0]["classes"]), 5)

    def test_a_bad_file_among_several(self):
        with open("bad.png", "wb") as file:
            file.write(b"not an image")
        arguments = ["classify", "m.safetensors", "a.bmp", "none.jpg", "bad.png", "a.bmp"]
        output, errors = self.run_command(*arguments, status=1)
        self.assertEqual(output.count("a.bmp: "), 2)
        self.assertEqual(
            errors,
            "mobilenet: none.jpg: No such file or directory\n"
            "mobilenet: bad.png: not a JPEG, PNG or BMP image\n",
        )
        output, json_errors = self.run_command(*arguments, "--json", status=1)
        self.assertEqual(json_errors, errors)
        results = json.loads(output)
        self.assertEqual(
            [r["file"] for r in results], ["a.bmp", "none.jpg", "bad.png", "a.bmp"]
        )
        self.assertEqual([("error" in r) for r in results], [False, True, True, False])
        self.assertEqual(results[2]["error"], "not a JPEG, PNG or BMP image")

    def test_a_name_that_is_not_utf8(self):
        name = b"caf\xe9.bmp"
        os.rename(b"a.bmp", name)
        output = subprocess.run(
            [PROGRAM, "classify", "--json", "m.safetensors", name], capture_output=True
        )
        self.assertEqual(output.returncode, 0)
        self.assertEqual(json.loads(output.stdout)[0]["file"], "caf?.bmp")

    def test_a_name_like_an_option(self):
        os.rename("a.bmp", "--top")
        output = self.succeed("classify", "--top", "2", "m.safetensors", "--", "--top")
        self.assertTrue(output.startswith("--top: "))

    def test_threads_and_isa(self):
        expected = [r["classes"] for r in self.classify("a.bmp")]
        self.assertEqual([r["classes"] for r in self.classify("a.bmp", "--threads", "4")], expected)
        scalar = self.classify("a.bmp", "--isa", "scalar")[0]["classes"]
        for one, other in zip(scalar, expected[0]):
            self.assertAlmostEqual(one["probability"], other["probability"], places=4)

    def test_a_model_that_cannot_be_loaded(self):
        self.fail_with(1, "mobilenet: none: No such file", "classify", "none", "a.bmp")
        errors = self.fail_with(1, "mobilenet: a.bmp: ", "classify", "a.bmp", "a.bmp")
        self.assertEqual(errors.count("\n"), 1)
        errors = self.fail_with(
            1, "MOBILENET_ISA", "classify", "m.safetensors", "a.bmp",
            environment={"MOBILENET_ISA": "avx3"},
        )  # fmt: skip
        for isa in ISAS:
            self.assertIn(isa, errors)


if __name__ == "__main__":
    main()
