"""Keras models as people have them: MobileNets with what is put before, into and behind them, and
seeded weights.  Used by compare_graphs.py, which has Keras."""
import numpy


def build(keras, name):
    """(a model, what the model file is to say) by the name of one of VARIANTS."""
    keras.backend.clear_session()
    model, said = VARIANTS[name](keras)
    _seed(keras, model)
    return model, said


def _seed(keras, model):
    """Weights that keep the size of activations, and statistics as training leaves them."""
    rng = numpy.random.default_rng(4)
    for layer in model._flatten_layers():
        weights = layer.get_weights()
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            n = weights[0].size
            values = [rng.uniform(0.8, 1.2, n), rng.normal(0, 0.2, n), rng.normal(0, 0.2, n),
                      rng.uniform(0.8, 1.2, n)]
            wanted = [layer.scale, layer.center, True, True]
            layer.set_weights([v for v, there in zip(values, wanted) if there])
        elif kind in ("Conv2D", "DepthwiseConv2D", "Dense"):
            kernel = weights[0]
            fan = kernel.size // kernel.shape[3 if kind == "Conv2D" else -1] \
                if kind != "DepthwiseConv2D" else kernel.shape[0] * kernel.shape[1]
            bound = (4 / fan) ** 0.5
            layer.set_weights([rng.uniform(-bound, bound, kernel.shape),
                               *(rng.uniform(-0.2, 0.2, w.shape) for w in weights[1:])])


def _features(keras, shape=(96, 96, 3)):
    """The network with the fewest layers."""
    return keras.applications.MobileNet(input_shape=shape, alpha=0.25, weights=None,
                                        include_top=False)


def _around(keras, before=None, behind=None, shape=(96, 96, 3), inner=None, said=None, **inputs):
    """A model around the features of one inside: what comes before its image, and behind its
    map."""
    layers = keras.layers
    image = keras.Input(shape, **inputs)
    x = before(image) if before else image
    x = (inner or _features(keras, (96, 96, x.shape[-1])))(x)
    if behind is None:
        def behind(x):
            return layers.Dense(6)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, behind(x)), said or {}


def _ending(*ends):
    """Layers behind a global average pool."""
    def make(keras):
        def behind(x):
            x = keras.layers.GlobalAveragePooling2D()(x)
            for end in ends:
                x = end(keras)(x)
            return x
        return _around(keras, behind=behind)
    return make


def _says(make, **said):
    def build_it(keras):
        model, _ = make(keras)
        return model, said
    return build_it


def _dense(units, activation=None):
    return lambda keras: keras.layers.Dense(units, activation=activation)


def _layer(name, *arguments, **options):
    return lambda keras: getattr(keras.layers, name)(*arguments, **options)


def _function(name):
    return lambda keras: getattr(keras.ops, name)


def _preprocessed(mode):
    def make(keras):
        def before(image):
            if mode == "caffe":  # BGR
                image = image[..., ::-1] - numpy.array([103.939, 116.779, 123.68], numpy.float32)
            elif mode == "torch":
                image = (image / 255.0 - numpy.array([0.485, 0.456, 0.406], numpy.float32)) \
                    / numpy.array([0.229, 0.224, 0.225], numpy.float32)
            else:
                image = image / 127.5 - 1.0
            return image
        return _around(keras, before)
    return make


def _before(*ends, **options):
    def make(keras):
        def before(image):
            for end in ends:
                image = end(keras)(image)
            return image
        return _around(keras, before, **options)
    return make


def _two_outputs(keras):
    inner = _features(keras)
    image = keras.Input((96, 96, 3))
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(inner(image))
    logits = keras.layers.Dense(6, activation="softmax", name="logits")(x)
    boxes = keras.layers.Dense(4, activation="tanh", name="boxes")(x)  # nothing of a MobileNet's
    # Converters have names of their own.
    names = {"tflite": "output_1", "onnx": "Identity_1:0"}
    return keras.Model(image, [boxes, logits, x]), {"output": lambda form: names.get(
        form, "logits")}


def _of_one_pixel(keras):
    return _around(keras, inner=_features(keras, (32, 32, 3)), shape=(32, 32, 3),
                   behind=lambda x: keras.layers.Dense(6)(keras.layers.Flatten()(x)))


def _application(name, **options):
    def make(keras):
        return getattr(keras.applications, name)(
            input_shape=(96, 96, 3), weights=None, classes=6, **options), {}
    return make


def _channels(count, shape=(96, 64)):
    def make(keras):
        return _around(keras, shape=(*shape, count), inner=_features(keras, (*shape, count)),
                       said={"input_channels": str(count)})
    return make


_RESCALING = _layer("Rescaling", 1 / 127.5, offset=-1)


def _resized(**options):
    return _before(_layer("Resizing", 96, 96, **options), _RESCALING, shape=(None, None, 3))


_SIGMOID = {"probabilities": "sigmoid"}
_TENSORFLOW = {"resampling": "tensorflow"}

