"""From a Keras model's configuration to a graph."""
import numpy

from .errors import ImportFailure
from .graph import Builder, hard_sigmoid, hard_swish, relu, relu6
from .keras_store import snake_case

_IDENTITY = {"Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
             "ActivityRegularization"}
_MODELS = {"Functional", "Model", "Sequential"}


class _Plane:
    """A Value; pooled: of one pixel, or flat."""

    def __init__(self, value, pooled=False):
        self.value, self.pooled = value, pooled


class Network:
    """output: the Value of the model's only output; height, width: of its input, or None."""

    def __init__(self, config, store, version):
        self.builder, self.store = Builder(), store
        self.old = version.split(".")[0] in ("1", "2")
        self.height = self.width = None
        self.image = None
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
            if _is_operation(layer):
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
                raise ImportFailure(f"{_name(layer)}: {len(results)} outputs")
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
        return self.make_input(_name(layer),
                               config.get("batch_shape") or config.get("batch_input_shape"))

    def make_input(self, name, shape):
        if not isinstance(shape, list) or len(shape) != 4 or shape[3] != 3:
            raise ImportFailure(f"input {name} has shape {shape}, expected an image of 3 channels "
                                "(last)")
        self.height, self.width = (size if type(size) is int and size > 0 else None
                                   for size in shape[1:3])
        return _Plane(self.builder.input(name, 3))

    def functional(self, config, layers, inputs, containers):
        values = {}  # (layer, node) -> list of planes
        names = _references(config.get("input_layers"))
        outputs = _references(config.get("output_layers"))
        if inputs is not None:
            if len(inputs) != len(names):
                raise ImportFailure(f"{config.get('name')}: called with {len(inputs)} inputs")
            for (layer, _, _), value in zip(names, inputs):
                values[layer, 0] = [value]
        waiting = [(layer, kind, number, node, call) for layer, kind, number in layers
                   for node, call in enumerate(_calls(layer))]
        while waiting:
            left = []
            for item in waiting:
                layer, kind, number, node, (references, arguments) = item
                key = (_name(layer), node)
                if key in values:
                    continue
                if layer.get("class_name") == "InputLayer":
                    values[key] = [self.input(layer)]
                    continue
                planes = [_lookup(values, reference) for reference in references]
                if any(plane is None for plane in planes):
                    left.append(item)
                    continue
                values[key] = self.apply(layer, planes, arguments, containers, kind, number)
            if len(left) == len(waiting):
                raise ImportFailure(f"{_name(left[0][0])}: its input is not there")
            waiting = left
        results = [_lookup(values, reference) for reference in outputs]
        if any(result is None for result in results):
            raise ImportFailure(f"{config.get('name')}: its output is not there")
        return results

    # ---- Layers ----

    def apply(self, layer, inputs, arguments, containers, kind, number):
        name, class_name = _name(layer), str(layer.get("class_name"))
        if class_name in _MODELS:
            return self.model(layer, inputs, (*containers, _numbered(kind, number)))
        config = layer.get("config")
        if not isinstance(config, dict):
            raise ImportFailure(f"malformed configuration: {name}")
        if config.get("data_format", "channels_last") not in ("channels_last", None):
            raise ImportFailure(f"{name}: data format {config['data_format']}, expected "
                                "channels_last")
        self.place = (containers, name, kind, number)
        if _is_operation(layer) or arguments.get("numbers"):
            return [self.operation(name, class_name, config, inputs, arguments)]
        if not inputs:
            raise ImportFailure(f"{name}: has no input")
        x = inputs[0]
        if class_name in _IDENTITY or class_name.startswith("Random"):
            return [x]
        method = getattr(self, "layer_" + kind, None)
        if method is None:
            raise ImportFailure(f"{name}: a {class_name} is in no MobileNet")
        if kind in ("add", "multiply"):
            return [method(name, inputs)]
        if len(inputs) != 1:
            raise ImportFailure(f"{name}: {len(inputs)} inputs")
        return [method(name, config, x)]

    def weights(self, *parameters):
        return self.store.get(*self.place, parameters)

    def activate(self, name, value, activation):
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
            return value
        if kind in ("softmax", "sigmoid"):
            return self.builder.final(value, kind, name)
        if not isinstance(kind, str) or kind not in functions:
            raise ImportFailure(f"{name}: its activation {kind} is none of ReLU, ReLU6, "
                                "hard-sigmoid, hard-swish")
        return self.builder.unary(value, functions[kind], name)

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
                or not _numbers(strides, 2) or type(groups) is not int or groups < 1:
            raise ImportFailure(f"{name}: not a plain convolution")
        value = self.builder.conv(x.value, kernel, bias, tuple(strides),
                                  "same" if padding == "same" else (0, 0, 0, 0), groups, name)
        return _Plane(self.activate(name, value, config.get("activation")), x.pooled)

    def layer_dense(self, name, config, x):
        if not x.pooled:
            raise ImportFailure(f"{name}: a fully connected layer on a whole plane; MobileNets "
                                "have a global average pool before it")
        weights = self.weights(*(("kernel", "bias") if config.get("use_bias", True) else
                                 ("kernel",)))
        value = self.builder.dense(x.value, weights["kernel"].T, weights.get("bias"), name)
        return _Plane(self.activate(name, value, config.get("activation")), True)

    def layer_batch_normalization(self, name, config, x):
        parameters = [*(["gamma"] if config.get("scale", True) else []),
                      *(["beta"] if config.get("center", True) else []),
                      "moving_mean", "moving_variance"]
        weights = self.weights(*parameters)
        if config.get("axis", -1) not in (-1, 3, [3], [-1]) and not x.pooled:
            raise ImportFailure(f"{name}: a batch norm along axis {config['axis']}")
        epsilon = config.get("epsilon", 1e-3)
        if not isinstance(epsilon, (int, float)):
            raise ImportFailure(f"{name}: epsilon {epsilon}")
        value = self.builder.batch_norm(
            x.value, weights.get("gamma", 1.0), weights.get("beta", 0.0), weights["moving_mean"],
            weights["moving_variance"], epsilon, name)
        return _Plane(value, x.pooled)

    def layer_re_lu(self, name, config, x):
        most = config.get("max_value")
        if config.get("negative_slope") or config.get("threshold"):
            raise ImportFailure(f"{name}: a ReLU with a slope or a threshold")
        most = numpy.inf if most is None else float(most)
        return _Plane(self.builder.unary(x.value, lambda v: numpy.clip(v, 0.0, most), name),
                      x.pooled)

    def layer_activation(self, name, config, x):
        return _Plane(self.activate(name, x.value, config.get("activation")), x.pooled)

    def layer_softmax(self, name, config, x):
        return _Plane(self.builder.final(x.value, "softmax", name), x.pooled)

    def layer_add(self, name, inputs):
        return self.two(name, inputs, self.builder.add)

    def layer_multiply(self, name, inputs):
        return self.two(name, inputs, self.builder.multiply)

    @staticmethod
    def two(name, inputs, combine):
        if len(inputs) != 2:
            raise ImportFailure(f"{name}: {len(inputs)} inputs, expected 2")
        return _Plane(combine(inputs[0].value, inputs[1].value, name),
                      all(x.pooled for x in inputs))

    def layer_global_average_pooling2d(self, name, config, x):
        return _Plane(self.builder.global_pool(x.value, name), True)

    def layer_average_pooling2d(self, name, config, x):
        value = self.builder.global_pool(x.value, name)
        window = config.get("pool_size", [2, 2])
        value.node.window = tuple(window) if isinstance(window, list) else (window, window)
        return _Plane(value, True)

    def layer_max_pooling2d(self, name, config, x):
        window, strides = config.get("pool_size", [2, 2]), config.get("strides")
        strides = window if strides is None else strides
        if config.get("padding", "valid") != "valid" or not _numbers(window, 2) \
                or not _numbers(strides, 2):
            raise ImportFailure(f"{name}: a max pool with padding")
        return _Plane(self.builder.max_pool(x.value, window, strides, name))

    def layer_zero_padding2d(self, name, config, x):
        padding = config.get("padding", 1)
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        rows, columns = ((p, p) if isinstance(p, int) else p for p in (rows, columns))
        if not _numbers(list(rows), 2) or not _numbers(list(columns), 2):
            raise ImportFailure(f"{name}: pads by {padding}")
        return _Plane(self.builder.pad(x.value, (rows[0], columns[0], rows[1], columns[1]), name))

    def layer_reshape(self, name, config, x):
        if not x.pooled:
            raise ImportFailure(f"{name}: reshapes a whole plane; MobileNets have a global average "
                                "pool before that")
        return x

    layer_flatten = layer_reshape

    def layer_rescaling(self, name, config, x):
        return _Plane(self.builder.scale_shift(x.value, config.get("scale", 1.0),
                                               config.get("offset", 0.0), name), x.pooled)

    def layer_normalization(self, name, config, x):
        mean, variance = config.get("mean"), config.get("variance")
        if mean is None or variance is None:
            weights = self.weights("mean", "variance")
            mean, variance = weights["mean"], weights["variance"]
        deviation = numpy.maximum(numpy.sqrt(numpy.asarray(variance, float)), 1e-7)
        return _Plane(self.builder.scale_shift(x.value, 1 / deviation,
                                               -numpy.asarray(mean, float) / deviation, name),
                      x.pooled)

    # ---- Arithmetic between layers ----

    def operation(self, name, class_name, config, inputs, arguments):
        function = str(config.get("function", class_name)).split(".")[-1]
        function = function.replace("_", "").replace("v2", "").lower()
        constants = [value for value in arguments.get("numbers", ())]
        if function in ("relu6", "relu") and len(inputs) == 1:
            return self.activated(name, inputs[0], function)
        if len(inputs) == 2 and function in ("add", "multiply"):
            return self.two(name, inputs, getattr(self.builder, function))
        if len(inputs) != 1 or len(constants) != 1:
            raise ImportFailure(f"{name}: operation {class_name} with {len(inputs)} inputs is in "
                                "no MobileNet")
        constant, x = numpy.asarray(constants[0], float), inputs[0]
        forms = {"add": (1.0, constant), "multiply": (constant, 0.0), "mul": (constant, 0.0),
                 "subtract": (1.0, -constant), "sub": (1.0, -constant)}
        if function in ("truedivide", "truediv", "divide", "div") and numpy.all(constant):
            forms[function] = (1 / constant, 0.0)
        if function not in forms or arguments.get("swapped") and function not in (
                "add", "multiply", "mul"):
            raise ImportFailure(f"{name}: operation {class_name} ({function}) is in no MobileNet")
        return _Plane(self.builder.scale_shift(x.value, *forms[function], name), x.pooled)

    def activated(self, name, x, kind):
        return _Plane(self.activate(name, x.value, kind), x.pooled)


