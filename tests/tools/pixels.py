#!/usr/bin/python3
"""What the command decodes is what Pillow decodes, bit for bit.  Skipped without Pillow.

usage: pixels.py DECODE [unittest's arguments]

DECODE is the test program beside this file."""

import os
import struct
import subprocess
import unittest
import zlib

import numpy

from case import PROGRAM, Case, main

try:
    from PIL import Image, ImageOps
except ImportError:
    Image = None


@unittest.skipIf(Image is None, "no Pillow")
class Pixels(Case):
    def decode(self, path, *alpha):
        done = subprocess.run([PROGRAM, path, *alpha], capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""), path)
        head, _, data = done.stdout.partition(b"\n")
        width, height, channels = map(int, head.split())
        return numpy.frombuffer(data, "u1").reshape(height, width, channels)

    def check_alpha(self, path):
        """The same file, decoded for networks that read alpha."""
        with Image.open(path) as image:
            expected = numpy.asarray(ImageOps.exif_transpose(image).convert("RGBA"))
        pixels = self.decode(path, "alpha")
        if pixels.shape[2] == 3:
            self.assertEqual(expected[..., 3].min(), 255)  # no PNG
            expected = expected[..., :3]
        self.assertEqual(pixels.shape, expected.shape, path)
        self.assertEqual(pixels.tobytes(), expected.tobytes(), path)

    def check(self, path):
        with Image.open(path) as image:
            expected = numpy.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        pixels = self.decode(path)
        self.assertEqual(pixels.shape, expected.shape, path)
        self.assertEqual(pixels.tobytes(), expected.tobytes(), path)
        self.check_alpha(path)
        return pixels

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

    def test_exif_orientation(self):
        """All eight ways, in JPEG and PNG, of an image that no two of them show alike."""
        seen = set()
        for orientation in range(10):  # 0 and 9 are none
            exif = Image.Exif()
            exif[0x010E] = "a description in front of it"
            exif[0x0112] = orientation
            for ending in "jpg", "png":
                self.picture("RGB").save(f"{orientation}.{ending}", exif=exif.tobytes())
                pixels = self.check(f"{orientation}.{ending}")
            self.picture("L").save("grey.jpg", exif=exif.tobytes())
            self.check("grey.jpg")
            seen.add((pixels.shape, pixels.tobytes()))
        self.assertEqual(len(seen), 8)

    def exif_jpeg(self, exif):
        self.picture("RGB").save("e.jpg", exif=b"Exif\0\0" + exif)
        return self.decode("e.jpg")

    def test_exif_of_any_kind(self):
        upright = self.exif_jpeg(b"")
        turned = numpy.rot90(upright, -1)
        entry = {">": struct.pack(">HHIHH", 0x112, 3, 1, 6, 0),
                 "<": struct.pack("<HHIHH", 0x112, 3, 1, 6, 0)}  # fmt: skip
        for order, name in (">", b"MM"), ("<", b"II"):
            head = name + struct.pack(f"{order}HIH", 42, 8, 1)
            good = head + entry[order]
            self.assertEqual(self.exif_jpeg(good).tobytes(), turned.tobytes())
            long = head + struct.pack(f"{order}HHII", 0x112, 4, 1, 6)
            self.assertEqual(self.exif_jpeg(long).tobytes(), turned.tobytes())
            bad = [good[:size] for size in range(len(good))]
            bad.append(name + struct.pack(f"{order}HIH", 43, 8, 1) + entry[order])
            bad.append(name + struct.pack(f"{order}HIH", 42, 0xFFFFFFFF, 1) + entry[order])
            bad.append(name + struct.pack(f"{order}HIH", 42, 9, 1) + entry[order])
            bad.append(head + struct.pack(f"{order}HHIHH", 0x112, 2, 1, 6, 0))
            bad.append(b"XX" + good[2:])
            for exif in bad:
                self.assertEqual(self.exif_jpeg(exif).tobytes(), upright.tobytes(), exif)

    def test_exif_behind_another_segment(self):
        exif = Image.Exif()
        exif[0x0112] = 8
        self.picture("RGB").save("a.jpg", exif=exif.tobytes())
        with open("a.jpg", "rb") as file:
            data = file.read()
        xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
        segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
        with open("a.jpg", "wb") as file:
            file.write(data[:2] + segment + data[2:])
        self.assertEqual(self.check("a.jpg").shape, (61, 43, 3))

    def test_sizes(self):
        for width, height in (1, 1), (1, 97), (97, 1), (65536, 2), (2, 65500):
            for ending in "png", "bmp", "jpg":
                if max(width, height) > 65500 and ending == "jpg":
                    continue  # libjpeg's limit
                path = f"{width}x{height}.{ending}"
                self.picture("RGB", width, height).save(path)
                self.check(path)

    def test_too_large(self):
        """Files of some bytes that would be images of gigabytes."""
        self.picture("RGB").save("a.png")
        with open("a.png", "rb") as file:
            png = bytearray(file.read())
        for width, height in (65537, 1), (1, 65537), (20000, 20000), (2**31 - 1, 2**31 - 1):
            png[16:24] = struct.pack(">II", width, height)
            png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
            with open("huge.png", "wb") as file:
                file.write(png)
            done = subprocess.run([PROGRAM, "huge.png"], capture_output=True)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout, b"")
            self.assertIn(b"image too large: %dx%d" % (width, height), done.stderr)

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

    KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # of a PNG, by its channels

    def write_png(self, path, values, more=()):
        """Pillow reads 16 bits of colour and chunks that it does not write."""
        height, width, channels = values.shape
        bits = 8 * values.itemsize
        rows = values.astype(values.dtype.newbyteorder(">")).reshape(height, -1)
        data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
        header = struct.pack(">IIBBBBB", width, height, bits, self.KINDS[channels], 0, 0, 0)
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
            for name, body in (b"IHDR", header), *more, (b"IDAT", data), (b"IEND", b""):
                crc = zlib.crc32(name + body)
                file.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc))

    def test_png_of_16_bits(self):
        values = numpy.random.default_rng(4).integers(0, 65536, (23, 31, 4), "u2")
        for channels in 2, 3, 4:
            self.write_png("deep.png", values[..., :channels])
            pixels = self.check("deep.png")
            colours = values[..., :3] if channels > 2 else values[..., :1]
            self.assertTrue((pixels == (colours >> 8)).all())

    def test_png_with_a_transparent_colour(self):
        values = numpy.random.default_rng(5).integers(0, 256, (23, 31, 3), "u1")
        for channels in 1, 3:
            colour = values[0, 0, :channels].astype(">u2").tobytes()
            self.write_png("key.png", values[..., :channels], [(b"tRNS", colour)])
            self.check("key.png")

    def test_16_bits_with_8_bits_in_them(self):
        """Would be black; Python refuses mode "I" of this kind, too."""
        values = numpy.zeros((9, 7, 4), "u2")
        for channels in self.KINDS:
            self.write_png("low.png", values[..., :channels])
            self.assertFalse(self.decode("low.png").any())
            low = values[..., :channels].copy()
            low[5, 5, 0] = 255
            self.write_png("low.png", low)
            done = subprocess.run([PROGRAM, "low.png"], capture_output=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"no value above 255", done.stderr)
            low[5, 5, 0] = 256
            self.write_png("low.png", low)
            self.assertEqual(self.decode("low.png").max(), 1)

    def test_grey_png_of_16_bits_keeps_the_high_bytes(self):
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

    def test_bmp_of_16_bits(self):
        """Every value of 5 and 6 bits, which become 8 in more than one way."""
        values = numpy.arange(65536, dtype="<u2").tobytes()
        for masks in b"", struct.pack("<III", 0x7C00, 0x3E0, 0x1F), struct.pack("<III", 0xF800, 0x7E0, 0x1F):
            start = 54 + len(masks)
            header = struct.pack("<IiiHHIIiiII", 40, 256, 256, 1, 16, 3 if masks else 0, 0, 0, 0, 0, 0)
            with open("16.bmp", "wb") as file:
                file.write(b"BM" + struct.pack("<IHHI", start + len(values), 0, 0, start))
                file.write(header + masks + values)
            self.check("16.bmp")

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
