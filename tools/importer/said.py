"""What is said of a PyTorch network besides its weights: by the hub's config.json and
preprocessor_config.json in the folder of the file, by the training script's arguments in a
checkpoint, by the file's name."""
import json
import math
import os
import re
from dataclasses import dataclass, field

from . import labels
from .inert_pickle import Object

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

# What the hub calls a model's weights.  Beside files of other names a config.json may belong to
# anything.
_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_MAX_CONFIG = 1 << 24

# The names of timm and torchvision, and the numbers of Pillow, which transformers writes.
_INTERPOLATIONS = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest",
                   "nearest-exact": "nearest", "box": "area", "area": "area",
                   0: "nearest", 2: "bilinear", 3: "bicubic", 4: "area"}
_UNKNOWN_INTERPOLATIONS = {1: "lanczos", 5: "hamming"}
_FITS = {"center": "crop", "squash": "squash", "border": "letterbox"}

# torchvision's weights that were made for another size than 256 before the crop: the names of the
# files as it publishes them.
_RESIZES = {"mobilenet_v2-7ebf99e0": 232, "mobilenet_v3_large-5c1a4163": 232}


@dataclass
class Said:
    """None: nothing was said."""
    architecture: str = None  # timm's name of it, or transformers' model_type
    by_config: bool = False   # a config.json says it
    tensorflow: bool = None   # padding and epsilon are TensorFlow's
    epsilon: float = None
    activation: str = None
    output_stride: int = None
    mean: tuple = None
    std: tuple = None
    resolution: tuple = None  # height, width
    crop: float = None        # the crop's part of the resized image
    resize: int = None
    interpolation: str = None
    fit: str = None
    fill: tuple = None
    labels: list = None
    probabilities: str = None
    notes: list = field(default_factory=list)

    def complete(self, imported, options, defaults):
        """Puts into `imported` what it does not know.  defaults: a Said for where nothing was
        said."""
        imported.mean = imported.mean or self.mean or defaults.mean
        imported.std = imported.std or self.std or defaults.std
        channels = imported.input_channels
        if channels != len(imported.mean):
            imported.mean, imported.std = ((sum(values) / len(values),) * channels
                                           for values in (imported.mean, imported.std))
            if not options.mean or not options.std:
                imported.notes.append(f"taken for granted: mean {imported.mean[0]:g} and std "
                                      f"{imported.std[0]:g} for each of the {channels} channels "
                                      "(--mean, --std)")
        height, width = options.resolution or self.resolution or (224, 224)
        imported.height, imported.input_width = height, width
        imported.interpolation = self.interpolation or defaults.interpolation
        imported.fit = self.fit or ("cover" if self.crop and height != width else None)
        imported.fill = self.fill
        if imported.fit == "letterbox" and imported.fill is None and self.architecture:
            imported.fill = tuple(float(round(255 * value)) for value in imported.mean)
        resize = self.resize
        if resize is not None and options.resolution and self.resolution:
            resize = round(resize * min(height, width) / min(self.resolution))
        elif resize is None:
            crop = self.crop or 0.875
            resize = math.floor(min(height, width) / crop)
            longer, here = (math.floor(max(height, width) / crop),
                            round(resize * max(height, width) / min(height, width)))
            if self.crop and longer != here:
                self.notes.append(f"timm resizes images to {longer} where they are {here} here "
                                  "(--resize)")
            if self.crop == 1 and imported.fit in ("squash", "letterbox"):
                resize = 0
        imported.resize = resize
        imported.labels = imported.labels or self.labels
        imported.probabilities = imported.probabilities or self.probabilities
        imported.notes += self.notes


