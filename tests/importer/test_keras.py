#!/usr/bin/env python3
"""Importing Keras's files: written here by hand, and by Keras where it is installed."""
import json
import os
import sys
import unittest

import numpy

from importer_case import HERE, Case

import keras_file
import small_network
from test_timm import small_v2, small_v3

try:
    import h5py
except ImportError:
    h5py = None
try:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as keras_library
except ImportError:
    keras_library = None

SHAPE = [None, 48, 64, 3]


def network(**options):
    return small_network.variant(padding="same", gate="hard_sigmoid_", **options)


def renamed(operations):
    """Activations under the names that Keras 3 has for them."""
    return [op._replace(kind="hard_sigmoid") if getattr(op, "kind", "") == "hard_sigmoid_" else op
            for op in operations]


@unittest.skipIf(h5py is None, "needs h5py (Debian: python3-h5py)")
class ByHand(Case):
    def test_every_form(self):
        images = small_network.images()
        for padding in ("same", "symmetric"):
            plain = renamed(small_network.variant(padding=padding, gate="hard_sigmoid_"))
            expected = small_network.evaluate_all(plain, images)
            layers = keras_file.classes(plain)
            # Keras 2 had a hard sigmoid of slope 0.2 under the same name.
            old = small_network.evaluate_all(
                small_network.variant(padding=padding, gate="hard_sigmoid_0.2"), images)
            for form, data, logits in (
                    (".h5 of Keras 2", keras_file.h5(layers, SHAPE), old),
                    (".h5 of Keras 3", keras_file.h5(layers, SHAPE, version="3.5.0"), expected),
                    (".keras", keras_file.keras(layers, SHAPE), expected)):
                with self.subTest(form, padding=padding):
                    _, metadata, out = self.imported(data)
                    self.assertEqual((metadata["padding"], metadata["input_height"],
                                      metadata["input_width"]), (padding, "48", "64"))
                    self.assertIn("mobilenet_v3_variant of Keras", out)
                    self.assert_close(self.logits(images), logits)

    def test_networks_without_a_classifier(self):
        plain, images = renamed(network()), small_network.images()
        for name, stage in small_network.BACKBONES:
            backbone = small_network.until(plain, name)
            layers = keras_file.classes(backbone)
            for form, data in ((".h5", keras_file.h5(layers, SHAPE, version="3.5.0")),
                               (".keras", keras_file.keras(layers, SHAPE))):
                with self.subTest(name, form=form):
                    _, metadata, _ = self.imported(data)
                    self.assert_backbone(metadata, stage, images,
                                         small_network.evaluate_maps(backbone, images))

    def test_models_inside_and_preprocessing(self):
        """Sequential([Rescaling, features, pool, dropout, dense, batch norm, dense])."""
        plain = renamed(network(pool=False))
        cut = next(i for i, op in enumerate(plain) if op.name == "pool")
        layers = keras_file.classes(plain)
        inner = [layer for layer in layers if layer[1] in {op.name for op in plain[:cut]}
                 or layer[1].endswith(("_conv", "_pad"))]
        generator = numpy.random.default_rng(5)
        norm = [generator.uniform(0.5, 1.5, 12).astype(numpy.float32) for _ in range(4)]
        outer = [("Functional", "features", {}, ["image"], {})]
        outer += [layer for layer in layers if layer not in inner]
        place = next(i for i, layer in enumerate(outer) if layer[1] == "hidden2")
        outer.insert(place, ("BatchNormalization", "norm", {"epsilon": 1e-3}, ["x"], dict(zip(
            ("gamma", "beta", "moving_mean", "moving_variance"), norm))))
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
            {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": SHAPE}},
            {"class_name": "RandomFlip", "config": {"name": "flip"}},
            {"class_name": "Rescaling", "config": {"name": "r", "scale": 1 / 127.5, "offset": -1}},
            keras_file.configuration(inner, SHAPE, True)] + [
                {"class_name": kind, "config": {"name": name, **settings}}
                for kind, name, settings, _, _ in outer[1:]]}}
        data = keras_file.h5(inner + outer[1:], SHAPE, config, "3.5.0")
        _, metadata, _ = self.imported(data)
        numpy.testing.assert_allclose(json.loads(metadata["mean"]), [0.5] * 3)
        numpy.testing.assert_allclose(json.loads(metadata["std"]), [0.5] * 3)

        gamma, beta, mean, variance = (v.astype(numpy.float64) for v in norm)
        scale = gamma / numpy.sqrt(variance + 1e-3)
        after = next(op for op in plain if op.name == "hidden2")
        folded = after._replace(weight=after.weight * scale,
                                bias=after.bias + after.weight @ (beta - mean * scale))
        expected = [folded if op is after else op for op in plain]
        images = small_network.images()
        self.assert_close(self.logits(images), small_network.evaluate_all(expected, images))

    def test_weights_alone(self):
        images = small_network.images(64, 64)
        for name, make, padding, options in (
                ("mobilenet_v3_small", small_v3, "same", ()),
                ("mobilenet_v2", small_v2, "same", ()),
                ("mobilenet_v2", small_v2, "symmetric", ("--padding", "symmetric"))):
            operations, _ = make(padding=padding, epsilon=1e-3)
            if name == "mobilenet_v3_small":  # Keras's classifier is a 1x1 convolution
                last = operations[-1]
                operations = operations[:-1] + [small_network.Conv(
                    last.name, last.x, last.weight[:, :, None, None], last.bias, None, (1, 1),
                    (0, 0, 0, 0), 1)]
            expected = small_network.evaluate_all(operations, images)
            layers = keras_file.classes(operations)
            for form in (keras_file.h5_weights, keras_file.weights_h5):
                with self.subTest(name, padding=padding, form=form.__name__):
                    _, metadata, out = self.imported(form(layers), "--resolution", "64", *options)
                    self.assertEqual((metadata["network"], metadata["padding"]), (name, padding))
                    self.assertIn("Keras (weights alone)", out)
                    self.assert_close(self.logits(images), expected)
                    backbone = small_network.until(operations, "pool")
                    _, metadata, _ = self.imported(form(keras_file.classes(backbone)),
                                                   "--resolution", "64", *options)
                    self.assert_backbone(metadata, "pool", images,
                                         small_network.evaluate_maps(backbone, images))


