"""Model files, to change their labels, preprocessing or output without what they were made from."""
import json

import numpy

from .. import safetensors
from ..errors import ImportFailure
from ..imported import Imported, count

NAME = "model file"
_FORMATS = ("mobilenet/1", "mobilenet/2")
# Keys of mobilenet/2.
_LATER = ("input_channels", "interpolation", "resampling", "fit", "fill", "probabilities",
          "rescaling", "arithmetic")


def recognise(data):
    if data[8:9] != b"{":
        return False
    try:
        metadata = safetensors.read(data)[1]
    except ImportFailure:
        return False
    return isinstance(metadata, dict) and str(metadata.get("format", "")).startswith("mobilenet/")


def read(data, options):
    tensors, metadata = safetensors.read(data)
    if metadata["format"] not in _FORMATS:
        raise ImportFailure(f"a model file of the format {metadata['format']}: a newer importer is "
                            "needed")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ImportFailure("its metadata has values that are no strings")
    for name in ("key", "prefix", "activation", "hidden_activation", "rescale", "dequantise"):
        if getattr(options, name, None):
            raise ImportFailure(f"a model file already: --{name.replace('_', '-')} is for its source")
    if metadata["format"] == "mobilenet/1":  # means nothing by these, whatever they are
        metadata = {key: value for key, value in metadata.items() if key not in _LATER}
    said = _Metadata(metadata)
    table = said.json("architecture", dict, {})
    epsilon = said.number("batch_norm_epsilon", float, None)
    if options.epsilon is not None and table.get("batch_norm") is False:
        raise ImportFailure("--epsilon: its batch norm is folded into the weights")
    logits = table.get("logits", True)
    imported = Imported(
        network=said.text("network"), described="", classes=0,
        tensors={name: tensor.load() if "rescaling" in metadata else tensor.floats()
                 for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")},
        rescaling=metadata.get("rescaling"), arithmetic=metadata.get("arithmetic"),
        padding=options.padding or metadata.get("padding"),
        source=metadata.get("source"), width=said.number("width", float, 1.0),
        epsilon=options.epsilon or epsilon, architecture=metadata.get("architecture"),
        height=said.number("input_height", int, 224),
        input_width=said.number("input_width", int, 224),
        input_channels=said.number("input_channels", int, 3),
        resize=said.number("resize", int, 0), interpolation=metadata.get("interpolation"),
        resampling=metadata.get("resampling"), fit=metadata.get("fit"),
        fill=said.numbers("fill"), probabilities=metadata.get("probabilities", "softmax"),
        labels=said.json("labels", list, None))
    imported.mean = said.numbers("mean") or (0.5,) * imported.input_channels
    imported.std = said.numbers("std") or (0.5,) * imported.input_channels
    imported.classes = said.number("classes", int, 1000) if logits is not False else 0
    if not imported.classes:
        imported.stage, imported.probabilities = "pool", None
        imported.channels = _pooled(table)
    imported.described = f"{imported.network}, a model file already"
    imported.parameters = count({name: array for name, array in imported.tensors.items()
                                 if _is_parameter(name, imported.rescaling)})
    for name, array in imported.tensors.items():
        if not numpy.isfinite(array).all():
            raise ImportFailure(f"{name}: NaN or infinity among its values")
    if table.get("pool") == "max":
        imported.max_pool = True
    imported.make_reference = lambda: "a model file says nothing of its source"
    return imported


def reference(data, imported, options):
    return imported.make_reference()


def _is_parameter(name, rescaling):
    if rescaling:
        return name.endswith((".weight", ".bias"))
    return not name.endswith((".running_mean", ".running_var", "/moving_mean", "/moving_variance"))


def _pooled(table):
    """Channels of the global pool."""
    try:
        return (table.get("head") or table["rows"][-1])["channels"]
    except (KeyError, IndexError, TypeError):
        raise ImportFailure("metadata architecture: it has no rows with channels") from None


class _Metadata:
    def __init__(self, values):
        self.values = values

    def text(self, key):
        if key not in self.values:
            raise ImportFailure(f"its metadata has no {key}")
        return self.values[key]

    def number(self, key, kind, default):
        try:
            return kind(self.values[key]) if key in self.values else default
        except ValueError:
            raise ImportFailure(f"metadata {key}: {self.values[key]:.64} is no number") from None

    def json(self, key, kind, default):
        if key not in self.values:
            return default
        try:
            value = json.loads(self.values[key])
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise ImportFailure(f"metadata {key}: not JSON of its kind: {self.values[key]:.64}")
        return value

    def numbers(self, key):
        value = self.json(key, list, None)
        if value is not None and not all(type(number) in (int, float) for number in value):
            raise ImportFailure(f"metadata {key}: not numbers: {self.values[key]:.64}")
        return None if value is None else tuple(value)