def read(path, more):
    """path: of the file; more: what a checkpoint holds besides weights."""
    folder, name = os.path.split(path)
    said = Said()
    if name in _HUB_NAMES:
        _config(said, _object(os.path.join(folder, "config.json")))
        _preprocessor(said, _object(os.path.join(folder, "preprocessor_config.json")))
    if said.architecture is None and name.startswith("tf_mobilenet"):
        said.architecture, said.tensorflow = "tf_", True
    published = re.match(r"mobilenet_v\w+-[0-9a-f]{8}", name)
    if published and published[0] in _RESIZES:
        said.resize = _RESIZES[published[0]]
        said.notes.append(f"torchvision's {published[0]}: made for a resize to {said.resize}")
    _arguments(said, more)
    return said


def _object(path):
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read(_MAX_CONFIG).decode("utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _numbers(values, counts=(1, 3, 4), low=-1e6):
    if isinstance(values, (list, tuple)) and len(values) in counts and all(
            type(value) in (int, float) and low <= value < 1e6 for value in values):
        return tuple(map(float, values))
    return None


def _ratio(value):
    return float(value) if type(value) in (int, float) and 0.1 <= value <= 1 else None


# ---- config.json ----

def _config(said, config):
    if isinstance(config.get("architecture"), str):
        _timm(said, config)
    elif isinstance(config.get("model_type"), str):
        _transformers(said, config)


def _timm(said, config):
    said.architecture, said.by_config = config["architecture"], True
    said.tensorflow = said.architecture.startswith("tf_")
    said.notes.append(f"config.json beside it: {said.architecture:.60}")
    more = config.get("pretrained_cfg")
    more = {**config, **(more if isinstance(more, dict) else {})}
    _timm_images(said, more)
    size, test = _numbers(more.get("input_size"), (3,)), _numbers(more.get("test_input_size"), (3,))
    if size and all(32 <= side <= 1024 for side in size[1:]):
        said.resolution = int(size[1]), int(size[2])
    if test and test != size:
        crop = _ratio(more.get("test_crop_pct"))
        said.notes.append(f"timm also tests it at {test[1]:.0f}x{test[2]:.0f}"
                          + (f", crop ratio {crop:g}" if crop else "")
                          + " (--resolution, --crop-ratio)")
    try:
        said.labels = labels.of_value({"label_names": more["label_names"]})
        described = more.get("label_descriptions")
        if isinstance(described, dict) and all(isinstance(described.get(name), str)
                                               for name in said.labels):
            said.labels = [described[name] for name in said.labels]
    except (KeyError, TypeError, ValueError):
        pass


def _timm_images(said, config):
    """What config.json, and the arguments of timm's train.py, say of images."""
    mean, std = _numbers(config.get("mean")), _numbers(config.get("std"))
    if mean and std and min(std) > 0:
        said.mean, said.std = (values * 3 if len(values) == 1 else values for values in (mean, std))
    said.crop = _ratio(config.get("crop_pct")) or said.crop
    interpolation, mode = config.get("interpolation"), config.get("crop_mode")
    _interpolation(said, interpolation)
    if isinstance(mode, str) and mode in _FITS:
        said.fit = None if mode == "center" else _FITS[mode]
    elif mode:
        said.notes.append(f"crop_mode {str(mode):.20} is not known here: it is center (--fit)")


def _interpolation(said, value):
    if isinstance(value, (str, int)) and value in _INTERPOLATIONS:
        said.interpolation = _INTERPOLATIONS[value]
    elif value not in (None, ""):
        name = _UNKNOWN_INTERPOLATIONS.get(value, value) if isinstance(value, (int, str)) else value
        said.interpolation = "bicubic"
        said.notes.append(f"its images are resized by {str(name):.20}, which the library has not: here "
                          "it is bicubic (--interpolation)")


def _transformers(said, config):
    said.architecture, said.by_config = config["model_type"], True
    said.notes.append(f"config.json beside it: {said.architecture:.60}")
    if type(config.get("tf_padding")) is bool:
        said.tensorflow = config["tf_padding"]
    epsilon = config.get("layer_norm_eps")
    if type(epsilon) in (int, float) and 1e-12 <= epsilon <= 1:
        said.epsilon = float(epsilon)
    if isinstance(config.get("hidden_act"), str):
        said.activation = {"hardswish": "hard_swish"}.get(config["hidden_act"], config["hidden_act"])
    if type(config.get("output_stride")) is int:
        said.output_stride = config["output_stride"]
    said.resolution = _size(config.get("image_size"))
    said.probabilities = {"multi_label_classification": "sigmoid", "regression": "none"}.get(
        str(config.get("problem_type")))
    names = config.get("id2label")
    if isinstance(names, dict) and names and not all(
            str(name).startswith("LABEL_") for name in names.values()):
        try:
            said.labels = labels.of_value(names)
        except ValueError:
            pass


# ---- preprocessor_config.json of transformers ----

def _size(value):
    """(height, width) of a number, a list, or {"height": h, "width": w}."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    value = [value, value] if type(value) is int else value
    good = isinstance(value, list) and len(value) == 2 and all(
        type(side) is int and 32 <= side <= 1024 for side in value)
    return tuple(value) if good else None


def _preprocessor(said, config):
    if not config:
        return
    said.notes.append("preprocessing of preprocessor_config.json beside it")
    crops, resizes = config.get("do_center_crop", True), config.get("do_resize", True)
    size = config.get("size")
    shorter = size.get("shortest_edge") if isinstance(size, dict) else size
    crop = _size(config.get("crop_size")) if crops else None
    if crop:
        said.resolution = crop
    if not resizes:
        said.notes.append("it does not resize its images; here they are resized (--resize)")
    elif type(shorter) is int and 1 <= shorter <= 65536:
        said.resize = shorter
    elif _size(size):
        height, width = _size(size)
        said.resolution = crop or (height, width)
        said.fit, said.resize = "squash", min(height, width) if crop else 0
    _interpolation(said, config.get("resample"))
    mean, std = _numbers(config.get("image_mean")), _numbers(config.get("image_std"))
    scale = config.get("rescale_factor", 1 / 255)
    if not config.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    if not config.get("do_rescale", True):
        scale = 1
    if mean and std and min(std) > 0 and type(scale) in (int, float) and scale > 0:
        # (pixel * scale - mean) / std as (pixel / 255 - mean) / std
        unit = 1.0 if abs(255 * scale - 1) < 1e-6 else 255 * scale
        said.mean = tuple(value / unit for value in mean)
        said.std = tuple(value / unit for value in std)


# ---- What training scripts put into their checkpoints ----

def _arguments(said, more):
    value = more.get("args")
    if isinstance(value, Object):
        value = value.state or value.items
    arguments = value if isinstance(value, dict) else {}
    name = next((item for item in (more.get("arch"), arguments.get("model")) if isinstance(item, str)),
                None)
    if said.architecture is None and name and "mobilenet" in name and "_v" not in name:
        said.architecture, said.tensorflow = name, name.startswith("tf_")
        said.notes.append(f"the checkpoint's architecture: {name:.60}")
    if "val_resize_size" in arguments:  # torchvision's references
        resize, crop = arguments.get("val_resize_size"), arguments.get("val_crop_size")
        if type(resize) is int and 1 <= resize <= 65536:
            said.resize = resize
        said.resolution = _size(crop) or said.resolution
        _interpolation(said, arguments.get("interpolation"))
        said.notes.append("preprocessing of the checkpoint's args")
    elif "crop_pct" in arguments or "img_size" in arguments:  # timm's train.py
        _timm_images(said, arguments)
        size = arguments.get("input_size")
        said.resolution = _size(list(size[1:]) if isinstance(size, (list, tuple)) else
                                arguments.get("img_size")) or said.resolution
        epsilon = arguments.get("bn_eps")
        if type(epsilon) is float and 1e-12 <= epsilon <= 1:
            said.epsilon = epsilon
        said.notes.append("preprocessing of the checkpoint's args")