VARIANTS = {
    "v1": _application("MobileNet", alpha=0.25),
    "v2": _application("MobileNetV2", alpha=0.35),
    "v3 small": _application("MobileNetV3Small"),
    "v3 large, minimalistic": _application("MobileNetV3Large", minimalistic=True),
    # The output's activation.
    "several sigmoids": _says(_ending(_dense(5, "sigmoid")), **_SIGMOID),
    "one sigmoid": _says(_ending(_dense(1, "sigmoid")), **_SIGMOID),
    "one value": _says(_ending(_dense(1)), probabilities="none"),
    "logits": _ending(_dense(6)),
    "log softmax": _ending(_dense(6), _layer("Activation", "log_softmax")),
    "softmax as a layer": _ending(_dense(6), _layer("Softmax")),
    "softmax as an operation": _ending(_dense(6), _function("softmax")),
    "sigmoid as an operation": _says(_ending(_dense(6), _function("sigmoid")), **_SIGMOID),
    "temperature": _ending(_dense(6), lambda keras: lambda x: x / 2.5, _layer("Softmax")),
    # The classifier.
    "batch norms in the classifier": _ending(
        _layer("BatchNormalization"), _dense(16, "relu"), _layer("BatchNormalization"),
        _layer("Dropout", 0.2), _dense(12), _layer("BatchNormalization"), _layer("ReLU"),
        _dense(6), _layer("BatchNormalization")),
    "batch norm and ReLU after the pool": _ending(
        _layer("BatchNormalization"), _layer("ReLU"), _dense(6)),
    "global max pool": lambda keras: _around(
        keras, behind=lambda x: keras.layers.Dense(6)(keras.layers.GlobalMaxPooling2D()(x))),
    "global max pool, oblong": lambda keras: _around(
        keras, shape=(64, 96, 3), inner=_features(keras, (64, 96, 3)),
        behind=lambda x: keras.layers.Dense(6)(keras.layers.GlobalMaxPooling2D()(x))),
    "average pool of the whole plane, flattened": lambda keras: _around(
        keras, behind=lambda x: keras.layers.Dense(6)(keras.layers.Flatten()(
            keras.layers.AveragePooling2D((3, 3))(x)))),
    "flattened pixel": _of_one_pixel,
    "two outputs": _two_outputs,
    # The image.
    "BGR (caffe)": _preprocessed("caffe"),
    "torch's normalisation": _preprocessed("torch"),
    "TensorFlow's normalisation": _preprocessed("tf"),
    "rescaling": _before(_RESCALING),
    "rescaling per channel": _before(_layer("Rescaling", [1 / 58.4, 1 / 57.1, 1 / 57.4],
                                            offset=[-2.1, -2.0, -1.8])),
    "normalization": _before(_layer("Normalization", mean=[120.0, 115.0, 104.0],
                                    variance=[3600.0, 3500.0, 3700.0])),
    "inverted": _before(lambda keras: lambda x: 1.0 - x / 127.5),
    "grey": _channels(1),
    "two channels": _channels(2),
    "four channels": _channels(4),
    "grey made RGB": _says(_before(
        lambda keras: lambda x: keras.layers.Concatenate()([x, x, x]), shape=(96, 96, 1)),
        input_channels="1"),
    "alpha left out": _says(_before(lambda keras: lambda x: x[..., :3], shape=(96, 96, 4)),
                            input_channels="4"),
    "8-bit pixels, fixed batch": _before(
        lambda keras: lambda x: keras.ops.cast(x, "float32") / 127.5 - 1.0, dtype="uint8",
        batch_size=4),
    "resizing": _says(_resized(), **_TENSORFLOW),
    "resizing, nearest": _says(_resized(interpolation="nearest"), interpolation="nearest",
                               **_TENSORFLOW),
    "augmentation": _before(_layer("RandomFlip"), _layer("RandomRotation", 0.1),
                            _layer("RandomZoom", 0.1)),
}
# What TensorFlow Lite and ONNX have no operation for.
_KERAS_ALONE = {
    "resizing, bicubic": _says(_resized(interpolation="bicubic"), interpolation="bicubic",
                               **_TENSORFLOW),
    "resizing, area": _says(_resized(interpolation="area"), interpolation="area", **_TENSORFLOW),
    "resizing, cropped": _says(_resized(crop_to_aspect_ratio=True), fit="cover", **_TENSORFLOW),
    "resizing, padded": _says(_resized(pad_to_aspect_ratio=True, fill_value=100.0),
                              fit="letterbox", fill="[100.0, 100.0, 100.0]", **_TENSORFLOW),
    "rescaling, then resizing, padded": _says(_before(
        _RESCALING, _layer("Resizing", 96, 96, pad_to_aspect_ratio=True), shape=(None, None, 3)),
        fit="letterbox", fill="[127.5, 127.5, 127.5]", **_TENSORFLOW),
    "resizing and centre crop": _says(_before(
        _layer("Resizing", 112, 112), _layer("CenterCrop", 96, 96), _RESCALING,
        shape=(None, None, 3)), fit="squash", resize="112", **_TENSORFLOW),
}
VARIANTS.update(_KERAS_ALONE)


def forms(name):
    """The formats that a variant is tried in."""
    result = ["keras"]
    if name in ("v1", "v2", "one sigmoid", "two outputs", "normalization"):
        result.append("h5")
    if name not in _KERAS_ALONE:
        result.append("tflite")
    # Of these tf2onnx makes graphs that are for training, or lack their constants.
    if name not in _KERAS_ALONE and name not in ("augmentation", "resizing", "resizing, nearest",
                                                 "normalization"):
        result.append("onnx")
    if name in ("v2", "v3 small"):
        result.append("external")
    return result
