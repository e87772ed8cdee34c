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
class Ends(Case):
    def imported_model(self, layers, shape=None, change=lambda _: None, options=()):
        """A model's metadata; change: what is done to its configuration before."""
        config = keras_file.configuration(layers, shape or SHAPE, True)
        change(config["config"])
        return self.imported(keras_file.keras(layers, shape or SHAPE, config), *options)

    def test_activations(self):
        plain, images = renamed(network()), small_network.images()
        expected = small_network.evaluate_all(plain, images)
        layers = keras_file.classes(plain)
        for final, probabilities in (("softmax", None), ("log_softmax", None),
                                     ("sigmoid", "sigmoid"), ("linear", None)):
            layers[-1][2]["activation"] = final
            behind = [*layers[:-1], (*layers[-1][:2], {**layers[-1][2], "activation": "linear"},
                                     *layers[-1][3:]),
                      ("Activation", "end", {"activation": final}, ["logits"], {})]
            for form in (layers, behind):
                with self.subTest(final, layers=len(form)):
                    _, metadata, _ = self.imported_model(form)
                    self.assertEqual(metadata.get("probabilities"), probabilities)
                    self.assert_close(self.logits(images), expected)

    def test_one_unit(self):
        plain = renamed(network())
        last = plain[-1]
        plain[-1] = last._replace(weight=last.weight[:1], bias=last.bias[:1])
        layers = keras_file.classes(plain)
        _, metadata, _ = self.imported_model(layers)
        self.assertEqual(metadata["probabilities"], "none")
        layers[-1][2]["activation"] = "sigmoid"
        names = self.file("names.txt", "cat\ndog\n")
        _, metadata, _ = self.imported_model(layers, options=("--labels", names))
        self.assertEqual((metadata["probabilities"], metadata["classes"]), ("sigmoid", "1"))
        self.assertEqual(json.loads(metadata["labels"]), ["cat", "dog"])
        names = self.file("names.txt", "cat\n")
        _, metadata, _ = self.imported_model(layers, options=("--labels", names))
        self.assertEqual(json.loads(metadata["labels"]), ["cat"])
        names = self.file("names.txt", "cat\ndog\nfox\n")
        self.refused(keras_file.keras(layers, SHAPE), "3 labels for 2 classes",
                     options=("--labels", names))
        layers[-1][2]["activation"] = "softmax"
        _, _, out = self.imported_model(layers)
        self.assertIn("its one output is a softmax's, which is always 1: --probabilities", out)

    def test_several_outputs(self):
        plain, images = renamed(network()), small_network.images()
        expected = small_network.evaluate_all(plain, images)
        layers = keras_file.classes(plain)
        layers.append(("Lambda", "boxes", {}, ["pool"], {}))  # what no MobileNet has

        def listed(config):
            config["output_layers"] = [["boxes", 0, 0], ["logits", 0, 0]]

        def named(config):
            config["output_layers"] = {"where": ["boxes", 0, 0], "what": ["logits", 0, 0]}
        for change, name, names in ((listed, "logits", "boxes, logits"),
                                    (named, "what", "where, what")):
            with self.subTest(name):
                config = keras_file.configuration(layers, SHAPE, True)
                change(config["config"])
                data = keras_file.keras(layers, SHAPE, config)
                self.refused(data, f"2 outputs, expected one: {names} (--output NAME chooses)")
                self.refused(data, f"--output x: its outputs are {names}",
                             options=("--output", "x"))
                self.imported(data, "--output", name)
                self.assert_close(self.logits(images), expected)
                os.unlink(self.output)

    def test_a_global_max_pool(self):
        plain = renamed(network(pool=False, maximum=True))
        images = small_network.images()
        _, metadata, _ = self.imported_model(keras_file.classes(plain))
        self.assertEqual(json.loads(metadata["architecture"])["pool"], "max")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_average_pools(self):
        """One whose window is the whole plane is a global one, if it moves as far as that."""
        plain, images = renamed(network(pool=False)), small_network.images()
        layers = keras_file.classes(plain)
        place = [name for _, name, _, _, _ in layers].index("pool")
        for config, good in (
                ({"pool_size": [6, 16]}, True), ({"pool_size": [6, 16], "strides": None}, True),
                ({"pool_size": [6, 16], "strides": [1, 1], "padding": "valid"}, True),
                ({"pool_size": [6, 16], "strides": [6, 16], "padding": "same"}, True),
                ({"pool_size": [6, 16], "strides": [1, 1], "padding": "same"}, False),
                ({"pool_size": [6, 8]}, False), ({"pool_size": 6}, False)):
            with self.subTest(**config):
                layers[place] = ("AveragePooling2D", "pool", config, *layers[place][3:])
                if good:
                    self.imported_model(layers)
                    self.assert_close(self.logits(images),
                                      small_network.evaluate_all(plain, images))
                    os.unlink(self.output)
                else:
                    self.refused(keras_file.keras(layers, SHAPE), "pool", "whole plane")

    def test_channels_first(self):
        """Keras's kernels are the same; axes and formats differ."""
        plain, images = renamed(network()), small_network.images()
        layers = [(kind, name, {**config, **({"axis": 1} if kind == "BatchNormalization" else {}),
                                **({"data_format": "channels_first"} if kind.endswith("2D")
                                   else {})}, inputs, parameters)
                  for kind, name, config, inputs, parameters in keras_file.classes(plain)]
        first = next(i for i, layer in enumerate(layers) if layer[1] == "hidden1")
        layers[first][3][0] = "flat"
        layers.insert(first, ("Flatten", "flat", {"data_format": "channels_first"}, ["pool"], {}))
        self.imported_model(layers, [None, 3, 48, 64])
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_numbers_of_channels(self):
        for channels in (1, 2, 4):
            with self.subTest(channels):
                plain = renamed(network(channels=channels))
                images = small_network.images(channels=channels)
                _, metadata, _ = self.imported_model(keras_file.classes(plain),
                                                     [None, 48, 64, channels])
                self.assertEqual(metadata["input_channels"], str(channels))
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_resizing_becomes_preprocessing(self):
        plain, images = renamed(network()), small_network.images()
        size = {"height": 48, "width": 64}
        for before, keys in (
                ([("Resizing", size)], {}),
                ([("Resizing", {**size, "interpolation": "bicubic"})],
                 {"interpolation": "bicubic"}),
                ([("Resizing", {**size, "interpolation": "area"})], {"interpolation": "area"}),
                ([("Resizing", {**size, "crop_to_aspect_ratio": True})], {"fit": "cover"}),
                ([("RandomCrop", size)], {"fit": "cover"}),
                ([("Resizing", {**size, "pad_to_aspect_ratio": True, "fill_value": 7.0})],
                 {"fit": "letterbox", "fill": "[7.0, 7.0, 7.0]"}),
                ([("Rescaling", {"scale": 1 / 127.5, "offset": -1.0}),
                  ("Resizing", {**size, "pad_to_aspect_ratio": True})],
                 {"fit": "letterbox", "fill": "[127.5, 127.5, 127.5]"}),
                ([("Resizing", {"height": 60, "width": 80}), ("CenterCrop", size)],
                 {"fit": "squash", "resize": "60"})):
            with self.subTest(before):
                layers = keras_file.classes(plain)
                layers[0][3][0] = before[-1][0]
                previous = "image"
                for place, (kind, config) in enumerate(before):
                    layers.insert(place, (kind, kind, config, [previous], {}))
                    previous = kind
                _, metadata, _ = self.imported_model(layers, [None, None, None, 3])
                wanted = {"resampling": "tensorflow", "resize": "0", **keys}
                self.assertEqual({key: metadata[key] for key in (
                    "resampling", "interpolation", "fit", "fill", "resize") if key in metadata},
                    wanted)
                self.assertEqual((metadata["input_height"], metadata["input_width"]), ("48", "64"))
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        os.unlink(self.output)
        for kind, config in (("Resizing", {**size, "antialias": True}),
                             ("Resizing", {**size, "interpolation": "lanczos5"}),
                             ("CenterCrop", size)):
            layers = keras_file.classes(plain)
            layers[0][3][0] = "first"
            layers.insert(0, (kind, "first", config, ["image"], {}))
            self.refused(keras_file.keras(layers, [None, None, None, 3]), "first: ",
                         "save the model without it")

    def test_operations_on_the_image(self):
        """Channels swapped, shifted and scaled, as Keras 2 and 3 write them between layers."""
        plain, images = renamed(network()), small_network.images()
        expected = small_network.evaluate_all(plain, images[..., ::-1])
        layers = keras_file.classes(plain)
        layers[0][3][0] = "scaled"
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["image", 0, 0]}}
        mean = {"class_name": "__tensor__", "config": {"value": [[[[10.0, 20.0, 30.0]]]]}}
        swap = [{"class_name": "__ellipsis__", "config": {}},
                {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": -1}}]

        def reference(name):
            return {**tensor, "config": {"keras_history": [name, 0, 0]}}
        new = [("GetItem", "swapped", [tensor, swap]),
               ("Subtract", "shifted", [reference("swapped"), mean]),
               ("TrueDivide", "scaled", [reference("shifted"), 64.0])]
        old = [("SlicingOpLambda", "swapped", "__operators__.getitem", "image", {"slice_spec": [
            {"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]}),
               ("TFOpLambda", "shifted", "nn.bias_add", "swapped", {"bias": [-10., -20., -30.]}),
               ("TFOpLambda", "scaled", "math.truediv", "shifted", {"y": 64.0, "name": None})]
        for version in ("3.5.0", "2.11.0"):
            config = keras_file.configuration(layers, SHAPE, version[0] == "3")
            if version[0] == "3":
                added = [{"class_name": kind, "module": "keras.src.ops.numpy", "name": name,
                          "config": {"name": name}, "inbound_nodes": [{"args": args}]}
                         for kind, name, args in new]
            else:
                added = [{"class_name": kind, "name": name, "inbound_nodes": [[x, 0, 0, named]],
                          "config": {"name": name, "function": function}}
                         for kind, name, function, x, named in old]
            config["config"]["layers"][1:1] = added
            with self.subTest(version):
                _, metadata, _ = self.imported(keras_file.h5(layers, SHAPE, config, version))
                numpy.testing.assert_allclose(json.loads(metadata["mean"]),
                                              [30 / 255, 20 / 255, 10 / 255])
                numpy.testing.assert_allclose(json.loads(metadata["std"]), [64 / 255] * 3)
                if version[0] == "3":
                    self.assert_close(self.logits(images), expected)
                    for layer in added:  # .h5 of Keras 3 does not say where a class is from
                        del layer["module"]
                    self.imported(keras_file.h5(layers, SHAPE, config, version))
                    self.assert_close(self.logits(images), expected)


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
    def test_the_two_are_compared(self):
        """Whatever the input's batch and elements are, and the output's activation."""
        self.command()
        layers = keras_library.layers
        for batch, dtype, units, end in ((None, "float32", 5, "sigmoid"), (3, "float32", 1, None),
                                         (2, "uint8", 1, "sigmoid"), (None, "uint8", 4, "softmax")):
            with self.subTest(batch=batch, dtype=dtype, end=end):
                image = keras_library.Input((96, 64, 3), batch_size=batch, dtype=dtype)
                x = keras_library.ops.cast(image, "float32") / 64.0
                x = keras_library.applications.MobileNetV2(
                    input_shape=(96, 64, 3), alpha=0.35, weights=None, include_top=False)(x)
                x = layers.GlobalAveragePooling2D()(x)
                model = keras_library.Model(image, layers.Dense(units, activation=end)(x))
                randomise(model, numpy.random.default_rng(3))
                model.save(self.path("model.keras"))
                status, out, err = self.run_importer(self.path("model.keras"), check_it=True)
                self.assertEqual((status, err), (0, ""))
                self.assertRegex(out, r"compared with Keras .* \d[.\d]*e-0[5678] of the output's")

    def test_channels_first(self):
        """Against the same weights with channels last: TensorFlow has no channels first on CPUs."""
        models = []
        for order, shape in (("channels_last", (64, 96, 3)), ("channels_first", (3, 64, 96))):
            keras_library.config.set_image_data_format(order)
            self.addCleanup(keras_library.config.set_image_data_format, "channels_last")
            models.append([make(input_shape=shape, weights=None, classes=5, alpha=alpha,
                                classifier_activation=None) for make, alpha in (
                (keras_library.applications.MobileNet, 0.25),
                (keras_library.applications.MobileNetV2, 0.35))])
        images = small_network.images(64, 96)
        for last, first in zip(*models):
            with self.subTest(last.name):
                randomise(last, numpy.random.default_rng(2))
                first.set_weights(last.get_weights())
                first.save(self.path("model.keras"))
                status, out, err = self.run_importer(self.path("model.keras"), check_it=True)
                self.assertEqual((status, err), (0, ""))
                self.assertRegex(out, "(not )?compared")
                self.assert_close(self.logits(images), last.predict(images, verbose=0))

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
