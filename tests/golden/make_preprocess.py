#!/usr/bin/python3
"""Writes tests/golden/preprocess.h: what Pillow and torchvision make of small synthetic images.

The images come from integer formulas that tests/arch/test_preprocess.c has too, so that only
outputs are stored: their CRC-32, and the bytes of small ones.  Needs numpy, Pillow, torchvision.
"""

import pathlib
import zlib

import numpy
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import functional

STORED_BYTES = 192  # of larger outputs only the CRC-32 is kept

# pattern, width, height, resize, output height, output width
CASES = [
    # Straight to the output: same size, up, down, one direction each.
    ("NOISE", 5, 4, 0, 4, 5),
    ("NOISE", 8, 8, 0, 4, 4),
    ("NOISE", 2, 2, 0, 5, 5),
    ("RAMP", 3, 5, 0, 8, 8),
    ("BINARY", 7, 3, 0, 3, 7),
    ("NOISE", 7, 5, 0, 5, 3),
    ("NOISE", 7, 5, 0, 2, 7),
    ("NOISE", 4, 9, 0, 3, 8),
    ("BINARY", 33, 17, 0, 8, 8),
    ("NOISE", 31, 64, 0, 7, 9),
    ("NOISE", 3, 2, 0, 48, 64),
    ("RAMP", 300, 200, 0, 224, 224),
    # One pixel, one row, one column.
    ("NOISE", 1, 1, 0, 1, 1),
    ("NOISE", 1, 1, 0, 8, 8),
    ("NOISE", 1, 1, 8, 6, 7),
    ("NOISE", 1, 7, 0, 6, 5),
    ("NOISE", 9, 1, 0, 5, 6),
    ("NOISE", 9, 1, 4, 4, 6),
    ("NOISE", 1, 9, 3, 6, 3),
    ("NOISE", 6, 6, 0, 1, 1),
    # Huge reductions: windows of thousands of pixels, more rows than are kept.
    ("NOISE", 5000, 3, 0, 32, 32),
    ("BINARY", 3, 5000, 0, 32, 32),
    ("BINARY", 65536, 1, 0, 2, 2),
    ("BINARY", 1, 65536, 0, 2, 2),
    ("NOISE", 65536, 2, 0, 3, 300),
    ("NOISE", 40, 1500, 0, 20, 20),
    ("BINARY", 700, 900, 10, 8, 8),
    # Resize and crop: (resized - output) of 0 to 7, whose halves round to even.
    ("NOISE", 12, 12, 8, 8, 8),
    ("NOISE", 12, 12, 9, 8, 8),
    ("NOISE", 12, 12, 10, 8, 8),
    ("NOISE", 12, 12, 11, 8, 8),
    ("NOISE", 12, 12, 13, 8, 8),
    ("NOISE", 12, 12, 15, 8, 8),
    ("NOISE", 11, 14, 11, 5, 6),
    ("NOISE", 17, 33, 9, 8, 8),
    ("NOISE", 33, 17, 9, 8, 8),
    ("NOISE", 427, 640, 256, 224, 224),
    ("NOISE", 641, 481, 256, 224, 224),
    ("RAMP", 512, 343, 232, 160, 224),
    ("BINARY", 90, 70, 256, 224, 224),
    ("NOISE", 1000, 10, 20, 16, 16),
    # The crop is larger than the image: black around it.
    ("RAMP", 7, 7, 7, 8, 8),
    ("RAMP", 5, 5, 5, 8, 8),
    ("NOISE", 20, 10, 8, 24, 24),
    ("NOISE", 20, 10, 12, 9, 27),
    ("NOISE", 10, 20, 12, 27, 9),
    ("NOISE", 3, 3, 1, 4, 5),
]
GRAY_CASES = [("NOISE", 9, 7, 0, 5, 6), ("BINARY", 50, 31, 16, 8, 8), ("RAMP", 6, 6, 6, 8, 8)]


def noise(count):
    value = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    value ^= value >> 16
    value *= numpy.uint32(0x7FEB352D)
    value ^= value >> 15
    return value


def make_pixels(pattern, width, height, channels):
    if pattern == "RAMP":
        y, x, c = numpy.indices((height, width, channels))
        return ((7 * x + 5 * y + 85 * c) % 256).astype(numpy.uint8)
    value = noise(width * height * channels).reshape(height, width, channels)
    if pattern == "BINARY":
        return numpy.where(value >> 31, 255, 0).astype(numpy.uint8)
    return (value >> 24).astype(numpy.uint8)


def transform(image, resize, height, width):
    if resize == 0:
        return functional.resize(image, [height, width])
    return functional.center_crop(functional.resize(image, resize), [height, width])


def entry(case, channels):
    pattern, width, height, resize, output_height, output_width = case
    pixels = make_pixels(pattern, width, height, channels)
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    data = transform(image, resize, output_height, output_width).convert("RGB").tobytes()
    assert len(data) == output_height * output_width * 3
    line = (f"    {{{pattern}, {channels}, {width}, {height}, {resize}, {output_height}, "
            f"{output_width}, 0x{zlib.crc32(data):08x},")
    if len(data) > STORED_BYTES:
        return f"{line} NULL}},\n"
    digits = data.hex()
    parts = [digits[i:i + 90] for i in range(0, len(digits), 90)]
    return line + "".join(f'\n     "{part}"' for part in parts) + "},\n"


def main():
    path = pathlib.Path(__file__).with_name("preprocess.h")
    entries = [entry(case, 3) for case in CASES] + [entry(case, 1) for case in GRAY_CASES]
    path.write_text(f"""/* Made by make_preprocess.py with Pillow {PIL.__version__} and torchvision {torchvision.__version__}. */
/* clang-format off */
static const struct golden {{
    enum pattern pattern;
    int32_t channels, width, height, resize, output_height, output_width;
    uint32_t crc; /* of the output, 8 bits per channel, RGB */
    const char *bytes; /* the output in hexadecimal; NULL where it is large */
}} goldens[] = {{
{"".join(entries)}}};
""")


if __name__ == "__main__":
    main()
