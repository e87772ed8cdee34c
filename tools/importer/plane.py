"""Tensors of a graph that depend on the image: a Value of the Builder, and what the graph's format
says of its axes.

Axes are letters in the tensor's order: n, c, h, w; s is h and w as one axis, 1 an axis of size 1.
Those without h, w and s are vectors."""
from .errors import ImportFailure


class Plane:
    """partial: "mean" or "max" while only one of rows and columns has been reduced."""

    def __init__(self, value, axes, partial=None):
        self.value, self.axes, self.partial = value, axes, partial

    @property
    def is_vector(self):
        return not set(self.axes) & set("hws")

    def index(self, letter):
        return self.axes.index(letter)

    def with_value(self, value):
        return Plane(value, self.axes, self.partial)


def spatial_axes(plane, name):
    """The indices of rows and columns."""
    if "h" not in plane.axes or "w" not in plane.axes:
        raise ImportFailure(f"{name}: its input has no rows and columns")
    return plane.index("h"), plane.index("w")


def transpose(plane, order, name):
    order = [axis % len(plane.axes) for axis in order] if len(order) == len(plane.axes) else []
    if sorted(order) != list(range(len(plane.axes))):
        raise ImportFailure(f"{name}: transposes {len(plane.axes)} axes by {order}")
    return Plane(plane.value, "".join(plane.axes[axis] for axis in order), plane.partial)


def reduce(builder, plane, axes, keep, maximum, name):
    """The mean or the maximum along axes: a global pool, if it is rows and columns."""
    axes = {axis % len(plane.axes) for axis in axes}
    letters, kind = {plane.axes[axis] for axis in axes}, "max" if maximum else "mean"
    if letters & set("nc") or plane.partial not in (None, kind):
        raise ImportFailure(f"{name}: a {kind} that is not of the whole plane; MobileNets have "
                            "global pools only")
    left = "".join(("1" if keep else "") if axis in axes else letter
                   for axis, letter in enumerate(plane.axes))
    if plane.is_vector:
        return Plane(plane.value, left)
    if set(left) & set("hws"):
        return Plane(plane.value, left, kind)
    return Plane(builder.global_pool(plane.value, name, maximum), left)


def reshape(builder, plane, shape, name):
    """shape: with -1 for what follows from the rest, 0 for what stays; None: not known, but it is
    taken for a list of vectors."""
    channels = plane.value.channels
    shape = [-1, channels] if shape is None else [int(size) for size in shape]
    if not plane.is_vector:
        if len(shape) == 3 and plane.axes == "nchw" and shape[1] in (channels, 0):
            return Plane(plane.value, "ncs")
        if len(shape) == 3 and plane.axes == "nhwc" and shape[2] == channels:
            return Plane(plane.value, "nsc")
        turned = _turned(plane, shape, channels, name)
        if turned:
            return Plane(plane.value, turned)
        return reshape(builder, Plane(builder.flatten(plane.value, name), "nc"), shape, name)
    place = _channel_axis(plane, shape, channels)
    if place is None:
        raise ImportFailure(f"{name}: {channels} channels become the shape {shape}")
    return Plane(plane.value, "".join("c" if axis == place else "n" if axis == 0 else "1"
                                      for axis in range(len(shape))))


def _turned(plane, shape, channels, name):
    """The axes, where a reshape does nothing or what a transpose does: of one channel, or of one
    pixel, which is checked where the plane's size is known."""
    if plane.axes not in ("nchw", "nhwc") or len(shape) != 4:
        return None
    for axes, place in (("nchw", 1), ("nhwc", 3)):
        others = [shape[axis] for axis in range(1, 4) if axis != place]
        if shape[place] not in (channels, -1):
            continue
        if others == [1, 1]:
            plane.value.node.pixel = name
            return axes
        if channels == 1 and axes != plane.axes:
            return axes
    return None


def _channel_axis(plane, shape, channels):
    first = 1 if len(shape) > 1 else 0
    for wanted in (channels, -1, 0):
        for axis in range(first, len(shape)):
            if shape[axis] == wanted and (
                    wanted != 0 or plane.axes[axis:axis + 1] == "c"):
                return axis
    return None


def squeeze(builder, plane, axes, name):
    """axes: None for all of size 1."""
    if axes is None:
        axes = [i for i, letter in enumerate(plane.axes) if letter not in "nc"]
    axes = {axis % len(plane.axes) for axis in axes}
    letters = {plane.axes[axis] for axis in axes}
    if letters & {"c"} and (plane.value.channels != 1 or not plane.is_vector):
        raise ImportFailure(f"{name}: takes the axis of channels away")
    value = plane.value
    if letters & set("hws"):
        value = builder.flatten(value, name)
    left = "".join(letter for axis, letter in enumerate(plane.axes) if axis not in axes)
    if not left:
        raise ImportFailure(f"{name}: takes all axes away")
    return Plane(value, left.translate(str.maketrans("hws", "111"))
                 if value is not plane.value else left)


def unsqueeze(plane, axes, name):
    letters = list(plane.axes)
    rank = len(letters) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        letters.insert(axis, "1")
    if not plane.is_vector:
        raise ImportFailure(f"{name}: gives a whole plane another axis")
    return Plane(plane.value, "".join(letters))


def image(builder, name, shape):
    """(the plane of an input of this shape, its height and width); sizes that are not known are not
    positive.  Which axis is the channels' is seen by its size: 3, else 1, 4 or 2."""
    for channels in (3, 1, 4, 2):
        for axes, place in (("nchw", 1), ("nhwc", 3)):
            if len(shape) == 4 and shape[place] == channels:
                height, width = (shape[axes.index(letter)] for letter in "hw")
                sizes = (size if 0 < size <= 65536 else None for size in (height, width))
                return Plane(builder.input(name, channels), axes), *sizes
    raise ImportFailure(f"input {name} has shape {list(shape)}, expected an image of 1 to 4 "
                        "channels")


def per_channel(plane, constant, name):
    """A constant that is combined with a plane: a number, or one for each channel."""
    if constant.size == 1:
        return constant.reshape(())
    from_end = plane.axes[::-1].index("c") if "c" in plane.axes else 0
    shape = constant.shape
    if len(shape) <= from_end or shape[-1 - from_end] != constant.size:
        raise ImportFailure(f"{name}: a constant of shape {list(shape)} is not one number per "
                            "channel")
    return constant.reshape(-1)


def combined(a, b):
    """The axes of a sum or product of two planes."""
    return next((plane.axes for plane in (a, b) if not plane.is_vector), a.axes)
