"""Operations between a Keras model's layers: keras.ops, and TensorFlow's functions in Keras 2."""
import numpy

from . import plane
from .errors import ImportFailure
from .plane import Plane

_LAYERS = {"relu": "relu", "relu6": "relu6", "hardsigmoid": "hard_sigmoid",
           "hardswish": "hard_swish", "hardsilu": "hard_swish", "softmax": "softmax",
           "logsoftmax": "log_softmax", "sigmoid": "sigmoid", "identity": None, "cast": None,
           "stopgradient": None}
_BOUNDS = {"clip": ("x_min", "x_max"), "clipbyvalue": ("clip_value_min", "clip_value_max")}


def knows(class_name):
    function = _plain(class_name)
    return function in _LAYERS or function in _BOUNDS or hasattr(_Operation, "do_" + function) \
        or function in ("negative", "truedivide", "subtract")


def _plain(name):
    name = name.split(".")[-1].replace("_", "").lower()
    return name[:-2] if name.endswith("v2") else name


def apply(network, name, class_name, config, inputs, arguments):
    """The plane that an operation makes of others and constants."""
    function = _plain(str(config.get("function", class_name)))
    named = {**config, **arguments.get("named", {})}
    numbers = list(arguments.get("numbers", ()))
    operation = _Operation(network, name, f"operation {class_name} ({function})", inputs, named,
                           numbers, arguments)
    if any(x.partial for x in inputs) and function not in ("mean", "reducemean", "max",
                                                           "reducemax"):
        operation.refuse()
    if function in _LAYERS:
        return operation.layer(_LAYERS[function])
    if function in _BOUNDS:
        return operation.clip(*_BOUNDS[function])
    method = getattr(operation, "do_" + function, None)
    return method() if method else operation.arithmetic(function)