@unittest.skipIf(h5py is None, "needs h5py (Debian: python3-h5py)")
class Refusing(Case):
    def setUp(self):
        super().setUp()
        self.layers = keras_file.classes(renamed(network()))

    def refuse_config(self, change, *parts):
        config = keras_file.configuration(self.layers, SHAPE, True)
        change(config["config"]["layers"], config)
        self.refused(keras_file.keras(self.layers, SHAPE, config), *parts)

    def test_configurations(self):
        def layer(layers, name):
            return next(item for item in layers if item["name"] == name)

        for change, *parts in (
                (lambda layers, _: layer(layers, "b2_depthwise_conv").update(class_name="Lambda"),
                 "b2_depthwise_conv: a Lambda is in no MobileNet"),
                (lambda layers, _: layer(layers, "head_hard_swish")["config"].update(
                    activation="tanh"), "head_hard_swish", "tanh"),
                (lambda layers, _: layer(layers, "stem_conv")["config"].update(strides=[4, 4]),
                 "stem_conv", "strides [4, 4]"),
                (lambda layers, _: layer(layers, "stem_conv")["config"].update(strides="x"),
                 "stem_conv: not a plain convolution"),
                (lambda layers, _: layer(layers, "stem").update(inbound_nodes=7), "inbound_nodes"),
                (lambda layers, _: layers.remove(layer(layers, "b3_scale")),
                 "b3_project_conv: its input is not there"),
                (lambda layers, _: layers[0]["config"].update(batch_shape=[None, 3, 48, 64]),
                 "stem_conv: channels_last, unlike its input"),
                (lambda layers, _: layers[0]["config"].update(batch_shape=[None, 48, 64, 5]),
                 "expected an image of 1 to 4 channels"),
                (lambda _, config: config["config"].update(output_layers=[["b3_scale", 0, 0]]),
                 "not a MobileNet", "b3_scale", "is the last layer"),
                (lambda _, config: config["config"].update(
                    output_layers=[["b2_project", 0, 0], ["b3_add", 0, 0]]),
                 "2 outputs, expected one: b2_project, b3_add (--output NAME chooses)"),
                (lambda _, config: config.update(config=7), "malformed configuration"),
                (lambda _, config: config.update(class_name="GPT"), "the model is a GPT"),
                (lambda layers, _: layers.insert(0, 7), "without a list of layers"),
                (lambda layers, _: layer(layers, "stem")["config"].update(epsilon="x"),
                 "stem: epsilon x")):
            self.refuse_config(change, *parts)

    def test_weights(self):
        _, _, _, _, parameters = next(layer for layer in self.layers if layer[1] == "b2_project")
        parameters["moving_variance"] = -parameters["moving_variance"]
        self.refused(keras_file.keras(self.layers, SHAPE), "b2_project", "variance is negative")
        parameters["moving_variance"] = numpy.full(16, numpy.nan, numpy.float32)
        self.refused(keras_file.keras(self.layers, SHAPE), "b2_project/moving_variance",
                     "NaN or infinity")
        parameters["moving_variance"] = numpy.ones(3, numpy.float32)
        self.refused(keras_file.keras(self.layers, SHAPE), "b2_project")
        self.refused(keras_file.keras(self.layers, SHAPE, weights=b"nothing"), "HDF5")
        self.refused(keras_file.weights_h5(self.layers), "not the weights of a MobileNet",
                     "3 depthwise")
        with h5py.File(self.path("other.h5"), "w") as file:
            file.create_dataset("x", data=[1.0])
        self.refused(self.path("other.h5"), "nothing that Keras has written")

    def test_links_to_other_files_are_not_followed(self):
        with h5py.File(self.path("secret.h5"), "w") as file:
            file.create_dataset("0", data=numpy.ones((3, 3, 3, 8), numpy.float32))
        data = keras_file.h5(self.layers, SHAPE)
        source = self.file("linked.h5", data)
        with h5py.File(source, "a") as file:
            group = file["model_weights/stem_conv/stem_conv"]
            del group["kernel:0"]
            group["kernel:0"] = h5py.ExternalLink(self.path("secret.h5"), "/0")
        self.refused(source, "a link to another file: refused")

    def test_damaged_files(self):
        self.assert_survives(keras_file.h5(self.layers, SHAPE), 20)
        self.assert_survives(keras_file.keras(self.layers, SHAPE), 20)


