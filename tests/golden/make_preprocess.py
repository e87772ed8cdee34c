#!/usr/bin/python3
"""Writes what the sources of preprocessing make of small synthetic images.

    tests/golden/make_preprocess.py pillow      preprocess_pillow.h, with torchvision and timm
    tests/golden/make_preprocess.py tensorflow  preprocess_tensorflow.h, with Keras

The images come from integer formulas that tests/arch/test_preprocess.c has too, so that only
outputs are stored: their CRC-32, and small ones whole.  Of Pillow's releases 9 and 10 do: later ones
resize vertically first where an image is a hundred times as tall as wide (11, 12), or where it
shrinks in this direction only (13).
"""

import importlib.metadata
import itertools
import pathlib
import sys
import zlib

import numpy
import pixel_sources
from pixel_sources import FITS, INTERPOLATIONS, Case

STORED_BYTES = 192  # of larger outputs only the CRC-32 is kept

# pattern, width, height, resize, output height, output width: bilinear, crop
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


# pattern, width, height, resize, output height, output width, with every interpolation and fit: down,
# up, one of each, borders on either side, odd surplus, outputs that are not square.
FIT_CASES = [
    ("NOISE", 13, 10, 0, 6, 6),
    ("BINARY", 5, 6, 0, 9, 8),
    ("BINARY", 31, 9, 0, 7, 6),
    ("NOISE", 10, 37, 0, 8, 5),
    ("BINARY", 40, 29, 11, 6, 6),
    ("NOISE", 21, 34, 9, 6, 8),
    ("RAMP", 3, 4, 9, 8, 7),
    ("BINARY", 640, 481, 256, 224, 224),
    ("NOISE", 150, 333, 0, 96, 160),
    ("BINARY", 1, 1, 0, 4, 3),
    ("NOISE", 8, 8, 0, 8, 8),
]
# Every pixel of the image counts: more rows than are kept, positions that add up.
LONG_CASES = [("BINARY", 3, 299, 0, 2, 5), ("BINARY", 2999, 2, 0, 2, 64), ("RAMP", 7, 3, 900, 5, 6),
              ("BINARY", 57, 1024, 20, 24, 24)]
FILLS = [0, 114, 255]
SMALLER_CASES = [("RAMP", 9, 7, 5, 8, 8), ("NOISE", 30, 20, 6, 7, 9)]


def all_cases(source):
    """Pattern, channels, width, height, and what is made of it."""
    cases = [(*case, "bilinear", "crop", 3) for case in CASES]
    cases += [(*case, "bilinear", "crop", 1) for case in GRAY_CASES]
    for case in FIT_CASES:
        cases += [(*case, *more, 3) for more in itertools.product(INTERPOLATIONS, FITS)]
    for case in LONG_CASES:
        cases += [(*case, interpolation, "crop", 3) for interpolation in INTERPOLATIONS]
    for case in SMALLER_CASES:
        cases += [(*case, "bicubic", fit, 3) for fit in FITS]
    cases += [(*GRAY_CASES[1], interpolation, "cover", 1) for interpolation in INTERPOLATIONS]
    for i, (pattern, width, height, resize, *size, interpolation, fit, channels) in enumerate(cases):
        case = Case(resize, *size, interpolation, fit, 0 if i < len(CASES) else FILLS[i % 3])
        smaller = case.target[0] < case.height or case.target[1] < case.width
        if source == "pillow" or not smaller:  # Keras's CenterCrop enlarges
            yield pattern, channels, width, height, case


def stored(source, values):
    """The bytes whose CRC-32 is stored: 8 bits, or the floats of value / 255."""
    if source == "pillow":
        return values.astype(numpy.uint8).tobytes()
    return (values / 255.0).astype("<f4").tobytes()


def entry(source, pattern, channels, width, height, case):
    pixels = make_pixels(pattern, width, height, channels)
    values = getattr(pixel_sources, f"by_{source}")(pixels[:, :, 0] if channels == 1 else pixels, case)
    assert values.shape == (case.height, case.width, 3)
    data = stored(source, values)
    line = (f"    {{{pattern}, {channels}, {width}, {height}, MBN_INTERPOLATION_"
            f"{case.interpolation.upper()}, MBN_FIT_{case.fit.upper()}, {case.fill}, {case.resize}, "
            f"{case.height}, {case.width}, 0x{zlib.crc32(data):08x},")
    if len(data) > STORED_BYTES:
        return f"{line} NULL}},\n"
    digits = data.hex()
    parts = [digits[i:i + 90] for i in range(0, len(digits), 90)]
    return line + "".join(f'\n     "{part}"' for part in parts) + "},\n"


def main():
    source = sys.argv[1]
    packages = {"pillow": ["Pillow", "torchvision", "timm"], "tensorflow": ["tensorflow_cpu", "keras"]}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages[source])
    if source == "pillow" and int(importlib.metadata.version("Pillow").split(".")[0]) > 10:
        sys.exit("needs Pillow 9 or 10")
    entries = [entry(source, *case) for case in all_cases(source)]
    pathlib.Path(__file__).with_name(f"preprocess_{source}.h").write_text(
        f"""/* Made by make_preprocess.py with {versions}. */
/* clang-format off */
static const struct golden {source}_goldens[] = {{
{"".join(entries)}}};
""")


if __name__ == "__main__":
    main()