# ---- Configurations ----

def _name(layer):
    config = layer.get("config")
    return str(layer.get("name") or (config.get("name") if isinstance(config, dict) else None)
               or layer.get("class_name"))


def _numbered(kind, number):
    return kind if number == 0 else f"{kind}_{number}"


def _numbers(values, count):
    return isinstance(values, (list, tuple)) and len(values) == count and all(
        type(value) is int and 0 <= value <= 1024 for value in values)


def _is_operation(layer):
    return layer.get("class_name") in ("TFOpLambda", "SlicingOpLambda", "TrueDivide", "Divide") \
        or ".ops." in str(layer.get("module"))


def _references(value):
    """[(layer, node, tensor)] of input_layers or output_layers: a list of such, or one."""
    if not isinstance(value, list) or not value:
        raise ImportFailure("malformed configuration: a model without inputs or outputs")
    if isinstance(value[0], str):
        value = [value]
    return [_reference(item) for item in value]


def _reference(item):
    if not isinstance(item, list) or len(item) < 3 or not isinstance(item[0], str) \
            or type(item[1]) is not int or type(item[2]) is not int:
        raise ImportFailure(f"malformed configuration: {item!r:.60} is no reference to a layer")
    return item[0], item[1], item[2]


def _lookup(values, reference):
    layer, node, tensor = reference
    outputs = values.get((layer, node))
    if outputs is None:
        return None
    if not 0 <= tensor < len(outputs):
        raise ImportFailure(f"malformed configuration: {layer} has no output {tensor}")
    return outputs[tensor]


