"""ONNX's Resize as preprocessing: what the library does exactly or nearly so, which is said; the rest
is refused."""
import numpy

from . import onnx_constant, plane
from .errors import ImportFailure
from .graph import Resizing


def resizing(graph, node, x, inputs):
    """The Resizing of a Resize node.  Inputs: region, scales, sizes; version 10 has scales alone."""
    scales = inputs[0] if len(inputs) == 1 else inputs[1] if len(inputs) > 1 else None
    sizes = inputs[2] if len(inputs) > 2 else None
    rows, columns = plane.spatial_axes(x, node.name)
    axes = node.integers("axes", list(range(len(x.axes))))

    def along(array, axis):
        array = graph.constant(node, array).reshape(-1)
        if axis not in axes or array.size != len(axes) \
                or array[axes.index(axis)] == onnx_constant.SIZE:
            raise ImportFailure(f"{node.name}: resizes other than rows and columns")
        return float(array[axes.index(axis)])
    if sizes is not None and (not isinstance(sizes, numpy.ndarray) or sizes.size):
        height, width = along(sizes, rows), along(sizes, columns)
    elif graph.fixed:
        height, width = (_scaled(node, size, along(scales, axis)) for size, axis in
                         ((graph.height, rows), (graph.width, columns)))
    else:
        raise ImportFailure(f"{node.name}: resizes images of any size by a factor; MobileNets "
                            "have one size")
    return Resizing(int(height), int(width), *_interpolation(graph, node))


def _scaled(node, size, scale):
    exact = float(numpy.float32(size) * numpy.float32(scale))
    # What is cut off moves the pixels, too: they lie where the factor says.
    if not 1 <= exact <= 65536 or abs(exact - round(exact)) > 1e-3:
        raise ImportFailure(f"{node.name}: resizes {size} pixels by {scale:g}, which are no "
                            "whole number: export the network without it")
    return round(exact)


def _interpolation(graph, node):
    mode = node.text("mode", "nearest")
    place = node.text("coordinate_transformation_mode", "half_pixel")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ImportFailure(f"{node.name}: resizes by {node.text('keep_aspect_ratio_policy')}")
    half = place in ("half_pixel", "pytorch_half_pixel")
    smooth, inside = node.integer("antialias", 0), node.integer("exclude_outside", 0)
    if mode == "linear" and half and smooth and (inside or graph.of_torch):
        graph.notes.append("its antialiased resizing is Pillow's here, which rounds pixels to 8 "
                          "bits between and after the two directions" + (
                              "" if inside else "; at its edges torch does the same, ONNX "
                              "Runtime repeats the outermost pixels"))
        return "bilinear", "pillow"
    if mode == "linear" and half and not smooth:
        if graph.whole:
            graph.notes.append("it resizes pixels of 8 bits, and cuts fractions off; here they "
                              "are kept")
        return "bilinear", "tensorflow"
    if mode == "nearest" and (place, node.text("nearest_mode", "round_prefer_floor")) in (
            ("tf_half_pixel_for_nn", "floor"), ("half_pixel", "round_prefer_ceil")):
        return "nearest", "tensorflow"
    if mode == "cubic" and half and inside and not smooth \
            and abs(node.float("cubic_coeff_a", -0.75) + 0.5) < 1e-6:
        graph.notes.append("its bicubic resizing is TensorFlow's here, whose weights come from a "
                          "table: pixels differ by up to 0.2 of 255")
        return "bicubic", "tensorflow"
    raise ImportFailure(
        f"{node.name}: resizes the image by {mode} at {place}"
        + (f", {node.text('nearest_mode', 'round_prefer_floor')}" if mode == "nearest" else "")
        + (", antialiased" + ("" if inside else ", with the outermost pixels repeated")
           if smooth else "")
        + ", which no preprocessing here does: export the network without it")