class _Operation:
    def __init__(self, network, name, described, inputs, named, numbers, arguments):
        self.network, self.builder, self.name = network, network.builder, name
        self.described, self.inputs, self.x = described, inputs, inputs[0]
        self.named, self.numbers = named, numbers
        self.swapped, self.index = arguments.get("swapped"), arguments.get("index")

    def refuse(self, *_):
        raise ImportFailure(f"{self.name}: {self.described} with {len(self.inputs)} inputs is in "
                            "no MobileNet")

    def axes(self, *keys):
        """Axes of the first of these arguments that is there, as numbers from the front."""
        value = next((self.named[key] for key in keys if self.named.get(key) is not None), None)
        values = value if isinstance(value, (list, tuple)) else [value]
        rank = len(self.x.axes)
        if not all(type(axis) is int and -rank <= axis < rank for axis in values):
            self.refuse()
        return [axis % rank for axis in values]

    def channels(self, axis, numbers):
        if self.x.axes[axis] != "c":
            raise ImportFailure(f"{self.name}: takes a part of the image or the batch")
        return self.x.with_value(self.builder.select(self.x.value, numbers, self.name))

    # ---- Elementwise ----

    def layer(self, activation):
        axis = self.named.get("axis", -1)
        if activation in ("softmax", "log_softmax") and axis not in (-1, len(self.x.axes) - 1):
            self.refuse()
        return self.network.activate(self.name, self.x, activation)

    def clip(self, low, high):
        low, high = (self.named.get(key) for key in (low, high))
        if not all(isinstance(bound, (int, float)) for bound in (low, high)):
            self.refuse()
        return self.x.with_value(self.builder.unary(
            self.x.value, lambda v: numpy.clip(v, low, high), self.name))

    def extreme(self, function):
        if len(self.inputs) != 1 or len(self.numbers) != 1 or numpy.size(self.numbers[0]) != 1:
            self.refuse()
        number = float(numpy.reshape(self.numbers[0], ()))
        return self.x.with_value(self.builder.unary(
            self.x.value, lambda v: function(v, number), self.name))

    def do_maximum(self):
        return self.extreme(numpy.maximum)

    def do_minimum(self):
        return self.extreme(numpy.minimum)

    def arithmetic(self, function):
        if len(self.inputs) == 2 and not self.numbers:
            combine = {"add": self.builder.add, "addv2": self.builder.add,
                       "multiply": self.builder.multiply, "mul": self.builder.multiply}
            return self.network.two(self.name, self.inputs, combine.get(function, self.refuse))
        if function in ("negative", "neg") and len(self.inputs) == 1:
            return self.network.scale_shift(self.name, self.x, -1.0, 0.0)
        if len(self.inputs) != 1 or len(self.numbers) != 1:
            self.refuse()
        constant = numpy.asarray(self.numbers[0], float)
        forms = {"add": (1.0, constant), "biasadd": (1.0, constant),
                 "multiply": (constant, 0.0), "mul": (constant, 0.0)}
        if self.swapped:
            forms.update(subtract=(-1.0, constant), sub=(-1.0, constant))
        else:
            forms.update(subtract=(1.0, -constant), sub=(1.0, -constant))
            if numpy.all(constant):
                forms.update({key: (1 / constant, 0.0) for key in
                              ("truedivide", "truediv", "divide", "div", "realdiv")})
        if function not in forms:
            self.refuse()
        return self.network.scale_shift(self.name, self.x, *forms[function])

    # ---- Pools and shapes ----

    def reduced(self, maximum):
        return plane.reduce(self.builder, self.x, self.axes("axis"),
                            bool(self.named.get("keepdims")), maximum, self.name)

    def do_mean(self):
        return self.reduced(False)

    def do_max(self):
        return self.reduced(True)

    do_reducemean, do_reducemax = do_mean, do_max

    def do_transpose(self):
        return plane.transpose(self.x, self.axes("axes", "perm"), self.name)

    def do_reshape(self):
        shape = self.named.get("newshape", self.named.get("shape"))
        if not isinstance(shape, list) or not all(
                size is None or type(size) is int for size in shape):
            self.refuse()
        return plane.reshape(self.builder, self.x, [-1 if s is None else s for s in shape],
                             self.name)

    def do_squeeze(self):
        axes = self.axes("axis") if self.named.get("axis") is not None else None
        return plane.squeeze(self.builder, self.x, axes, self.name)

    def do_expanddims(self):
        axis = self.named.get("axis")
        return plane.unsqueeze(self.x, axis if isinstance(axis, list) else [axis], self.name)

    # ---- Of the image ----

    def do_getitem(self):
        """x[..., ::-1], x[:, :, :, 2] and the like."""
        index = self.index if isinstance(self.index, list) else [self.index]
        kinds = [item.get("class_name") if isinstance(item, dict) else None for item in index]
        if "__ellipsis__" in kinds:
            place = kinds.index("__ellipsis__")
            everything = [{}] * (len(self.x.axes) - len(index) + 1)
            index = index[:place] + everything + index[place + 1:]
        if len(index) > len(self.x.axes):
            self.refuse()
        x, axes = self.x, self.x.axes
        for axis, item in enumerate(index):
            of = item.get("config", item) if isinstance(item, dict) else item
            if type(of) is int and axes[axis] == "c":
                x = Plane(self.channels(axis, [of]).value, axes[:axis] + axes[axis + 1:])
            elif not isinstance(of, dict):
                self.refuse()
            elif axes[axis] == "c":
                part = slice(of.get("start"), of.get("stop"), of.get("step"))
                x = self.channels(axis, numpy.arange(self.x.value.channels)[part])
            elif (of.get("start") or 0, of.get("stop"), of.get("step") or 1) != (0, None, 1):
                raise ImportFailure(f"{self.name}: takes a part of the image or the batch")
        return x

    def do_stack(self):
        axis, axes = self.named.get("axis", 0), self.x.axes
        rank = len(axes) + 1
        if "c" in axes or any(x.axes != axes for x in self.inputs) or type(axis) is not int \
                or not -rank <= axis < rank:
            self.refuse()
        axis %= rank
        value = self.builder.concatenate([x.value for x in self.inputs], self.name)
        return Plane(value, axes[:axis] + "c" + axes[axis:])

    def do_flip(self):
        x = self.x
        for axis in self.axes("axis"):
            x = self.channels(axis, numpy.arange(self.x.value.channels)[::-1])
        return x

    do_reverse = do_flip

    def do_concatenate(self):
        return self.network.concatenate(self.name, self.inputs, self.axes("axis")[0])

    do_concat = do_concatenate

    def do_repeat(self):
        repeats = self.named.get("repeats")
        if type(repeats) is not int or not 1 <= repeats <= 4:
            self.refuse()
        return self.channels(self.axes("axis")[0],
                             numpy.repeat(numpy.arange(self.x.value.channels), repeats))

    def do_grayscaletorgb(self):
        return self.channels(self.x.index("c"), [0, 0, 0])

    def do_resize(self):
        size = self.named.get("size")
        if len(self.inputs) != 1 or not isinstance(size, list):
            self.refuse()
        options = {"interpolation": self.named.get("method", "bilinear"), **self.named}
        if options.get("preserve_aspect_ratio"):
            self.refuse()
        return self.network.resized(self.name, self.x, size, options)
