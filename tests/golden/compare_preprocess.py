#!/usr/bin/python3
"""Compares the library's preprocessing with its sources: run by hand, on photos and random images.

    tests/golden/compare_preprocess.py pillow|tensorflow [--random COUNT] [PHOTO...]

Compiles the C files that it needs.  Needs numpy, and Pillow, torchvision and timm, or Keras with
TensorFlow.  Results must be equal, so it prints and returns the largest difference.
"""

import argparse
import ctypes
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import pixel_sources
from pixel_sources import FITS, INTERPOLATIONS, RESAMPLINGS, Case

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ["arch/run/preprocess.c", "arch/run/fit.c", "arch/run/pixels.c", "arch/run/resample_pillow.c",
         "arch/run/resample_tensorflow.c", "arch/model/preprocessing.c", "arch/error.c"]
SIZES = [(0, 224, 224), (256, 224, 224), (232, 224, 224), (255, 224, 224), (224, 224, 224),
         (128, 96, 101)]


class Preprocessing(ctypes.Structure):
    _fields_ = [("mean", ctypes.c_float * 4), ("standard_deviation", ctypes.c_float * 4),
                ("resize", ctypes.c_int32), ("interpolation", ctypes.c_int),
                ("resampling", ctypes.c_int), ("fit", ctypes.c_int), ("fill", ctypes.c_float * 4)]


class PixelImage(ctypes.Structure):
    _fields_ = [("pixels", ctypes.c_void_p), ("width", ctypes.c_int32), ("height", ctypes.c_int32),
                ("row_stride", ctypes.c_ssize_t), ("order", ctypes.c_int)]


def compile_library(folder):
    path = f"{folder}/preprocess.so"
    subprocess.run(["cc", "-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC",
                    f"-I{ROOT}", f"-I{ROOT}/include", "-o", path,
                    *(ROOT / file for file in FILES), "-lm"], check=True)
    library = ctypes.CDLL(path)
    library.mbn_preprocess_scratch_bytes.restype = ctypes.c_size_t
    return library


def ours(library, pixels, case, resampling):
    """float32 [height, width, 3], 0 to 1."""
    preprocessing = Preprocessing(
        standard_deviation=(1, 1, 1), resize=case.resize,
        interpolation=INTERPOLATIONS.index(case.interpolation),
        resampling=RESAMPLINGS.index(resampling), fit=FITS.index(case.fit), fill=(case.fill,) * 3)
    size = library.mbn_preprocess_scratch_bytes(ctypes.byref(preprocessing), case.width, 3)
    output = numpy.empty((case.height, case.width, 3), numpy.float32)
    image = PixelImage(pixels.ctypes.data, pixels.shape[1], pixels.shape[0], 0, 0)
    status = library.mbn_preprocess_image(
        ctypes.byref(preprocessing), ctypes.byref(image), case.height, case.width, 3,
        ctypes.create_string_buffer(size), output.ctypes.data_as(ctypes.c_void_p), None)
    if status != 0:
        sys.exit(f"mbn_preprocess_image: status {status}")
    return output


def difference(library, pixels, case, resampling):
    """The largest, of 255."""
    theirs = getattr(pixel_sources, f"by_{resampling}")(pixels, case)
    expected = (theirs / 255.0).astype(numpy.float32)
    got = ours(library, pixels, case, resampling)
    return 255 * float(numpy.abs(got.astype(float) - expected).max())


def random_case(source):
    sizes = [1, 2, 3, 5, 8, 17, 32, 64, 100, 257, 700]
    shape = [source.randint(1, source.choice(sizes)) for _ in range(2)]
    pixels = numpy.frombuffer(source.randbytes(shape[0] * shape[1] * 3), numpy.uint8)
    pixels = pixels.reshape(*shape, 3)
    if source.random() < 0.5:
        pixels = numpy.where(pixels < 128, 0, 255).astype(numpy.uint8)
    resize = source.choice([0, source.randint(1, 40), source.randint(1, 200)])
    return pixels, Case(resize, source.randint(1, 80), source.randint(1, 80),
                        source.choice(INTERPOLATIONS), source.choice(FITS),
                        source.choice([0, 114, 255]))


def is_taken(pixels, case, resampling):
    """By the source, within reason: it resizes all that a crop then drops."""
    shape = pixels.shape[:2]
    ratio = max(shape) / min(shape) * max(case.target) / min(case.target)
    if min(case.target) * ratio > 20000 or max(case.target) > 20000:
        return False
    if resampling == "tensorflow":  # its CenterCrop enlarges
        return case.target[0] >= case.height and case.target[1] >= case.width
    return case.fit != "letterbox" or ratio < min(case.target)  # no side of nothing


def cases_of(arguments):
    for photo in arguments.photos:
        from PIL import Image

        pixels = numpy.array(Image.open(photo).convert("RGB"))
        for size, interpolation, fit in itertools.product(SIZES, INTERPOLATIONS, FITS):
            yield pathlib.Path(photo).name, pixels, Case(*size, interpolation, fit)
    source = random.Random(1)
    for _ in range(arguments.random):
        pixels, case = random_case(source)
        while not is_taken(pixels, case, arguments.source):
            pixels, case = random_case(source)
        yield f"{pixels.shape[1]}x{pixels.shape[0]}", pixels, case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", choices=RESAMPLINGS)
    parser.add_argument("--random", type=int, default=0, metavar="COUNT")
    parser.add_argument("photos", nargs="*")
    arguments = parser.parse_args()
    worst = count = 0
    with tempfile.TemporaryDirectory() as folder:
        library = compile_library(folder)
        for name, pixels, case in cases_of(arguments):
            found = difference(library, pixels, case, arguments.source)
            if found > 0:
                print(f"{name}, {case}: {found:.3g} of 255")
            worst = max(worst, found)
            count += 1
    print(f"{count} cases, largest difference: {worst:.3g} of 255")
    return worst > 0


if __name__ == "__main__":
    sys.exit(main())
