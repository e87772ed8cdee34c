"""Images of Python as the library's mbn_image, without copies where the memory allows it."""

from __future__ import annotations

import io
import mmap
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._error import Error, Status, invalid

#: A PIL image, a uint8 array [height, width] or [height, width, 1 to 4], an image file's path, or its
#: bytes.
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


def _from_16_bit(image: Any, name: str) -> NDArray[np.uint8]:
    """The upper bytes.  Pillow opens 16-bit PNGs as "I" or "I;16", and would clip them to 255.  Values
    below 256 are most likely 8 bits that were not scaled, and would be black."""
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 0xFFFF:
        raise invalid(f"{name}: values of mode {image.mode} are taken as 16 bits, 0 to 65535")
    if 0 < highest <= 0xFF:
        raise invalid(
            f"{name}: mode {image.mode} with no value above {highest}: 8 bits, or 16 and almost black? "
            'Say so: image.convert("L"), or a uint8 array'
        )
    return (values >> 8).astype(np.uint8)


def _converted(image: Any, mode: str, name: str) -> NDArray[Any]:
    try:
        return np.asarray(image.convert(mode))
    except ValueError as error:
        raise TypeError(f"{name}: mode {image.mode} is not converted to {mode}: {error}") from error


def _from_pil(image: Any, name: str) -> NDArray[Any]:
    image = _upright(image)
    if image.mode == "F":
        raise TypeError(f"{name}: mode F has no 8-bit pixels; preprocess it and use Model.run")
    if image.mode.startswith("I"):
        return _from_16_bit(image, name)
    if image.mode == "La":
        return np.asarray(image.convert("LA"))
    if "transparency" in image.info or image.mode in ("PA", "RGBa"):
        return _converted(image, "RGBA", name)
    if image.mode in ("RGB", "RGBA", "L", "LA"):
        return np.asarray(image)
    return _converted(image, "L" if image.mode == "1" else "RGB", name)


def is_encoded(image: ImageLike) -> bool:
    """Whether it is a file's bytes, not pixels."""
    return isinstance(image, (bytes, bytearray, mmap.mmap)) or (
        isinstance(image, memoryview) and image.ndim == 1
    )


def _from_file(image: ImageLike, name: str) -> NDArray[Any]:
    """Reads an image's path or bytes with Pillow."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            f"{name}: Pillow reads image files, and is not installed; "
            "pip install pillow, or mobilenet[images]"
        ) from None
    if is_encoded(image):
        file: Any = io.BytesIO(image)
    else:
        file = os.fspath(image)
        name = os.fsdecode(file)
    try:
        with Image.open(file) as opened:
            return _from_pil(opened, name)
    except Image.UnidentifiedImageError:
        raise Error(Status.MALFORMED, f"{name}: not an image that Pillow reads") from None
    except (Error, TypeError):
        raise
    except Exception as error:  # Pillow raises whatever a broken file leads to
        status = Status.IO if isinstance(error, OSError) and error.errno else Status.MALFORMED
        reason = error.strerror if status == Status.IO else error
        raise Error(status, f"{name}: {reason}") from error


def _pixels(image: ImageLike, name: str) -> NDArray[Any]:
    if isinstance(image, (str, os.PathLike)) or is_encoded(image):
        return _from_file(image, name)
    # An image of it can only be here if it was imported; another thread may be importing it just now.
    pil = getattr(sys.modules.get("PIL.Image"), "Image", None)
    if pil is not None and isinstance(image, pil):
        return _from_pil(image, name)
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(
            f"{name}: {type(image).__name__} of dtype {array.dtype}, not a uint8 array, nor a PIL image, "
            "path or bytes of one (preprocessed float32 arrays are for Model.run)"
        )
    return array


def _channels(array: NDArray[Any], name: str) -> int:
    if array.ndim == 2:
        return 1
    if array.ndim == 3 and 1 <= array.shape[2] <= 4:
        return int(array.shape[2])
    hint = "; a file's bytes are taken as bytes" if array.ndim == 1 else ""
    raise invalid(
        f"{name}: shape {array.shape}, not [height, width] or [height, width, 1 to 4]{hint}"
    )


_ORDERS = {
    1: _native.Order.GRAY,
    2: _native.Order.GRAY_ALPHA,
    3: _native.Order.RGB,
    4: _native.Order.RGBA,
}


def image_record(
    image: ImageLike, name: str = "image"
) -> tuple[_native.ImageRecord, NDArray[Any]]:
    """An mbn_image, and the array that it points into, which must be kept as long.  Messages begin with
    the name, or with the path.

    Rows may be any distance apart, also backwards.  Copied are arrays whose pixels are not packed
    inside a row, except for three reversed channels: ``frame[..., ::-1]`` is BGR."""
    array = _pixels(image, name)
    channels = _channels(array, name)
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
