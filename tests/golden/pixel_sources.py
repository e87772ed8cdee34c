"""What Pillow with torchvision and timm, or TensorFlow with Keras, make of an image: for
make_preprocess.py and compare_preprocess.py.  Either is imported when it is first asked for."""

import dataclasses

import numpy

INTERPOLATIONS = ["bilinear", "bicubic", "nearest", "area"]
RESAMPLINGS = ["pillow", "tensorflow"]
FITS = ["crop", "squash", "letterbox", "cover"]


@dataclasses.dataclass(frozen=True)
class Case:
    """A way from an image to [height, width, 3]; resize 0: the target is the output's size."""

    resize: int
    height: int
    width: int
    interpolation: str = "bilinear"
    fit: str = "crop"
    fill: int = 0

    @property
    def target(self):
        if self.resize == 0:
            return self.height, self.width
        shorter = min(self.height, self.width)
        return tuple((2 * self.resize * side + shorter) // (2 * shorter)
                     for side in (self.height, self.width))


def by_pillow(pixels, case):
    """uint8 [height, width, 3]."""
    from PIL import Image
    from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio
    from torchvision.transforms import InterpolationMode, functional

    mode = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC,
            "nearest": InterpolationMode.NEAREST, "area": InterpolationMode.BOX}[case.interpolation]
    image = Image.fromarray(pixels).convert("RGB")
    if case.fit == "squash" or case.fit == "crop" and case.resize == 0:
        image = functional.resize(image, list(case.target), mode)
    elif case.fit == "crop":
        image = functional.resize(image, case.resize, mode)
    else:
        keep = ResizeKeepRatio(case.target, longest=float(case.fit == "letterbox"))
        keep.interpolation = mode  # timm has no name for BOX
        image = keep(image)
    crop = CenterCropOrPad((case.height, case.width), fill=(case.fill,) * 3)
    return numpy.asarray(crop(image))


def by_tensorflow(pixels, case):
    """float32 [height, width, 3], 0 to 255."""
    import keras
    import tensorflow

    if pixels.ndim == 2:
        pixels = numpy.stack([pixels] * 3, -1)
    values = tensorflow.constant(pixels.astype(numpy.float32))
    fit = case.fit
    if fit == "crop":
        fit = "squash" if case.resize == 0 else "cover"
    keras.src.backend.tensorflow.image.RESIZE_INTERPOLATIONS += ("area",)  # Keras 2 had it
    values = keras.src.backend.tensorflow.image.resize(
        values, case.target, case.interpolation, crop_to_aspect_ratio=fit == "cover",
        pad_to_aspect_ratio=fit == "letterbox", fill_value=float(case.fill),
        data_format="channels_last")
    if case.target != (case.height, case.width):
        assert min(case.target[0] - case.height, case.target[1] - case.width) >= 0
        values = keras.layers.CenterCrop(case.height, case.width)(values[None])[0]
    return numpy.asarray(values)
