#!/usr/bin/python3
"""Writes tests/golden/pixels.h: what Pillow makes of small images for networks of 1 to 4 channels.

The images come from an integer formula that tests/arch/test_pixels.c has too.  They are converted to
the network's mode, resized, and cropped or filled with zeros.  Needs numpy and Pillow."""

import pathlib

import numpy
import PIL
from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

FILTERS = {"BILINEAR": Image.BILINEAR, "BICUBIC": Image.BICUBIC, "NEAREST": Image.NEAREST,
           "AREA": Image.BOX}

# width, height, interpolation, resize, output height, output width
SIZES = [
    (5, 4, "BILINEAR", 0, 4, 5),  # as it is: Pillow then does not multiply by alpha
    (9, 7, "BILINEAR", 0, 4, 6),
    (4, 3, "BILINEAR", 0, 5, 6),
    (20, 31, "BILINEAR", 8, 5, 4),
    (8, 9, "BILINEAR", 4, 6, 6),  # filled
    (5, 4, "BICUBIC", 0, 4, 5),
    (9, 7, "BICUBIC", 0, 4, 6),
    (4, 3, "BICUBIC", 0, 5, 6),
    (9, 7, "NEAREST", 0, 4, 6),  # does not multiply either
    (9, 7, "AREA", 0, 4, 6),
]


def draw(width, height, channels):
    """Noise; of alpha a quarter is 0 and a quarter 255."""
    value = numpy.arange(width * height * channels, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    value ^= value >> 16
    value *= numpy.uint32(0x7FEB352D)
    value ^= value >> 15
    pixels = (value >> 24).astype(int).reshape(height, width, channels)
    if channels in (2, 4):
        pixels[..., -1] = numpy.clip(pixels[..., -1] * 2 - 128, 0, 255)
    return pixels.astype(numpy.uint8)


def transform(image, interpolation, resize, height, width):
    if resize == 0:
        return image.resize((width, height), FILTERS[interpolation])
    shorter = min(image.size)
    sides = [int(resize * side / shorter) for side in image.size]
    image = image.resize(sides, FILTERS[interpolation])
    # torchvision: what is missing is added on both sides, less of it before; then the centre.
    left, top = max(0, (width - image.width) // 2), max(0, (height - image.height) // 2)
    whole = Image.new(image.mode, (max(width, image.width), max(height, image.height)))
    whole.paste(image, (left, top))
    left, top = round((whole.width - width) / 2), round((whole.height - height) / 2)
    return whole.crop((left, top, left + width, top + height))


def main():
    lines = []
    for stored in MODES:
        for channels in MODES:
            for size in SIZES:
                width, height, interpolation, resize, output_height, output_width = size
                pixels = draw(width, height, stored)
                image = Image.fromarray(pixels if stored > 1 else pixels[..., 0], MODES[stored])
                image = image.convert(MODES[channels])
                data = transform(image, *size[2:]).tobytes()
                assert len(data) == output_height * output_width * channels
                name = f"MBN_INTERPOLATION_{interpolation}"
                numbers = ", ".join(map(str, (stored, channels, width, height, name, *size[3:])))
                digits = data.hex()
                parts = [digits[i:i + 90] for i in range(0, len(digits), 90)]
                lines.append(f"    {{{numbers}," + "".join(f'\n     "{p}"' for p in parts) + "},\n")
    path = pathlib.Path(__file__).with_name("pixels.h")
    path.write_text(f"""/* Made by make_pixels.py with Pillow {PIL.__version__}. */
/* clang-format off */
static const struct golden {{
    int32_t stored; /* channels of the image: L, LA, RGB, RGBA */
    int32_t channels; /* of the network */
    int32_t width, height;
    mbn_interpolation interpolation;
    int32_t resize, output_height, output_width;
    const char *bytes; /* the output, 8 bits per channel, in hexadecimal */
}} goldens[] = {{
{"".join(lines)}}};
""")


if __name__ == "__main__":
    main()
