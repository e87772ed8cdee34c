"""Keras's networks, and the article's, for make_golden.py."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import article
import keras

keras.config.set_floatx("float64")

SOURCE = "keras"
# network, implementation, has widths
NETWORKS = (
    ("mobilenet_v1", "framework", True),
    ("mobilenet_v2", "framework", True),
    ("mobilenet_v3_small", "framework", True),
    ("mobilenet_v3_large", "framework", True),
    ("mobilenet_v3_small_article", "article", False),
)

APPLICATIONS = {
    "mobilenet_v1": (keras.applications.MobileNet, "trailing", {}),
    "mobilenet_v2": (keras.applications.MobileNetV2, "same", {}),
    "mobilenet_v3_small": (
        keras.applications.MobileNetV3Small, "same", {"include_preprocessing": False},
    ),
    "mobilenet_v3_large": (
        keras.applications.MobileNetV3Large, "same", {"include_preprocessing": False},
    ),
}  # fmt: skip
ARTICLE_PADDING = {
    "mobilenet_v1": "same",
    "mobilenet_v2": "symmetric",
    "mobilenet_v3_small_article": "same",
}


class Model:
    def __init__(self, network, implementation, padding, width, size, classes, channels=3):
        keras.backend.clear_session()  # automatic names count from here
        if implementation == "article":
            assert width == 1 and padding == ARTICLE_PADDING[network]
            self.model = getattr(article, network)((*size, channels), classes)
        else:
            build, own_padding, options = APPLICATIONS[network]
            assert padding in (own_padding, None)
            self.model = build(
                input_shape=(*size, channels), alpha=width, weights=None, classes=classes,
                classifier_activation=None, **options,
            )  # fmt: skip
        self.variables = {
            f"{layer.name}/{variable.name}": variable
            for layer in self.model.layers
            for variable in layer.weights
        }
        self.shapes = {name: tuple(v.shape) for name, v in self.variables.items()}
        self.depthwise = {
            f"{layer.name}/kernel"
            for layer in self.model.layers
            if isinstance(layer, keras.layers.DepthwiseConv2D)
        }

    def assign(self, values):
        for name, value in values.items():
            self.variables[name].assign(value)

    def run(self, images):
        return self.model(images.astype("float64"), training=False).numpy()

    def run_module(self, name, images):
        """The output of a layer in the middle."""
        part = keras.Model(self.model.input, self.model.get_layer(name).output)
        return part(images.astype("float64"), training=False).numpy()

    def counts(self):
        """Trained parameters, moving statistics."""
        return (
            sum(int(keras.ops.size(v)) for v in self.model.trainable_weights),
            sum(int(keras.ops.size(v)) for v in self.model.non_trainable_weights),
        )
