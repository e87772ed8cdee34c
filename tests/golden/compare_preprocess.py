#!/usr/bin/python3
"""Compares arch/run/preprocess.c with torchvision: run by hand, on photos and on random images.

    tests/golden/compare_preprocess.py [--random COUNT] [PHOTO...]

Compiles the C files that it needs.  Needs numpy, Pillow and torchvision (Debian's python3-
packages do).  The 8-bit results must be equal, so it prints and returns the largest difference.
"""

import argparse
import ctypes
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
from PIL import Image
from torchvision.transforms import functional

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32)
CROPS = [(0, 224, 224), (256, 224, 224), (232, 224, 224), (255, 224, 224), (96, 97, 101)]


class Preprocessing(ctypes.Structure):
    _fields_ = [("mean", ctypes.c_float * 4), ("std", ctypes.c_float * 4),
                ("resize", ctypes.c_int32)]


class PixelImage(ctypes.Structure):
    _fields_ = [("pixels", ctypes.c_void_p), ("width", ctypes.c_int32), ("height", ctypes.c_int32),
                ("row_stride", ctypes.c_ssize_t), ("order", ctypes.c_int)]


def compile_library(folder):
    path = f"{folder}/preprocess.so"
    subprocess.run(["cc", "-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC",
                    f"-I{ROOT}", f"-I{ROOT}/include", "-o", path,
                    ROOT / "arch/run/preprocess.c", ROOT / "arch/run/pixels.c", ROOT / "arch/error.c"], check=True)
    library = ctypes.CDLL(path)
    library.mbn_preprocess_scratch_bytes.restype = ctypes.c_size_t
    return library


def ours(library, pixels, resize, height, width, mean, std):
    scratch = ctypes.create_string_buffer(library.mbn_preprocess_scratch_bytes(width, 3))
    output = numpy.empty((height, width, 3), numpy.float32)
    image = PixelImage(pixels.ctypes.data, pixels.shape[1], pixels.shape[0], 0, 0)
    preprocessing = Preprocessing((ctypes.c_float * 4)(*mean), (ctypes.c_float * 4)(*std), resize)
    status = library.mbn_preprocess_image(
        ctypes.byref(preprocessing), ctypes.byref(image), height, width, 3, scratch,
        output.ctypes.data_as(ctypes.c_void_p), None)
    if status != 0:
        sys.exit(f"mbn_preprocess_image: status {status}")
    return output


def theirs(pixels, resize, height, width):
    image = Image.fromarray(pixels)
    if resize == 0:
        return functional.resize(image, [height, width])
    return functional.center_crop(functional.resize(image, resize), [height, width])


def compare(library, pixels, resize, height, width):
    """The largest differences: of the 8-bit values, and after normalisation."""
    expected = theirs(pixels, resize, height, width)
    got = ours(library, pixels, resize, height, width, [0, 0, 0], [1, 1, 1])
    bits = numpy.abs(numpy.rint(got.astype(float) * 255) - numpy.asarray(expected)).max()
    tensor = functional.normalize(functional.to_tensor(expected), MEAN.tolist(), STD.tolist())
    got = ours(library, pixels, resize, height, width, MEAN, STD)
    return int(bits), float(numpy.abs(got - tensor.numpy().transpose(1, 2, 0)).max())


def random_case(source):
    sizes = [1, 2, 3, 5, 8, 17, 32, 64, 100, 257, 700]
    shape = [source.randint(1, source.choice(sizes)) for _ in range(2)]
    pixels = numpy.frombuffer(source.randbytes(shape[0] * shape[1] * 3), numpy.uint8)
    pixels = pixels.reshape(*shape, 3)
    if source.random() < 0.5:
        pixels = numpy.where(pixels < 128, 0, 255).astype(numpy.uint8)
    resize = source.choice([0, source.randint(1, 40), source.randint(1, 200)])
    # Pillow resizes all that a crop then drops: keep that within reason.
    while resize * max(shape) / min(shape) > 20000:
        resize //= 2
    return pixels, resize, source.randint(1, 80), source.randint(1, 80)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=0, metavar="COUNT")
    parser.add_argument("photos", nargs="*")
    arguments = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        library = compile_library(folder)
        for photo in arguments.photos:
            pixels = numpy.array(Image.open(photo).convert("RGB"))
            for case in CROPS:
                bits, normalised = compare(library, pixels, *case)
                worst = max(worst, bits)
                print(f"{pathlib.Path(photo).name} {pixels.shape[1]}x{pixels.shape[0]}, resize "
                      f"{case[0]}, to {case[2]}x{case[1]}: largest difference {bits} of 255, "
                      f"{normalised:.1e} after normalisation")
        source = random.Random(1)
        for _ in range(arguments.random):
            pixels, *case = random_case(source)
            bits, _ = compare(library, pixels, *case)
            if bits > 0:
                print(f"{pixels.shape[1]}x{pixels.shape[0]}, {case}: {bits} of 255")
            worst = max(worst, bits)
    print(f"largest difference: {worst} of 255")
    return worst > 0


if __name__ == "__main__":
    sys.exit(main())