def _calls(layer):
    """[(references, arguments)] for every time that a layer is called; one for an input."""
    nodes = layer.get("inbound_nodes")
    if layer.get("class_name") == "InputLayer":
        return [([], {})]
    if not isinstance(nodes, list):
        raise ImportFailure(f"malformed configuration: {_name(layer)} without inbound_nodes")
    return [_new_call(node) if isinstance(node, dict) else _old_call(node) for node in nodes]


def _new_call(node):
    """Keras 3: {"args": [...], "kwargs": {...}} with __keras_tensor__ where a plane stands."""
    references, numbers, swapped = [], [], False

    def visit(item):
        nonlocal swapped
        if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            references.append(_reference(item.get("config", {}).get("keras_history")))
            swapped = bool(numbers)
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            numbers.append(item)
        elif isinstance(item, list):
            if item and all(isinstance(v, (int, float)) for v in item):
                numbers.append(item)
            else:
                for value in item:
                    visit(value)
    for item in node.get("args") or []:
        visit(item)
    for key in ("x1", "x2", "y"):
        if key in (node.get("kwargs") or {}):
            visit(node["kwargs"][key])
    return references, {"numbers": numbers, "swapped": swapped}


def _old_call(node):
    """Keras 2: [["layer", 0, 0, {"y": 3.0}], ...], or one of them alone."""
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]
    if not isinstance(node, list):
        raise ImportFailure("malformed configuration: inbound_nodes")
    references, numbers = [], []
    for item in node:
        references.append(_reference(item))
        for value in (item[3] if len(item) > 3 and isinstance(item[3], dict) else {}).values():
            if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                references.append(_reference(value))
            elif isinstance(value, (int, float)) and not isinstance(value, bool) \
                    or isinstance(value, list):
                numbers.append(value)
    return references, {"numbers": numbers, "swapped": False}
