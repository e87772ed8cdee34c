#!/usr/bin/python3
"""What the command decodes is what Pillow decodes, bit for bit.  Skipped without Pillow.

usage: pixels.py DECODE [unittest's arguments]

DECODE is the test program beside this file."""

import os
import subprocess
import unittest

import numpy

from case import PROGRAM, Case, main

try:
    from PIL import Image
except ImportError:
    Image = None


@unittest.skipIf(Image is None, "no Pillow")
class Pixels(Case):
    def decode(self, path):
        done = subprocess.run([PROGRAM, path], capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""), path)
        head, _, data = done.stdout.partition(b"\n")
        width, height = map(int, head.split())
        return numpy.frombuffer(data, "u1").reshape(height, width, 3)

    def check(self, path):
        with Image.open(path) as image:
            expected = numpy.asarray(image.convert("RGB"))
        pixels = self.decode(path)
        self.assertEqual(pixels.shape, expected.shape, path)
        self.assertEqual(pixels.tobytes(), expected.tobytes(), path)

    def picture(self, mode, width=61, height=43):
        """Gradients with noise: smooth enough for a JPEG, and no two channels alike."""
        channels = len(Image.new(mode, (1, 1)).getbands())
        rows, columns = numpy.mgrid[0:height, 0:width]
        noise = numpy.random.default_rng(3).integers(-20, 20, (height, width, channels))
        values = noise + numpy.stack(
            [(rows * (2 + c) + columns * (4 - c)) % 256 for c in range(channels)], axis=-1
        )
        values = numpy.clip(values, 0, 255).astype("u1")
        return Image.fromarray(values if channels > 1 else values[..., 0], mode)

    def test_jpeg(self):
        colour = self.picture("RGB")
        for i, options in enumerate(
            [
                {"quality": 95, "subsampling": 0},
                {"quality": 75, "subsampling": 1},
                {"quality": 30, "subsampling": 2},
                {"quality": 80, "progressive": True},
            ]
        ):
            colour.save(f"{i}.jpg", **options)
            self.check(f"{i}.jpg")
        self.picture("RGB", 1, 1).save("dot.jpg")
        self.check("dot.jpg")
        self.picture("L").save("grey.jpg")
        self.check("grey.jpg")
        self.picture("CMYK").save("cmyk.jpg", quality=90)
        self.check("cmyk.jpg")

    def test_png(self):
        for mode in "RGB", "RGBA", "L", "LA":
            self.picture(mode).save(f"{mode}.png")
            self.check(f"{mode}.png")
        self.picture("RGB").quantize(200).save("palette.png")
        self.picture("RGB").quantize(3).save("palette2.png", bits=2)
        self.picture("RGB").quantize(16).save("transparent.png", transparency=1)
        self.picture("L").convert("1").save("bits.png")
        for name in "palette", "palette2", "transparent", "bits":
            self.check(f"{name}.png")

    def test_png_of_16_bits_keeps_the_high_bytes(self):
        grey = numpy.arange(20 * 30, dtype="u2").reshape(20, 30) * 100
        Image.fromarray(grey).save("grey.png")
        pixels = self.decode("grey.png")
        self.assertTrue((pixels == (grey >> 8)[..., None]).all())

    def test_bmp(self):
        for name, image in [
            ("rgb", self.picture("RGB")),
            ("rgba", self.picture("RGBA")),
            ("grey", self.picture("L")),
            ("palette", self.picture("RGB").quantize(200)),
            ("bits", self.picture("L").convert("1")),
        ]:
            image.save(f"{name}.bmp")
            self.check(f"{name}.bmp")

    def test_real_photos(self):
        data = os.environ.get("MOBILENET_TEST_DATA")
        root = os.path.join(os.path.dirname(__file__), *[".."] * 3, "shared", "data")
        folder = os.path.join(data or root, "photos")
        if not os.path.isdir(folder):
            self.skipTest(f"no {folder}")
        names = [n for n in sorted(os.listdir(folder)) if n.endswith((".jpg", ".png", ".bmp"))]
        self.assertTrue(names)
        for name in names:
            self.check(os.path.join(folder, name))


if __name__ == "__main__":
    main()
