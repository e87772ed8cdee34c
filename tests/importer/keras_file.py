"""Writes Keras's files without Keras: a small network as a model's configuration, in the forms of
Keras 2 and 3, and its weights by layer or by class."""
import io
import json
import re
import zipfile

from small_network import Act, Add, Conv, Dense, MaxPool, Mul, Pool


def classes(operations):
    """[(Keras's class, name, config, inputs, {parameter: array})], one for each layer."""
    layers = []

    def put(kind, name, config, inputs, **parameters):
        layers.append((kind, name, config, inputs, parameters))

    for op in operations:
        if isinstance(op, Conv):
            output = op.name if op.norm is None else f"{op.name}_conv"
            x, padding = op.x, "same"
            if max(op.strides) > 1 and op.pads[0] == op.pads[2] and op.pads[0] > 0:
                top, left, bottom, right = op.pads
                put("ZeroPadding2D", f"{output}_pad", {"padding": [[top, bottom], [left, right]]},
                    [x])
                x, padding = f"{output}_pad", "valid"
            depthwise = op.groups > 1
            kernel = op.weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            config = {"strides": list(op.strides), "padding": padding,
                      "use_bias": op.bias is not None, "activation": "linear"}
            bias = {} if op.bias is None else {"bias": op.bias}
            put("DepthwiseConv2D" if depthwise else "Conv2D", output, config, [x], kernel=kernel,
                **bias)
            if op.norm is not None:
                n = op.norm
                put("BatchNormalization", op.name, {"epsilon": n.epsilon, "axis": -1}, [output],
                    gamma=n.gamma, beta=n.beta, moving_mean=n.mean, moving_variance=n.variance)
        elif isinstance(op, Act):
            put("Activation", op.name, {"activation": op.kind}, [op.x])
        elif isinstance(op, Pool):
            put("GlobalMaxPooling2D" if op.maximum else "GlobalAveragePooling2D", op.name,
                {"keepdims": True}, [op.x])
        elif isinstance(op, MaxPool):
            put("MaxPooling2D", op.name, {"pool_size": [op.window] * 2,
                                          "strides": [op.stride] * 2, "padding": "valid"}, [op.x])
        elif isinstance(op, Dense):
            put("Dense", op.name, {"activation": "linear", "use_bias": True}, [op.x],
                kernel=op.weight.T, bias=op.bias)
        else:
            put({Add: "Add", Mul: "Multiply"}[type(op)], op.name, {}, [op.a, op.b])
    return layers


def _inbound(inputs, new):
    if new:
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
                   for name in inputs]
        return [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}]
    return [[[name, 0, 0, {}] for name in inputs]]


def configuration(layers, shape, new):
    listed = [{"class_name": "InputLayer", "name": "image", "inbound_nodes": [],
               "config": {"name": "image", "batch_shape" if new else "batch_input_shape": shape}}]
    for kind, name, config, inputs, _ in layers:
        listed.append({"class_name": kind, "name": name, "config": {"name": name, **config},
                       "inbound_nodes": _inbound(inputs, new)})
    return {"class_name": "Functional", "config": {
        "name": "model", "layers": listed, "input_layers": [["image", 0, 0]],
        "output_layers": [[layers[-1][1], 0, 0]]}}


def _by_layer(group, layers):
    """The older form: a group for each layer, and lists of names."""
    group.attrs["layer_names"] = [name.encode() for _, name, _, _, _ in layers]
    for kind, name, _, _, parameters in layers:
        inner = group.create_group(name)
        names = []
        for parameter, array in parameters.items():
            if kind == "DepthwiseConv2D" and parameter == "kernel":
                parameter = "depthwise_kernel"
            names.append(f"{name}/{parameter}:0")
            inner.create_dataset(names[-1], data=array)
        inner.attrs["weight_names"] = [n.encode() for n in names]


def _by_class(file, layers):
    """.weights.h5: by class and number."""
    counts = {}
    for kind, _, _, _, parameters in layers:
        name = {"Conv2D": "conv2d", "DepthwiseConv2D": "depthwise_conv2d", "Dense": "dense",
                "BatchNormalization": "batch_normalization"}.get(
                    kind, re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind).lower())
        number = counts.get(name, 0)
        counts[name] = number + 1
        group = file.create_group(f"layers/{name}_{number}/vars" if number else
                                  f"layers/{name}/vars")
        for index, array in enumerate(parameters.values()):
            group.create_dataset(str(index), data=array)


def _hdf5(fill):
    import h5py
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        fill(file)
    return data.getvalue()


def h5(layers, shape, config=None, version="2.11.0"):
    def fill(file):
        text = json.dumps(config or configuration(layers, shape, version[0] == "3"))
        file.attrs["model_config"] = text
        file.attrs["keras_version"] = version
        _by_layer(file.create_group("model_weights"), layers)
    return _hdf5(fill)


def h5_weights(layers):
    return _hdf5(lambda file: _by_layer(file, layers))


def weights_h5(layers):
    return _hdf5(lambda file: _by_class(file, layers))


def keras(layers, shape, config=None, weights=None):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        archive.writestr("config.json", json.dumps(config or configuration(layers, shape, True)))
        archive.writestr("model.weights.h5", weights or weights_h5(layers))
    return data.getvalue()
