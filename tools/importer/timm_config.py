"""What timm's configurations say that the weights do not: the hub's config.json beside them, else the
file's name."""
import json
import os
from dataclasses import dataclass, field

# What the hub calls a model's weights.  Beside files of other names a config.json may belong to
# anything.
_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_MAX_CONFIG = 1 << 20


@dataclass
class Config:
    tensorflow: bool          # padding and epsilon are TensorFlow's
    known: bool = False       # by a config.json
    mean: tuple = None
    std: tuple = None
    resolution: tuple = None  # height, width
    crop: float = None        # the crop's part of the resized image
    notes: list = field(default_factory=list)


def read(source):
    folder, name = os.path.split(source)
    text = _text(os.path.join(folder, "config.json")) if name in _HUB_NAMES else None
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("architecture"), str):
        return Config(tensorflow=name.startswith("tf_"))
    architecture = value["architecture"]
    config = Config(tensorflow=architecture.startswith("tf_"), known=True)
    config.notes.append(f"config.json beside it: {architecture:.60}")
    more = value.get("pretrained_cfg")
    more = {**value, **(more if isinstance(more, dict) else {})}
    mean, std = _numbers(more.get("mean"), 3), _numbers(more.get("std"), 3)
    if mean and std and min(std) > 0:
        config.mean, config.std = mean, std
    size = _numbers(more.get("input_size"), 3)
    if size and all(32 <= side <= 1024 for side in size[1:]):
        config.resolution = int(size[1]), int(size[2])
    crop = _numbers([more.get("crop_pct")], 1)
    if crop and 0.1 <= crop[0] <= 1:
        config.crop = crop[0]
    if more.get("interpolation") not in (None, "bilinear"):
        config.notes.append(f"timm resizes its images {str(more['interpolation']):.20}; here it is "
                            "bilinear")
    return config


def _text(path):
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_CONFIG).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _numbers(values, count):
    if isinstance(values, list) and len(values) == count and all(
            type(value) in (int, float) and abs(value) < 1e6 for value in values):
        return tuple(map(float, values))
    return None
