#!/usr/bin/python3
"""The examples, beside the `mobilenet` command.

usage: examples.py MOBILENET FOLDER [unittest's arguments]

FOLDER holds the built examples."""

import json
import os
import re
import subprocess
import sys

import numpy

FOLDER = os.path.abspath(sys.argv.pop(2))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))

from case import FLOAT_ISAS, Case, main
from models import write_bmp


class Examples(Case):
    def setUp(self):
        super().setUp()
        self.init()
        self.pixels = numpy.random.default_rng(3).integers(0, 256, (50, 70, 3), "u1")
        with open("a.ppm", "wb") as file:
            file.write(b"P6\n70 50\n255\n" + self.pixels.tobytes())

    def example(self, name, *arguments, status=0, stdin=b""):
        done = subprocess.run(
            [os.path.join(FOLDER, name), *arguments], input=stdin, capture_output=True
        )
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stderr == b"", status == 0, done.stderr)
        return done.stdout.decode()

    def best(self, pixels, top):
        """[(index, probability)] from the command."""
        write_bmp("best.bmp", pixels)
        text = self.succeed("classify", "m.safetensors", "best.bmp", "--top", str(top), "--json")
        return [(c["index"], c["probability"]) for c in json.loads(text)[0]["classes"]]

    def test_classify(self):
        lines = self.example("classify", "m.safetensors", "a.ppm").splitlines()
        expected = self.best(self.pixels, 5)
        self.assertEqual(lines, [f"{p:.3f}  {i}  (no label)" for i, p in expected])
        self.example("classify", "m.safetensors", status=2)
        self.example("classify", "a.ppm", "a.ppm", status=1)
        self.example("classify", "m.safetensors", "m.safetensors", status=1)

    def test_backbone(self):
        """The strongest cells as numpy finds them in what `mobilenet features` writes, for an image
        of the model's size, whose file has no mean and standard deviation: pixels go to -1..1."""
        pixels = self.pixels[:40, :48]
        with open("a.ppm", "wb") as file:
            file.write(b"P6 48 40 255\n" + pixels.tobytes())
        numpy.save("x.npy", (pixels[None] / 127.5 - 1).astype("f4"))
        output = self.example("backbone", "m.safetensors", "a.ppm")
        rows = re.findall(
            r"(stride\d+) +(\d+) x +(\d+) cells of +(\d+) channels, "
            r"strongest \(([\d.]+)\) at pixel (\d+), (\d+)\n",
            output,
        )
        self.assertEqual([row[0] for row in rows], ["stride8", "stride16", "stride32"])
        self.succeed(
            "features", "m.safetensors", "-i", "x.npy", "-o", "f",
            "--stage", "stride8", "stride16", "stride32",
        )  # fmt: skip
        for (name, *numbers), stride in zip(rows, (8, 16, 32)):
            features = numpy.load(f"f/{name}.npy")[0]
            lengths = numpy.linalg.norm(features.astype("f8"), axis=2)
            row, column = numpy.unravel_index(lengths.argmax(), lengths.shape)
            height, width, channels, strongest, x, y = map(float, numbers)
            self.assertEqual((height, width, channels), features.shape)
            self.assertAlmostEqual(strongest, lengths.max(), delta=0.006)
            self.assertEqual((x, y), ((column + 0.5) * stride, (row + 0.5) * stride))
        self.example("backbone", "m.safetensors", "none.ppm", status=1)

    def test_frames(self):
        """The same frame again and again: its regions as the command classifies them alone."""
        frame = self.pixels.tobytes()
        with open("f.rgb", "wb") as file:
            file.write(frame * 4 + frame[:-1])  # the last one is cut off
        output = self.example("frames", "m.safetensors", "70", "50", "f.rgb")
        lines = output.splitlines()
        self.assertEqual(len(lines), 4)
        regions = self.pixels, self.pixels[:, :35], self.pixels[:, 35:]
        expected = [self.best(region, 1)[0] for region in regions]
        for number, line in enumerate(lines):
            got = re.findall(r"(?:frame|left|right): (\d\.\d+) (\d+) ", line + " ")
            self.assertEqual(int(line.split()[0]), number)
            for (probability, index), (best, most) in zip(got, expected, strict=True):
                self.assertEqual(int(index), best)
                self.assertAlmostEqual(float(probability), most, delta=0.0011)
        self.assertEqual(self.example("frames", "m.safetensors", "70", "50", stdin=frame * 4), output)
        self.example("frames", "m.safetensors", "0", "50", status=2)
        self.example("frames", "m.safetensors", "70", "50", "none.rgb", status=1)

    def test_kernels(self):
        usable = re.search(r"usable +(.*)", self.succeed("info")).group(1).split(", ")
        lines = self.example("kernels").splitlines()
        floats = [isa for isa in FLOAT_ISAS if isa in usable]
        self.assertEqual([line.split()[0] for line in lines], floats)


if __name__ == "__main__":
    main()
