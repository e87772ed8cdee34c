#!/usr/bin/python3
"""Tests of the options that change the preprocessing, against images that Pillow has prepared.

usage: preprocessing.py PROGRAM [unittest's arguments]"""

import json
import os
import unittest

import numpy

from case import Case, main
from models import write_bmp

try:
    from PIL import Image
except ImportError:
    Image = None

HEIGHT, WIDTH = 40, 48  # of the model's input


def numbers(size, seed=7):
    return numpy.random.default_rng(seed).integers(0, 256, (*size, 3), "u1")


class Preprocessing(Case):
    def setUp(self):
        super().setUp()
        self.init()

    def embed(self, pixels, *options):
        write_bmp("x.bmp", pixels)
        self.succeed("embed", "m.safetensors", "x.bmp", "--output", "x.npy", *options)
        return numpy.load("x.npy").tobytes()

    @unittest.skipIf(Image is None, "no Pillow")
    def test_interpolation(self):
        photo = numbers((91, 73))
        seen = set()
        for name, kind in [
            ("bilinear", Image.BILINEAR),
            ("bicubic", Image.BICUBIC),
            ("nearest", Image.NEAREST),
            ("area", Image.BOX),
        ]:
            small = numpy.asarray(Image.fromarray(photo).resize((WIDTH, HEIGHT), kind))
            vector = self.embed(photo, "--interpolation", name)
            self.assertEqual(vector, self.embed(small), name)
            seen.add(vector)
        self.assertEqual(len(seen), 4)
        self.assertIn(self.embed(photo), seen)  # bilinear, by default

    def test_tensorflow(self):
        """Centres of pixels meet where the image is three times the size: every third is taken."""
        photo = numbers((3 * HEIGHT, 3 * WIDTH))
        for name in "nearest", "bilinear", "bicubic":
            vector = self.embed(photo, "--resampling", "tensorflow", "--interpolation", name)
            self.assertEqual(vector, self.embed(photo[1::3, 1::3].copy()), name)
        self.assertNotEqual(self.embed(photo, "--resampling", "pillow"), vector)

    def test_fit(self):
        """An image of half the height of the input, with nothing to interpolate."""
        flat = numpy.full((HEIGHT // 2, WIDTH, 3), (200, 100, 50), "u1")
        whole = numpy.full((HEIGHT, WIDTH, 3), (200, 100, 50), "u1")
        for fit in "crop", "squash", "cover":
            self.assertEqual(self.embed(flat, "--fit", fit), self.embed(whole), fit)
        for options, colour in [
            ((), (0, 0, 0)),
            (("--fill=9",), (9, 9, 9)),
            (("--fill", "1,2,3"), (1, 2, 3)),
        ]:
            boxed = numpy.full((HEIGHT, WIDTH, 3), colour, "u1")
            boxed[HEIGHT // 4 : 3 * HEIGHT // 4] = flat
            for resampling in "pillow", "tensorflow":
                vector = self.embed(flat, "--fit=letterbox", "--interpolation=nearest", *options,
                                    "--resampling", resampling)  # fmt: skip
                self.assertEqual(vector, self.embed(boxed), options)

    @unittest.skipIf(Image is None, "no Pillow")
    def test_resize(self):
        photo = numbers((100, 200))
        middle = Image.fromarray(photo).resize((120, 60), Image.BILINEAR).crop((36, 10, 84, 50))
        self.assertEqual(self.embed(photo, "--resize", "60"), self.embed(numpy.asarray(middle)))
        self.assertEqual(self.embed(photo, "--resize", "0"), self.embed(photo))

    def test_classify_and_evaluate(self):
        """Where they see the same, they say the same."""
        large = numbers((3 * HEIGHT, 3 * WIDTH))
        for folder, pixels in ("large", large), ("small", large[1::3, 1::3].copy()):
            os.makedirs(f"{folder}/3")
            write_bmp(f"{folder}/3/a.bmp", pixels)
        options = ("--interpolation=nearest", "--resampling=tensorflow")

        def classes(folder, *options):
            output = self.succeed("classify", "m.safetensors", f"{folder}/3/a.bmp", "--json", *options)
            return json.loads(output)[0]["classes"]

        self.assertEqual(classes("large", *options), classes("small"))
        self.assertNotEqual(classes("large"), classes("small"))
        best = classes("small")[0]["index"]
        os.rename("large/3", f"large/{best}")
        output, _ = self.run_command("evaluate", "m.safetensors", "large", "--json", *options)
        self.assertEqual(json.loads(output)["top1"], 1)

    def test_errors_name_the_option(self):
        write_bmp("x.bmp", numbers((9, 9)))
        for message, *options in [
            ("--resize: '-1' is not a whole number from 0 to 65536", "--resize=-1"),
            ("--resize: '65537' is not a whole number", "--resize=65537"),
            ("--interpolation: 'lanczos' is none of bilinear, bicubic, nearest, area",
             "--interpolation", "lanczos"),
            ("--resampling: 'opencv' is none of pillow, tensorflow", "--resampling=opencv"),
            ("--fit: 'fill' is none of crop, squash, letterbox, cover", "--fit=fill"),
            ("--fill: '256' is not a number from 0 to 255", "--fill=256"),
            ("--fill: '1,2,' is not", "--fill=1,2,"),
            ("--fill: '1,2,3,4,5' is not", "--fill=1,2,3,4,5"),
            ("--fill: 'nan' is not", "--fill=nan"),
        ]:  # fmt: skip
            for command in "classify", "embed", "evaluate":
                self.fail_with(2, message, command, "m.safetensors", "x.bmp", *options)
        message = "--fill: 2 numbers, but the network reads 3 channels"
        self.fail_with(1, message, "classify", "m.safetensors", "x.bmp", "--fill=1,2")


if __name__ == "__main__":
    main()
