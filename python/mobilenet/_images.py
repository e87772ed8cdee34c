"""Images of Python as the library's mbn_image, without copies where the memory allows it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._error import invalid

#: A PIL image or a uint8 array [height, width] or [height, width, 1 to 4].
ImageLike = Any

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = 1


def _upright(image: Any) -> Any:
    """Turns a PIL image as its EXIF orientation says."""
    try:
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
    except Exception:  # Pillow raises whatever damaged EXIF leads to
        return image
    if orientation == _UPRIGHT:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _from_16_bit(image: Any) -> NDArray[np.uint8]:
    """The upper bytes.  Pillow opens 16-bit PNGs as "I" or "I;16", and would clip them to 255.  Values
    below 256 are most likely 8 bits that were not scaled, and would be black."""
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 0xFFFF:
        raise invalid(f"image: values of mode {image.mode} are taken as 16 bits, 0 to 65535")
    if 0 < highest <= 0xFF:
        raise invalid(
            f"image: mode {image.mode} with no value above {highest}: 8 bits, or 16 and almost black? "
            'Say so: image.convert("L"), or a uint8 array'
        )
    return (values >> 8).astype(np.uint8)


def _converted(image: Any, mode: str) -> NDArray[Any]:
    try:
        return np.asarray(image.convert(mode))
    except ValueError as error:
        raise TypeError(f"image: mode {image.mode} is not converted to {mode}: {error}") from error


def _from_pil(image: Any) -> NDArray[Any]:
    image = _upright(image)
    if image.mode == "F":
        raise TypeError("image: mode F has no 8-bit pixels; preprocess it and use Model.run")
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "La":
        return np.asarray(image.convert("LA"))
    if "transparency" in image.info or image.mode in ("PA", "RGBa"):
        return _converted(image, "RGBA")
    if image.mode in ("RGB", "RGBA", "L", "LA"):
        return np.asarray(image)
    return _converted(image, "L" if image.mode == "1" else "RGB")


def _pixels(image: ImageLike) -> NDArray[Any]:
    pil = sys.modules.get("PIL.Image")  # an image of it can only be here if it was imported
    if pil is not None and isinstance(image, pil.Image):
        return _from_pil(image)
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(
            f"image: dtype {array.dtype}, not uint8 (preprocessed float32 arrays are for Model.run)"
        )
    return array


def _channels(array: NDArray[Any]) -> int:
    if array.ndim == 2:
        return 1
    if array.ndim == 3 and 1 <= array.shape[2] <= 4:
        return int(array.shape[2])
    raise invalid(
        f"image: shape {array.shape}, not [height, width] or [height, width, 1 to 4]"
    )


_ORDERS = {
    1: _native.Order.GRAY,
    2: _native.Order.GRAY_ALPHA,
    3: _native.Order.RGB,
    4: _native.Order.RGBA,
}


def image_record(image: ImageLike) -> tuple[_native.ImageRecord, NDArray[Any]]:
    """An mbn_image, and the array that it points into, which must be kept as long.

    Rows may be any distance apart, also backwards.  Copied are arrays whose pixels are not packed
    inside a row, except for three reversed channels: ``frame[..., ::-1]`` is BGR."""
    array = _pixels(image)
    channels = _channels(array)
    order = _ORDERS[channels]
    channel_stride = array.strides[2] if channels > 1 else 1
    reversed_bgr = channels == 3 and channel_stride == -1
    row_stride, pixel_stride = array.strides[:2]
    packed = pixel_stride == channels and (channel_stride == 1 or reversed_bgr)
    if not packed or row_stride == 0:
        array = np.ascontiguousarray(array)
        row_stride, reversed_bgr = array.strides[0], False
    first = array.ctypes.data
    if reversed_bgr:
        order = _native.Order.BGR
        first -= 2
    height, width = array.shape[:2]
    record = _native.ImageRecord(
        pixels=first, width=width, height=height, row_stride=row_stride, order=order
    )
    return record, array
