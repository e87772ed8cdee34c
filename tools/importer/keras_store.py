"""Weights in Keras's files: the older .h5 (groups named by layer), and .weights.h5, which .keras
holds too (groups named by class and number)."""
import re

import numpy

from . import hdf5
from .errors import ImportFailure

HDF5 = b"\x89HDF\r\n\x1a\n"


def open_hdf5(data):
    try:
        return hdf5.read(data)
    except ModuleNotFoundError:
        raise ImportFailure("needs h5py to read Keras's files (Debian: apt-get install "
                            "python3-h5py)", about_source=False) from None
    except hdf5.Damaged as reason:
        raise ImportFailure(f"damaged or truncated HDF5 file: {reason}") from None


def member(group, path):
    """A Group or an array; None if there is none."""
    found = group.find(path) if isinstance(group, hdf5.Group) else None
    if isinstance(found, str):
        raise ImportFailure(f"{path}: {found}")
    return found


def read_array(array, name):
    if not isinstance(array, numpy.ndarray):
        raise ImportFailure(f"{name}: not there, or no array")
    values = array.astype(numpy.float64)
    if not numpy.isfinite(values).all():
        raise ImportFailure(f"{name}: NaN or infinity among its values")
    return values


def attribute(group, name):
    """A list of texts; long lists are split into name0, name1, ..."""
    if name in group.attributes:
        return group.attributes[name]
    values, index = [], 0
    while f"{name}{index}" in group.attributes:
        values += group.attributes[f"{name}{index}"]
        index += 1
    return values


class ByLayer:
    """.h5: a group for each layer of the model, with weight_names; those of a model inside have the
    names of its layers in them."""

    def __init__(self, group):
        self.layers = {}  # (layer, parameter) -> array
        self.order = []   # layers, as they occur
        for outer in attribute(group, "layer_names"):
            layer_group = member(group, outer)
            if not isinstance(layer_group, hdf5.Group):
                continue
            for path in attribute(layer_group, "weight_names"):
                layer, _, parameter = path.split(":")[0].rpartition("/")
                layer = layer or outer
                if parameter == "depthwise_kernel":
                    parameter = "kernel"
                if layer not in self.order:
                    self.order.append(layer)
                self.layers[layer, parameter] = member(layer_group, path)

    def get(self, containers, layer, kind, number, parameters):
        """{parameter: array} of one layer."""
        return {parameter: read_array(self._find(layer, parameter), f"{layer}/{parameter}")
                for parameter in parameters}

    def _find(self, layer, parameter):
        if (layer, parameter) in self.layers:
            return self.layers[layer, parameter]
        # Some versions put the name of the model inside in front.
        found = [array for (path, last), array in self.layers.items()
                 if last == parameter and path.endswith("/" + layer)]
        return found[0] if len(found) == 1 else None


class ByClass:
    """.weights.h5: layers/conv2d_3/vars/0, models inside as layers/functional/layers/..."""

    def __init__(self, file):
        self.file = file

    @staticmethod
    def _layers(group):
        for name in ("layers", "_layer_checkpoint_dependencies"):
            found = member(group, name)
            if found is not None:
                return found
        return None

    def get(self, containers, layer, kind, number, parameters):
        group = self.file
        for container in (*containers, _numbered(kind, number)):
            group = member(self._layers(group), container) if group is not None else None
        values = member(group, "vars")
        return {parameter: read_array(member(values, str(index)), f"{layer}/{parameter}")
                for index, parameter in enumerate(parameters)}

    def ordered(self):
        """[(class, [arrays])] of all layers with weights: those of models inside first, then by
        class and number."""
        result = []
        self._collect(self.file, result, 0)
        return result

    def _collect(self, group, result, depth):
        layers = self._layers(group)
        if not isinstance(layers, hdf5.Group) or depth > 8:
            return
        names = sorted(layers, key=_by_number)
        for name in names:
            self._collect(member(layers, name), result, depth + 1)
        for name in names:
            values = member(member(layers, name), "vars")
            if isinstance(values, hdf5.Group) and values:
                arrays = [read_array(member(values, str(i)), f"{name}/{i}")
                          for i in range(len(values))]
                result.append((_by_number(name)[0], name, arrays))


def _by_number(name):
    match = re.fullmatch(r"(.*?)(?:_(\d{1,6}))?", name)
    return match[1], int(match[2] or 0)


def _numbered(kind, number):
    return kind if number == 0 else f"{kind}_{number}"


def snake_case(name):
    """A class's name as Keras names groups."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
