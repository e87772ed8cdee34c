"""From a Keras model's configuration to a graph."""
import numpy

from . import keras_config, keras_operation, plane
from .errors import ImportFailure
from .graph import Builder, Resizing, hard_sigmoid, hard_swish, relu, relu6
from .keras_store import snake_case
from .plane import Plane

_IDENTITY = {"Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
             "ActivityRegularization", "Identity", "MixUp", "CutMix"}
_MODELS = {"Functional", "Model", "Sequential"}


class Network:
    """output: the Value of the output that was asked for; chosen: which one it is, a number or a
    name; height, width: of the input, or None; type: of its elements."""

    def __init__(self, config, store, version, wanted=None):
        self.builder, self.store, self.wanted = Builder(), store, wanted
        self.old = version.split(".")[0] in ("1", "2")
        self.height = self.width = None
        self.chosen, self.type = 0, "float32"
        outputs = self.model(config, None, ())
        if len(outputs) != 1:
            raise ImportFailure(f"it has {len(outputs)} outputs, expected one")
        self.output = outputs[0].value

    # ---- Models ----

    def model(self, config, inputs, containers):
        """The outputs of a model; inputs None: it is the whole one, and makes its own."""
        kind = config.get("class_name")
        inner = config.get("config")
        if kind not in _MODELS:
            raise ImportFailure(f"the model is a {kind}, expected Functional or Sequential")
        layers = inner if isinstance(inner, list) else inner.get("layers")
        if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
            raise ImportFailure(f"malformed configuration: {kind} without a list of layers")
        numbered = self.number(layers)
        if kind == "Sequential":
            return [self.sequential(inner, numbered, inputs, containers)]
        return self.functional(inner, numbered, inputs, containers)

    @staticmethod
    def number(layers):
        """[(layer, class in snake case, how many of that class came before)]."""
        counts, result = {}, []
        for layer in layers:
            kind = snake_case(str(layer.get("class_name")))
            if keras_config.is_operation(layer):
                result.append((layer, kind, 0))
                continue
            result.append((layer, kind, counts.get(kind, 0)))
            counts[kind] = counts.get(kind, 0) + 1
        return result

    def sequential(self, config, layers, inputs, containers):
        x = inputs[0] if inputs else None
        for layer, kind, number in layers:
            if layer.get("class_name") == "InputLayer":
                if x is None:
                    x = self.input(layer)
                continue
            if x is None:
                x = self.implicit_input(config, layer)
            results = self.apply(layer, [x], {}, containers, kind, number)
            if len(results) != 1:
                raise ImportFailure(f"{keras_config.name_of(layer)}: {len(results)} outputs")
            x = results[0]
        if x is None:
            raise ImportFailure("a model without layers")
        return x

    def implicit_input(self, config, layer):
        shape = None
        if isinstance(config, dict):
            shape = config.get("build_input_shape")
        shape = (layer.get("config") or {}).get("batch_input_shape") or shape
        if shape is None and layer.get("class_name") in _MODELS:
            # The model inside says.
            inner = layer["config"]
            layers = inner if isinstance(inner, list) else inner.get("layers", [])
            if layers and layers[0].get("class_name") == "InputLayer":
                return self.input(layers[0])
        return self.make_input("input", shape)

    def input(self, layer):
        config = layer.get("config") or {}
        if isinstance(config.get("dtype"), str):
            self.type = config["dtype"]
        return self.make_input(keras_config.name_of(layer),
                               config.get("batch_shape") or config.get("batch_input_shape"))

    def make_input(self, name, shape):
        sizes = shape if isinstance(shape, list) else []
        sizes = [size if type(size) is int and size > 0 else -1 for size in sizes]
        image, self.height, self.width = plane.image(self.builder, name, sizes)
        return image

    def functional(self, config, layers, inputs, containers):
        values = {}  # (layer, node) -> list of planes
        names = keras_config.references(config.get("input_layers"))
        outputs = keras_config.references(config.get("output_layers"))
        if inputs is None:
            outputs = self.choose(config["output_layers"], outputs)
        else:
            if len(inputs) != len(names):
                raise ImportFailure(f"{config.get('name')}: called with {len(inputs)} inputs")
            for (layer, _, _), value in zip(names, inputs):
                values[layer, 0] = [value]
        calls = {(keras_config.name_of(layer), node): (layer, kind, number, call)
                 for layer, kind, number in layers
                 for node, call in enumerate(keras_config.calls(layer))}
        needed, stack = set(), [reference[:2] for reference in outputs]
        while stack:
            key = stack.pop()
            if key not in needed and key in calls:
                needed.add(key)
                stack += [reference[:2] for reference in calls[key][3][0]]
        waiting = [key for key in calls if key in needed and key not in values]
        while waiting:
            left = []
            for key in waiting:
                layer, kind, number, (references, arguments) = calls[key]
                if layer.get("class_name") == "InputLayer":
                    values[key] = [self.input(layer)]
                    continue
                planes = [keras_config.lookup(values, reference) for reference in references]
                if any(x is None for x in planes):
                    left.append(key)
                    continue
                values[key] = self.apply(layer, planes, arguments, containers, kind, number)
            if len(left) == len(waiting):
                raise ImportFailure(f"{left[0][0]}: its input is not there")
            waiting = left
        results = [keras_config.lookup(values, reference) for reference in outputs]
        if any(result is None for result in results):
            raise ImportFailure(f"{config.get('name')}: its output is not there")
        return results

    def choose(self, config, outputs):
        """The output that is wanted, of those of the whole model."""
        names = list(config) if isinstance(config, dict) else [layer for layer, _, _ in outputs]
        listed = ", ".join(names)
        if self.wanted is not None and self.wanted not in names:
            raise ImportFailure(f"--output {self.wanted}: its outputs are {listed}")
        if self.wanted is None and len(names) != 1:
            raise ImportFailure(f"{len(names)} outputs, expected one: {listed} (--output NAME "
                                "chooses)")
        index = 0 if self.wanted is None else names.index(self.wanted)
        self.chosen = names[index] if isinstance(config, dict) else index
        return [outputs[index]]

    # ---- Layers ----

    def apply(self, layer, inputs, arguments, containers, kind, number):
        name, class_name = keras_config.name_of(layer), str(layer.get("class_name"))
        if class_name in _MODELS:
            return self.model(layer, inputs, (*containers, keras_config.numbered(kind, number)))
        config = layer.get("config")
        if not isinstance(config, dict):
            raise ImportFailure(f"malformed configuration: {name}")
        self.place = (containers, name, kind, number)
        if not inputs:
            raise ImportFailure(f"{name}: has no input")
        if keras_config.is_operation(layer) or arguments.get("numbers"):
            return [keras_operation.apply(self, name, class_name, config, inputs, arguments)]
        x = inputs[0]
        if class_name in _IDENTITY or class_name.startswith("Random") \
                and class_name != "RandomCrop":
            return [x]
        method = getattr(self, "layer_" + kind, None)
        if method is None and keras_operation.knows(class_name):  # .h5 has no modules
            return [keras_operation.apply(self, name, class_name, config, inputs, arguments)]
        if method is None:
            raise ImportFailure(f"{name}: a {class_name} is in no MobileNet")
        if any(x.partial for x in inputs):
            raise ImportFailure(f"{name}: a {class_name} between the two halves of a global pool")
        if kind in ("add", "multiply", "concatenate"):
            return [method(name, config, inputs)]
        if len(inputs) != 1:
            raise ImportFailure(f"{name}: {len(inputs)} inputs")
        if ("data_format" in config or kind.endswith("2d")) and len(x.axes) == 4:
            layout = config.get("data_format") or "channels_last"
            if x.axes[1 if layout == "channels_first" else 3] != "c":
                raise ImportFailure(f"{name}: {layout}, unlike its input")
        return [method(name, config, x)]

    def weights(self, *parameters):
        return self.store.get(*self.place, parameters)

    def activate(self, name, x, activation):
        kind = activation
        if isinstance(activation, dict):
            kind = activation.get("config")
            if isinstance(kind, dict):
                kind = kind.get("name")
        functions = {
            "relu": relu, "relu6": relu6, "hard_swish": hard_swish, "hard_silu": hard_swish,
            "hard_sigmoid": hard_sigmoid(*((0.2, 0.5) if self.old else ())),
        }
        if kind in (None, "linear"):
            return x
        if kind in ("softmax", "log_softmax", "sigmoid"):
            if kind != "sigmoid" and (not x.is_vector or x.axes[-1] != "c"):
                raise ImportFailure(f"{name}: a softmax that is not over the classes")
            return x.with_value(self.builder.final(x.value, kind, name))
        if not isinstance(kind, str) or kind not in functions:
            raise ImportFailure(f"{name}: its activation {kind} is none of ReLU, ReLU6, "
                                "hard-sigmoid, hard-swish")
        return x.with_value(self.builder.unary(x.value, functions[kind], name))

    def layer_conv2d(self, name, config, x):
        weights = self.weights(*(("kernel", "bias") if config.get("use_bias", True) else
                                 ("kernel",)))
        kernel = weights["kernel"]
        if kernel.ndim != 4:
            raise ImportFailure(f"{name}/kernel: {kernel.ndim} dimensions")
        return self.convolve(name, config, x, kernel.transpose(3, 2, 0, 1), weights.get("bias"),
                             config.get("groups", 1))

    def layer_depthwise_conv2d(self, name, config, x):
        weights = self.weights(*(("kernel", "bias") if config.get("use_bias", True) else
                                 ("kernel",)))
        kernel = weights["kernel"]
        if kernel.ndim != 4 or kernel.shape[3] != 1:
            raise ImportFailure(f"{name}: a depth multiplier other than 1")
        return self.convolve(name, config, x, kernel.transpose(2, 3, 0, 1), weights.get("bias"),
                             x.value.channels)

    def convolve(self, name, config, x, kernel, bias, groups):
        strides, padding = config.get("strides", [1, 1]), config.get("padding", "valid")
        if isinstance(strides, int):
            strides = [strides, strides]
        dilation = config.get("dilation_rate", 1)
        if dilation not in (1, [1, 1]) or padding not in ("same", "valid") \
                or not keras_config.are_sizes(strides, 2) or type(groups) is not int or groups < 1:
            raise ImportFailure(f"{name}: not a plain convolution")
        value = self.builder.conv(x.value, kernel, bias, tuple(strides),
                                  "same" if padding == "same" else (0, 0, 0, 0), groups, name)
        return self.activate(name, x.with_value(value), config.get("activation"))

    def layer_dense(self, name, config, x):
        if not x.is_vector or x.axes[-1] != "c":
            raise ImportFailure(f"{name}: a fully connected layer on a whole plane; MobileNets "
                                "have a global pool before it")
        weights = self.weights(*(("kernel", "bias") if config.get("use_bias", True) else
                                 ("kernel",)))
        value = self.builder.dense(x.value, weights["kernel"].T, weights.get("bias"), name)
        return self.activate(name, x.with_value(value), config.get("activation"))

    def layer_batch_normalization(self, name, config, x):
        parameters = [*(["gamma"] if config.get("scale", True) else []),
                      *(["beta"] if config.get("center", True) else []),
                      "moving_mean", "moving_variance"]
        weights = self.weights(*parameters)
        axis = config.get("axis", -1)
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if type(axis) is not int or not -len(x.axes) <= axis < len(x.axes) or x.axes[axis] != "c":
            raise ImportFailure(f"{name}: a batch norm along axis {axis}")
        epsilon = config.get("epsilon", 1e-3)
        if not isinstance(epsilon, (int, float)):
            raise ImportFailure(f"{name}: epsilon {epsilon}")
        value = self.builder.batch_norm(
            x.value, weights.get("gamma", 1.0), weights.get("beta", 0.0), weights["moving_mean"],
            weights["moving_variance"], epsilon, name)
        return x.with_value(value)

    def layer_re_lu(self, name, config, x):
        most = config.get("max_value")
        if config.get("negative_slope") or config.get("threshold"):
            raise ImportFailure(f"{name}: a ReLU with a slope or a threshold")
        most = numpy.inf if most is None else float(most)
        return x.with_value(self.builder.unary(x.value, lambda v: numpy.clip(v, 0.0, most), name))

    def layer_activation(self, name, config, x):
        return self.activate(name, x, config.get("activation"))

    def layer_softmax(self, name, config, x):
        axis = config.get("axis", -1)
        if type(axis) is not int or not x.is_vector or not -len(x.axes) <= axis < len(x.axes) \
                or x.axes[axis] != "c":
            raise ImportFailure(f"{name}: a softmax that is not over the classes")
        return x.with_value(self.builder.final(x.value, "softmax", name))

    def layer_add(self, name, config, inputs):
        return self.two(name, inputs, self.builder.add)

    def layer_multiply(self, name, config, inputs):
        return self.two(name, inputs, self.builder.multiply)

    @staticmethod
    def two(name, inputs, combine):
        if len(inputs) != 2:
            raise ImportFailure(f"{name}: {len(inputs)} inputs, expected 2")
        return Plane(combine(inputs[0].value, inputs[1].value, name), plane.combined(*inputs))

    # ---- Pools and shapes ----

    def global_pool(self, name, config, x, maximum):
        return plane.reduce(self.builder, x, plane.spatial_axes(x, name),
                            config.get("keepdims", False), maximum, name)

    def layer_global_average_pooling2d(self, name, config, x):
        return self.global_pool(name, config, x, False)

    def layer_global_max_pooling2d(self, name, config, x):
        return self.global_pool(name, config, x, True)

    def layer_average_pooling2d(self, name, config, x):
        plane.spatial_axes(x, name)
        window, strides = config.get("pool_size", [2, 2]), config.get("strides")
        window, strides = (size if isinstance(size, list) else [size] * 2 for size in
                           (window, window if strides is None else strides))
        return Plane(self.builder.average_pool(x.value, window, strides,
                                               config.get("padding") == "same", name),
                     x.axes.translate(str.maketrans("hw", "11")))

    def layer_max_pooling2d(self, name, config, x):
        window, strides = config.get("pool_size", [2, 2]), config.get("strides")
        strides = window if strides is None else strides
        if config.get("padding", "valid") not in ("valid", "same") \
                or not keras_config.are_sizes(window, 2) \
                or not keras_config.are_sizes(strides, 2) or not all(strides):
            raise ImportFailure(f"{name}: not a plain max pool")
        pads = "same" if config.get("padding") == "same" else (0, 0, 0, 0)
        return x.with_value(self.builder.max_pool(x.value, window, strides, name, pads))

    def layer_zero_padding2d(self, name, config, x):
        padding = config.get("padding", 1)
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        rows, columns = ((p, p) if isinstance(p, int) else p for p in (rows, columns))
        if not keras_config.are_sizes(list(rows), 2) \
                or not keras_config.are_sizes(list(columns), 2):
            raise ImportFailure(f"{name}: pads by {padding}")
        pads = rows[0], columns[0], rows[1], columns[1]
        return x.with_value(self.builder.pad(x.value, pads, name))

    def layer_reshape(self, name, config, x):
        shape = config.get("target_shape")
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise ImportFailure(f"{name}: reshapes to {shape}")
        return plane.reshape(self.builder, x, [-1, *shape], name)

    def layer_flatten(self, name, config, x):
        return plane.reshape(self.builder, x, [-1, x.value.channels], name)

    def layer_permute(self, name, config, x):
        order = config.get("dims")
        if not isinstance(order, list) or not all(type(axis) is int for axis in order):
            raise ImportFailure(f"{name}: permutes by {order}")
        return plane.transpose(x, [0, *order], name)

    def layer_concatenate(self, name, config, inputs):
        return self.concatenate(name, inputs, config.get("axis", -1))

    def concatenate(self, name, inputs, axis):
        axes = inputs[0].axes
        if any(x.axes != axes for x in inputs) or type(axis) is not int \
                or not -len(axes) <= axis < len(axes) or axes[axis] != "c":
            raise ImportFailure(f"{name}: concatenates, which is in no MobileNet")
        return inputs[0].with_value(self.builder.concatenate([x.value for x in inputs], name))

    # ---- Of the image ----

    def scale_shift(self, name, x, scale, shift):
        """Each a number, or one for each channel."""
        scale, shift = (plane.per_channel(x, numpy.asarray(v, float), name)
                        for v in (scale, shift))
        return x.with_value(self.builder.scale_shift(x.value, scale, shift, name))

    def layer_rescaling(self, name, config, x):
        return self.scale_shift(name, x, config.get("scale", 1.0), config.get("offset", 0.0))

    def layer_normalization(self, name, config, x):
        mean, variance = config.get("mean"), config.get("variance")
        if mean is None or variance is None:
            weights = self.weights("mean", "variance")
            mean, variance = weights["mean"], weights["variance"]
        mean = numpy.asarray(mean, float)
        deviation = numpy.maximum(numpy.sqrt(numpy.asarray(variance, float)), 1e-7)
        scale, shift = (deviation, mean) if config.get("invert") else \
            (1 / deviation, -mean / deviation)
        if scale.size > 1:  # along the channels, wherever they are
            axis = config.get("axis", -1)
            axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
            if scale.size != x.value.channels or type(axis) is not int \
                    or x.axes[axis % len(x.axes)] != "c":
                raise ImportFailure(f"{name}: normalises along axis {axis}")
            return x.with_value(self.builder.scale_shift(
                x.value, scale.reshape(-1), shift.reshape(-1), name))
        return self.scale_shift(name, x, scale, shift)

    def layer_resizing(self, name, config, x):
        return self.resized(name, x, (config.get("height"), config.get("width")), config)

    def layer_random_crop(self, name, config, x):
        """Outside of training it resizes to cover its size, and crops in the centre."""
        return self.resized(name, x, (config.get("height"), config.get("width")),
                            {"crop_to_aspect_ratio": True})

    def layer_center_crop(self, name, config, x):
        size = config.get("height"), config.get("width")
        plane.spatial_axes(x, name)
        if not keras_config.are_sizes(size, 2):
            raise ImportFailure(f"{name}: crops to {size}")
        return x.with_value(self.builder.crop(x.value, *size, name))

    def resized(self, name, x, size, config):
        interpolation = config.get("interpolation", "bilinear")
        plane.spatial_axes(x, name)
        if not keras_config.are_sizes(size, 2):
            raise ImportFailure(f"{name}: resizes to {size}")
        if interpolation not in ("bilinear", "nearest", "bicubic", "area") \
                or config.get("antialias") \
                or config.get("fill_mode", "constant") != "constant":
            what = ", antialiased" if config.get("antialias") else ""
            raise ImportFailure(f"{name}: resizes by {interpolation}{what}, which no preprocessing "
                                "here does: save the model without it")
        fit = "cover" if config.get("crop_to_aspect_ratio") else \
            "letterbox" if config.get("pad_to_aspect_ratio") else "crop"
        fill = config.get("fill_value", 0.0)
        fill = (float(fill if isinstance(fill, (int, float)) else 0),)
        return x.with_value(self.builder.resize(
            x.value, Resizing(*size, interpolation, fit=fit, fill=fill), name))