def randomise(model, rng):
    """Gives batch norms statistics, which a model has only after training."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras_library.layers.BatchNormalization):
            n = layer.get_weights()[0].size
            layer.set_weights([rng.uniform(0.8, 1.2, n), rng.normal(0, 0.2, n),
                               rng.normal(0, 0.2, n), rng.uniform(0.8, 1.2, n)])


@unittest.skipIf(keras_library is None, "needs Keras")
class OfKeras(Case):
    def test_networks_without_a_classifier(self):
        """include_top=False: the last feature map, or its pool."""
        applications = keras_library.applications
        rng = numpy.random.default_rng(4)
        common = {"weights": None, "include_top": False, "input_shape": (96, 64, 3)}
        for make, stage, options in (
                (applications.MobileNet, "block12", {"alpha": 0.25}),
                (applications.MobileNetV2, "features.18.0", {"alpha": 0.35}),
                (applications.MobileNetV2, "pool", {"alpha": 0.35, "pooling": "avg"}),
                (applications.MobileNetV3Small, "features.12.0",
                 {"include_preprocessing": False, "alpha": 0.75}),
                (applications.MobileNetV3Large, "pool",
                 {"include_preprocessing": False, "pooling": "avg", "alpha": 0.75})):
            model = make(**common, **options)
            randomise(model, rng)
            images = small_network.images(96, 64)
            expected = model.predict(images, verbose=0)
            maps = keras_library.Model(model.input, self.last_map(model)).predict(
                images, verbose=0)
            for form in ("model.h5", "model.keras", "model.weights.h5"):
                with self.subTest(model=model.name, stage=stage, form=form):
                    if form == "model.weights.h5":
                        model.save_weights(self.path(form))
                    else:
                        model.save(self.path(form))
                    _, metadata, _ = self.imported(self.path(form), "--resolution", "96x64")
                    if form == "model.weights.h5":  # they do not say how the model ends
                        self.assert_backbone(metadata, "pool", images, maps.mean((1, 2)))
                    else:
                        self.assert_backbone(metadata, stage, images, expected)

    @staticmethod
    def last_map(model):
        return next(layer.output for layer in reversed(model.layers) if layer.output.ndim == 4)

    def compare(self, model, *options):
        """Every form of a model's file against the model itself."""
        randomise(model, numpy.random.default_rng(2))
        height, width = model.input_shape[1:3]
        images = small_network.images(height, width)
        expected = model.predict(images, verbose=0)
        for name in ("model.h5", "model.keras", "model.weights.h5"):
            if name == "model.weights.h5":
                model.save_weights(self.path(name))
            else:
                model.save(self.path(name))
            with self.subTest(model=model.name, form=name):
                self.imported(self.path(name), "--resolution", f"{height}x{width}", *options)
                self.assert_close(self.logits(images), expected, 1e-4)

    def test_applications(self):
        applications = keras_library.applications
        common = {"weights": None, "classes": 7, "classifier_activation": None}
        small = {"include_preprocessing": False, **common}
        self.compare(applications.MobileNet(input_shape=(96, 64, 3), alpha=0.25, **common))
        self.compare(applications.MobileNet(input_shape=(97, 65, 3), alpha=0.25, **common))
        self.compare(applications.MobileNetV2(input_shape=(96, 64, 3), alpha=0.35, **common))
        self.compare(applications.MobileNetV3Small(input_shape=(96, 64, 3), minimalistic=True,
                                                   **small))

    def test_the_articles_networks(self):
        sys.path.insert(0, os.path.join(HERE, "..", "golden"))
        import article
        self.compare(article.mobilenet_v1((64, 96, 3), 5), "--padding", "same")
        self.compare(article.mobilenet_v2((64, 96, 3), 5), "--padding", "symmetric")
        self.compare(article.mobilenet_v3_small_article((64, 96, 3), 5))


if __name__ == "__main__":
    unittest.main()
