#!/usr/bin/env python3
"""Importing ONNX files that are written here by hand."""
import json
import math
import os
import unittest

import numpy

from importer_case import Case

import onnx_file
import random_network
import small_network
from onnx_file import Writer, node

SHAPE = [1, 3, 48, 64]


class ByHand(Case):
    def test_every_way_to_write_it(self):
        plain = small_network.variant()
        images = small_network.images()
        expected = small_network.evaluate_all(plain, images)
        forms = {
            "as it is": Writer(),
            "decomposed": Writer(decomposed=True, matmul=True),
            "typed fields": Writer(raw=False),
            "clip attributes": Writer(decomposed=True, clip_inputs=False),
        }
        for form, writer in forms.items():
            with self.subTest(form):
                _, metadata, out = self.imported(writer.write(plain, SHAPE))
                table = json.loads(metadata["architecture"])
                self.assertEqual(table["stem"], {"channels": 8, "strides": [2, 2],
                                                 "activation": "hard_swish"})
                self.assertEqual(table["rows"][0], {
                    "kernel": 3, "strides": [2, 1], "channels": 8, "activation": "relu",
                    "expand": 8, "squeeze": 3})
                self.assertEqual([row.get("squeeze") for row in table["rows"]], [3, None, 11])
                self.assertEqual(table["gate"]["activation"], "hard_sigmoid")
                self.assertAlmostEqual(table["gate"]["slope"], 0.2, 6)
                self.assertEqual(table["max_pool"], {"window": 2, "stride": 2})
                self.assertEqual(table["hidden"],
                                 [{"channels": 12, "activation": "hard_swish"},
                                  {"channels": 9, "activation": "relu"}])
                self.assertEqual((metadata["padding"], metadata["input_height"],
                                  metadata["input_width"], metadata["classes"]),
                                 ("symmetric", "48", "64", "5"))
                self.assertIn("mobilenet_v3_variant of ONNX (test)", out)
                self.assert_close(self.logits(images), expected)

    def test_batch_norm_that_is_folded_already(self):
        plain, images = small_network.variant(norms=False), small_network.images()
        self.imported(Writer().write(plain, SHAPE))
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_random_networks(self):
        # Of 16, 43 and 49 layers have a single channel.
        for seed in (16, 43, 49, 1, 5):
            with self.subTest(seed=seed):
                plain, (height, width, channels) = random_network.network(seed)
                images = small_network.images(height, width, channels=channels)
                self.imported(Writer().write(plain, [1, channels, height, width]))
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_tensorflows_padding(self):
        for height, width in ((48, 64), (33, 47)):
            plain = small_network.variant(height, width, "same", pool=False)
            images = small_network.images(height, width)
            _, metadata, _ = self.imported(Writer().write(plain, [1, 3, height, width]))
            self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
            self.assertEqual(metadata["padding"], "same")

    def test_activations_that_quantisers_leave_out(self):
        """Before numbers of 8 bits from 0 on: they cut off what is below, and what is above."""
        for kind, largest in (("relu", 20.0), ("relu6", 6.0), ("relu6", 5.75)):
            for zero in (numpy.uint8(0), numpy.int8(-128)):
                with self.subTest(kind, largest=largest, zero=zero):
                    self.check_quantised(kind, largest, zero)
        # A ReLU that is there, and stays below six.
        for written in ("before", "behind"):
            with self.subTest(written):
                self.check_quantised("relu", 5.75, numpy.uint8(0), written)

    def check_quantised(self, kind, largest, zero, written=None):
        class Quantising(Writer):
            def act(self, op):
                if op.kind != "relu" or op.x == "b1_squeeze":
                    super().act(op)
                    return
                numbers = [self.scalar(f"{op.name}_scale", largest / 255),
                           self.constant(f"{op.name}_zero", numpy.array(zero))]
                x, y = op.x, op.name
                if written == "before":
                    x = f"{op.name}_relu"
                    self.nodes.append(node("Relu", [op.x], x))
                if written == "behind":
                    y = f"{op.name}_plain"
                self.nodes += [node("QuantizeLinear", [x, *numbers], f"{op.name}_q"),
                               node("DequantizeLinear", [f"{op.name}_q", *numbers], y)]
                if written == "behind":
                    self.nodes.append(node("Relu", [y], op.name))
        plain, images = small_network.variant(), small_network.images()
        _, metadata, _ = self.imported(Quantising().write(plain, SHAPE))
        table = json.loads(metadata["architecture"])
        self.assertEqual((table["rows"][0]["activation"], table["hidden"][1]["activation"]),
                         (kind, kind))
        meant = [op._replace(kind=kind) if getattr(op, "kind", None) == "relu"
                 and op.x != "b1_squeeze" else op for op in plain]
        self.assert_close(self.logits(images), small_network.evaluate_all(meant, images))
        os.unlink(self.output)

    def test_what_to_do_about_operations(self):
        plain = small_network.variant()
        for operation, domain, remedy in (
                ("QLinearConcat", "com.microsoft", "import the graph from before it was quantised"),
                ("DynamicQuantizeLinear", "", "import the graph from before it was quantised"),
                ("FusedConv", "com.microsoft", "import the graph from before it was optimised"),
                ("ArgMax", "", "picks a class: export the network without it"),
                ("LpNormalization", "", "is in no MobileNet")):
            writer = Writer()
            writer.write(plain, SHAPE)
            last = node(operation, ["logits"], "y") + (onnx_file.field(7, domain) if domain else b"")
            self.refused(onnx_file.model([*writer.nodes, last], writer.tensors, SHAPE, "y"),
                         f"y/{operation}: operation ", operation, remedy)

    def test_a_batch_norm_in_training(self):
        writer = Writer()
        data = writer.write(small_network.variant(), SHAPE)
        nodes = [n + onnx_file.field(5, onnx_file.attribute("training_mode", 1))
                 if b"BatchNormalization" in n else n for n in writer.nodes]
        self.refused(onnx_file.model(nodes, writer.tensors, SHAPE, "logits"),
                     "still being trained", "model.eval()")
        self.imported(data)

    def test_a_single_output_without_its_axis(self):
        """sigmoid(network(x).squeeze(1)), as binary classifiers are trained."""
        plain, images = small_network.variant(), small_network.images()
        last = plain[-1]
        plain[-1] = last._replace(weight=last.weight[:1], bias=last.bias[:1])
        for order in (("Squeeze", "Sigmoid"), ("Sigmoid", "Squeeze"), ("Sigmoid", "Reshape")):
            with self.subTest(order):
                writer = Writer()
                writer.write(plain, SHAPE)
                x, nodes = "logits", list(writer.nodes)
                for operation in order:
                    more = [] if operation == "Sigmoid" else [writer.constant(
                        "axes", numpy.array([1 if operation == "Squeeze" else -1]))]
                    nodes.append(node(operation, [x, *more], f"y{operation}"))
                    x = f"y{operation}"
                _, metadata, _ = self.imported(onnx_file.model(nodes, writer.tensors, SHAPE, x))
                self.assertEqual(metadata["probabilities"], "sigmoid")
                numpy.testing.assert_allclose(self.logits(images), small_network.evaluate_all(
                    plain, images), atol=1e-6)
                os.unlink(self.output)

    def test_a_softmax_is_left_out(self):
        plain, images = small_network.variant(), small_network.images()
        self.imported(Writer().write(plain, SHAPE, softmax=True))
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_size_that_the_file_does_not_say(self):
        plain = small_network.variant()
        data = Writer().write(plain, [1, 3, "h", "w"])
        _, metadata, _ = self.imported(data, "--resolution", "48x64")
        self.assertEqual((metadata["input_height"], metadata["input_width"]), ("48", "64"))
        images = small_network.images()
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        _, metadata, _ = self.imported(data)
        self.assertEqual((metadata["input_height"], metadata["input_width"]), ("224", "224"))

    def test_what_the_graph_does_to_its_image(self):
        plain, images = small_network.variant(), small_network.images()
        expected = small_network.evaluate_all(plain, images)
        writer = Writer()
        scale = numpy.array([0.02, 0.018, 0.017], numpy.float32).reshape(1, 3, 1, 1)
        mean = numpy.array([123.0, 116.0, 103.0], numpy.float32).reshape(1, 3, 1, 1)
        writer.nodes += [node("Sub", ["pixels", writer.constant("mean", mean)], "shifted"),
                         node("Mul", ["shifted", writer.constant("scale", scale)], "image")]
        data = writer.write(plain, SHAPE)
        data = onnx_file.model(writer.nodes, writer.tensors, SHAPE, "logits", image="pixels")
        _, metadata, _ = self.imported(data)
        numpy.testing.assert_allclose(json.loads(metadata["mean"]), mean.reshape(-1) / 255,
                                      rtol=1e-6)
        numpy.testing.assert_allclose(json.loads(metadata["std"]), 1 / (255 * scale.reshape(-1)),
                                      rtol=1e-6)
        self.assert_close(self.logits(images), expected)


    def test_networks_without_a_classifier(self):
        plain, images = small_network.variant(), small_network.images()
        for name, stage in small_network.BACKBONES:
            with self.subTest(name):
                backbone = small_network.until(plain, name)
                _, metadata, out = self.imported(Writer().write(backbone, SHAPE))
                self.assertIn("no classifier, ", out)
                self.assertIn(f"its output is the stage {stage} of", out)
                self.assert_backbone(metadata, stage, images,
                                     small_network.evaluate_maps(backbone, images))

    def test_squeeze_excites_of_different_activations(self):
        plain = [op._replace(kind="hard_swish") if op.name == "b3_squeeze_relu" else op
                 for op in small_network.variant()]
        images = small_network.images()
        _, metadata, _ = self.imported(Writer().write(plain, SHAPE))
        rows = json.loads(metadata["architecture"])["rows"]
        self.assertEqual([row.get("squeeze_activation") for row in rows],
                         [None, None, "hard_swish"])
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))


class Outputs(Case):
    """What the graph ends with, and which of its ends."""

    def test_activations(self):
        plain, images = small_network.variant(), small_network.images()
        expected = small_network.evaluate_all(plain, images)
        for final, probabilities, version in (
                ("Softmax", None, "1"), ("LogSoftmax", None, "1"), ("Sigmoid", "sigmoid", "2"),
                (None, None, "1")):
            with self.subTest(final):
                data = Writer().write(plain, SHAPE, final=final)
                _, metadata, out = self.imported(data)
                self.assertEqual(metadata.get("probabilities"), probabilities)
                self.assertEqual(metadata["format"], f"mobilenet/{version}")
                self.assertEqual("logits of a softmax (--probabilities)" in out, final is None)
                self.assert_close(self.logits(images), expected)
                _, metadata, out = self.imported(data, "--probabilities", "none")
                self.assertEqual(metadata["probabilities"], "none")
                self.assertNotIn("(--probabilities)", out)

    def test_one_unit(self):
        plain = small_network.variant()
        last = plain[-1]
        plain[-1] = last._replace(weight=last.weight[:1], bias=last.bias[:1])
        images = small_network.images()
        expected = small_network.evaluate_all(plain, images)
        data = Writer().write(plain, SHAPE, final="Sigmoid")
        names = self.file("names.txt", "cat\ndog\n")
        _, metadata, _ = self.imported(data, "--labels", names)
        self.assertEqual((metadata["classes"], metadata["probabilities"]), ("1", "sigmoid"))
        self.assertEqual(json.loads(metadata["labels"]), ["cat", "dog"])
        _, metadata, out = self.imported(Writer().write(plain, SHAPE))
        self.assertEqual(metadata["probabilities"], "none")
        self.assertIn("its one output is a value", out)
        numpy.testing.assert_allclose(self.logits(images), expected, rtol=1e-5)

    def test_a_softmax_along_another_axis_is_refused(self):
        writer = Writer()
        data = writer.write(small_network.variant(), SHAPE)
        for axis in (0, -2):
            nodes = [*writer.nodes, node("Softmax", ["logits"], "y", axis=axis)]
            data = onnx_file.model(nodes, writer.tensors, SHAPE, "y")
            self.refused(data, "y/Softmax", "not over the classes")

    def test_several_outputs(self):
        plain, images = small_network.variant(), small_network.images()
        writer = Writer()
        writer.write(plain, SHAPE, softmax=True)
        writer.nodes.append(node("ArgMax", ["probabilities"], "best"))  # nothing of a MobileNet's
        outputs = ["best", "probabilities", "pool"]
        data = onnx_file.model(writer.nodes, writer.tensors, SHAPE, outputs)
        self.refused(data, "3 outputs, expected one: best, probabilities, pool (--output NAME")
        self.refused(data, "--output x: its outputs are best,", options=("--output", "x"))
        self.imported(data, "--output", "probabilities")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        _, metadata, _ = self.imported(data, "--output", "pool")
        backbone = small_network.until(plain, "pool")
        self.assert_backbone(metadata, "pool", images,
                             small_network.evaluate_maps(backbone, images))


class Classifiers(Case):
    def assert_same_logits(self, plain, writer, output="logits", images=None, shape=None):
        images = small_network.images() if images is None else images
        _, metadata, _ = self.imported(onnx_file.model(
            writer.nodes, writer.tensors, shape or SHAPE, output))
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        return metadata

    def test_batch_norms(self):
        """Before a fully connected layer, with and without an activation, and behind the last."""
        generator = numpy.random.default_rng(6)

        def norm(writer, x, output, channels):
            values = [generator.uniform(low, high, channels).astype(numpy.float32) for low, high in
                      ((0.8, 1.2), (-0.5, 0.5), (-0.5, 0.5), (0.8, 1.2))]
            names = [writer.constant(f"{output}_{i}", v) for i, v in enumerate(values)]
            writer.nodes.append(node("BatchNormalization", [x, *names], output, epsilon=1e-3))
            gamma, beta, mean, variance = (v.astype(numpy.float64) for v in values)
            scale = gamma / numpy.sqrt(variance + 1e-3)
            return scale, beta - mean * scale

        plain = small_network.variant()
        writer = Writer()
        writer.write(small_network.until(plain, "pool"), SHAPE)
        first = norm(writer, "pool", "normed", 24)
        writer.nodes += [node("Relu", ["normed"], "positive"),
                         node("Flatten", ["positive"], "flat")]
        second = norm(writer, "flat", "again", 24)
        for op in plain[-1:]:
            weight = generator.uniform(-0.5, 0.5, (5, 24)).astype(numpy.float32)
            inputs = ["again", writer.constant("w", weight), writer.constant("b", op.bias)]
            writer.nodes.append(node("Gemm", inputs, "product", transB=1))
        third = norm(writer, "product", "logits", 5)

        images = small_network.images()
        x = small_network.evaluate_all(small_network.until(plain, "pool"), images)
        x = numpy.maximum(x * first[0] + first[1], 0) * second[0] + second[1]
        expected = (x @ weight.T.astype(numpy.float64) + plain[-1].bias) * third[0] + third[1]
        self.imported(onnx_file.model(writer.nodes, writer.tensors, SHAPE, "logits"))
        self.assert_close(self.logits(images), expected)

    def test_a_temperature(self):
        plain, images = small_network.variant(), small_network.images()
        writer = Writer()
        writer.write(plain, SHAPE)
        writer.nodes += [node("Div", ["logits", writer.scalar("t", 2.5)], "cooler"),
                         node("Softmax", ["cooler"], "probabilities", axis=-1)]
        self.imported(onnx_file.model(writer.nodes, writer.tensors, SHAPE, "probabilities"))
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images) / 2.5)

    def test_global_max_pools(self):
        plain = small_network.variant(pool=False, maximum=True)
        for form in ("GlobalMaxPool", "ReduceMax", "MaxPool of the plane", "in two steps"):
            with self.subTest(form):
                writer = Writer()
                data = writer.write(plain, SHAPE)
                pool = next(i for i, n in enumerate(writer.nodes) if b"GlobalMaxPool" in n)
                head = "head_hard_swish"
                writer.nodes[pool:pool + 1] = {
                    "GlobalMaxPool": [writer.nodes[pool]],
                    "ReduceMax": [node("ReduceMax", [head], "pool", axes=[2, 3], keepdims=1)],
                    "MaxPool of the plane": [node("MaxPool", [head], "pool", kernel_shape=[6, 16],
                                                  strides=[6, 16])],
                    "in two steps": [node("ReduceMax", [head], "rows", axes=[3], keepdims=0),
                                     node("ReduceMax", ["rows"], "pool", axes=[-1], keepdims=0)],
                }[form]
                metadata = self.assert_same_logits(plain, writer)
                self.assertEqual(json.loads(metadata["architecture"])["pool"], "max")
                self.assertEqual(metadata["format"], "mobilenet/2")

    def test_means_in_two_steps_and_over_one_axis(self):
        plain = small_network.variant()
        for form in ("two steps", "one axis"):
            with self.subTest(form):
                writer = Writer()
                writer.write(plain, SHAPE)
                pool = next(i for i, n in enumerate(writer.nodes) if b"GlobalAveragePool" in n
                            and b"maxpool" in n)
                shape = writer.constant("shape", numpy.array([1, 24, -1]))
                writer.nodes[pool:pool + 1] = {
                    "two steps": [node("ReduceMean", ["maxpool"], "r", axes=[3], keepdims=0),
                                  node("ReduceMean", ["r"], "pool", axes=[2], keepdims=0)],
                    "one axis": [node("Reshape", ["maxpool", shape], "r"),
                                 node("ReduceMean", ["r"], "pool", axes=[2], keepdims=0)],
                }[form]
                self.assert_same_logits(plain, writer)

    def test_a_plane_of_one_pixel_is_flattened(self):
        maker = small_network.Maker(32, 32)
        x = maker.act(maker.conv("stem", "image", 8, 3, (2, 2)), "relu6")
        for index in range(4):
            x = maker.block(f"b{index}", x, 8, 3, 16, (2, 2), activation="relu6")
        maker.put(small_network.Pool("pool", x), (8, 1, 1))
        maker.dense("logits", "pool", 5)
        images = small_network.images(32, 32)
        for shape, fits in (([1, 3, 32, 32], True), ([1, 3, 64, 64], False)):
            writer = Writer()
            writer.write([op for op in maker.operations if op.name != "pool"], shape)
            flat = next(i for i, n in enumerate(writer.nodes) if b"logits_flat/Flatten" in n)
            writer.nodes[flat] = node("Flatten", [x], "logits_flat")
            if fits:
                self.assert_same_logits(maker.operations, writer, images=images, shape=shape)
                os.unlink(self.output)
            else:
                self.refused(onnx_file.model(writer.nodes, writer.tensors, shape, "logits"),
                             "a flattened plane of 2x2", "a global pool before they flatten")


class Images(Case):
    def with_image(self, plain, nodes, shape, *options, kind=1, channels=3):
        """Imports a network whose graph makes "image" of its input "pixels"."""
        writer = Writer()
        writer.write(plain, shape)
        made = nodes(writer)
        data = onnx_file.model([*made, *writer.nodes], writer.tensors, shape, "logits",
                               image="pixels", kind=kind)
        return self.imported(data, *options)

    def test_channels_that_the_graph_swaps(self):
        plain, images = small_network.variant(), small_network.images()
        order = [2, 1, 0]
        expected = small_network.evaluate_all(plain, images[..., order])
        mean = numpy.array([104.0, 117.0, 123.0], numpy.float32).reshape(1, 3, 1, 1)

        def gather(w):
            return [node("Gather", ["pixels", w.constant("i", numpy.array(order))], "image",
                         axis=1)]

        def take(w):
            names = [w.constant(f"s{i}", numpy.array([v])) for i, v in
                     enumerate((-1, -(1 << 63), 1, -1))]
            return [node("Slice", ["pixels", *names], "image")]

        def masked(w):  # as tf2onnx has it
            names = [w.constant(name, numpy.array(values)) for name, values in (
                ("begin", [0, 10 ** 9]), ("end", [10 ** 9, -10 ** 9]), ("axes", [0, 1]),
                ("steps", [1, -1]))]
            return [node("Slice", ["pixels", *names], "image")]

        def split(w):
            parts = onnx_file.field(2, "b") + onnx_file.field(2, "c")
            return [node("Split", ["pixels"], "a", axis=1) + parts,
                    node("Concat", ["c", "b", "a"], "image", axis=1)]
        for form in (gather, take, masked, split):
            with self.subTest(form.__name__):
                self.with_image(plain, form, SHAPE)
                self.assert_close(self.logits(images), expected)

        def normalised(w):  # after they are swapped
            w.constant("i", numpy.array(order))
            return [node("Gather", ["pixels", "i"], "bgr", axis=1),
                    node("Sub", ["bgr", w.constant("mean", mean)], "image")]
        _, metadata, _ = self.with_image(plain, normalised, SHAPE)
        numpy.testing.assert_allclose(json.loads(metadata["mean"]),
                                      mean.reshape(-1)[order] / 255, rtol=1e-6)
        self.assert_close(self.logits(images), expected)

    def test_inverted_channels(self):
        """1 - x: the stem's weights are inverted instead."""
        plain, images = small_network.variant(), small_network.images()
        _, metadata, _ = self.with_image(
            plain, lambda w: [node("Sub", [w.scalar("one", 1.0), "pixels"], "image")], SHAPE)
        self.assertEqual(json.loads(metadata["mean"]), [1.0] * 3)
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, -images))

    def test_numbers_of_channels(self):
        for channels in (1, 2, 4):
            plain = small_network.variant(channels=channels)
            images = small_network.images(channels=channels)
            with self.subTest(channels):
                _, metadata, _ = self.imported(
                    Writer().write(plain, [1, channels, 48, 64]), "--mean", "0.25")
                self.assertEqual(metadata["input_channels"], str(channels))
                self.assertEqual(metadata["format"], "mobilenet/2")
                self.assertEqual(json.loads(metadata["mean"]), [0.25] * channels)
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

    def test_grey_made_rgb_and_alpha_left_out(self):
        plain = small_network.variant()
        grey = small_network.images(channels=1)
        _, metadata, _ = self.with_image(
            plain, lambda w: [node("Concat", ["pixels"] * 3, "image", axis=1)], [1, 1, 48, 64])
        self.assertEqual(metadata["input_channels"], "1")
        self.assert_close(self.logits(grey),
                          small_network.evaluate_all(plain, numpy.repeat(grey, 3, 3)))
        rgba = small_network.images(channels=4)
        ends = [numpy.array([v]) for v in (0, 3, 1)]
        _, metadata, _ = self.with_image(plain, lambda w: [node(
            "Slice", ["pixels", *(w.constant(f"e{i}", e) for i, e in enumerate(ends))], "image")],
            [1, 4, 48, 64])
        self.assertEqual(metadata["input_channels"], "4")
        self.assert_close(self.logits(rgba), small_network.evaluate_all(plain, rgba[..., :3]))

    def test_reshapes_that_transpose(self):
        """Of one channel, and of one pixel: converters write them where both are the same."""
        plain = small_network.variant(channels=1)
        images = small_network.images(channels=1)
        self.with_image(plain, lambda w: [node("Reshape", ["pixels", w.constant(
            "shape", numpy.array([-1, 1, 48, 64]))], "image")], [1, 48, 64, 1])
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
        os.unlink(self.output)
        for size, fits in ((32, True), (64, False)):
            maker = small_network.Maker(size, size)
            x = maker.act(maker.conv("stem", "image", 8, 3, (2, 2)), "relu6")
            for index in range(4):
                x = maker.block(f"b{index}", x, 8, 3, 16, (2, 2), activation="relu6")
            x = maker.conv("head", x, 12)
            maker.put(small_network.Pool("pool", x), (12, 1, 1))
            maker.dense("logits", "pool", 5)
            writer = Writer()
            writer.write(maker.operations, [1, 3, size, size])
            for name, shape in (("nhwc", [-1, 1, 1, 8]), ("nchw", [-1, 8, 1, 1])):
                writer.constant(name, numpy.array(shape))
            place = next(i for i, n in enumerate(writer.nodes) if b"head_conv/Conv" in n)
            head = next(op for op in maker.operations if op.name == "head")
            writer.nodes[place:place + 1] = [
                node("Reshape", [head.x, "nhwc"], "turned"),
                node("Reshape", ["turned", "nchw"], "same"),
                node("Reshape", ["same", "nchw"], "back"),
                node("Conv", ["back", "head_w"], "head_conv")]
            data = onnx_file.model(writer.nodes, writer.tensors, [1, 3, size, size], "logits")
            if fits:
                images = small_network.images(size, size)
                self.imported(data)
                self.assert_close(self.logits(images),
                                  small_network.evaluate_all(maker.operations, images))
                os.unlink(self.output)
            else:
                self.refused(data, "Reshape: a reshape of 2x2 pixels")

    def test_resizing_becomes_preprocessing(self):
        plain, images = small_network.variant(), small_network.images()

        def resize(w, **attributes):
            sizes = w.constant("sizes", numpy.array([1, 3, 48, 64]))
            return [node("Resize", ["pixels", "", "", sizes], "image", **attributes)]
        for attributes, keys in (
                ({"mode": "linear"}, {"resampling": "tensorflow"}),
                ({"mode": "linear", "antialias": 1, "exclude_outside": 1}, {}),
                ({"mode": "nearest", "nearest_mode": "floor",
                  "coordinate_transformation_mode": "tf_half_pixel_for_nn"},
                 {"resampling": "tensorflow", "interpolation": "nearest"}),
                ({"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
                 {"resampling": "tensorflow", "interpolation": "bicubic"})):
            with self.subTest(**attributes):
                _, metadata, _ = self.with_image(plain, lambda w: resize(w, **attributes),
                                                 [1, 3, "h", "w"])
                self.assertEqual({key: metadata[key] for key in ("resampling", "interpolation",
                                                                 "fit") if key in metadata}, keys)
                self.assertEqual((metadata["input_height"], metadata["input_width"],
                                  metadata["resize"]), ("48", "64", "0"))
                self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))

        def computed(w):  # the batch's size and the channels are taken from the image
            constants = {"begin": [0], "end": [2], "sizes": [48, 64]}
            for name, values in constants.items():
                w.constant(name, numpy.array(values))
            return [node("Shape", ["pixels"], "shape"),
                    node("Slice", ["shape", "begin", "end"], "kept"),
                    node("Concat", ["kept", "sizes"], "all", axis=0),
                    node("Resize", ["pixels", "", "", "all"], "image", mode="linear")]
        _, metadata, _ = self.with_image(plain, computed, [1, 3, "h", "w"])
        self.assertEqual((metadata["input_height"], metadata["input_width"]), ("48", "64"))
        os.unlink(self.output)

        def resizing(shape=(1, 3, "h", "w"), producer="test", **attributes):
            writer = Writer()
            writer.write(plain, SHAPE)
            if "scale" in attributes:
                scale = numpy.array([1, 1, attributes["scale"], attributes.pop("scale")], "f4")
                nodes = [node("Resize", ["pixels", "", writer.constant("scales", scale)], "image",
                              **attributes)]
            else:
                nodes = resize(writer, **attributes)
            return onnx_file.model([*nodes, *writer.nodes], writer.tensors, list(shape), "logits",
                                   producer, "pixels")
        smooth = {"mode": "linear", "antialias": 1}
        for part, data in (
                ("linear at align_corners", resizing(
                    mode="linear", coordinate_transformation_mode="align_corners")),
                # Of these ONNX Runtime and Pillow differ by up to 22 of 255.
                ("linear at half_pixel, antialiased, with the outermost pixels repeated, which",
                 resizing(**smooth)),
                ("cubic at half_pixel, antialiased, which", resizing(
                    mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1, antialias=1)),
                ("resizes images of any size by a factor", resizing(mode="linear", scale=0.5)),
                ("resizes 96 pixels by inf", resizing((1, 3, 96, 128), mode="linear",
                                                      scale=math.inf)),
                ("resizes 96 pixels by nan", resizing((1, 3, 96, 128), mode="linear",
                                                      scale=math.nan)),
                ("resizes 97 pixels by 0.5, which are no whole number", resizing(
                    (1, 3, 97, 128), mode="linear", scale=0.5))):
            with self.subTest(part):
                self.refused(data, part)

        # The factor is a float of 32 bits, a little less than what it stands for.
        _, metadata, _ = self.imported(resizing((1, 3, 75, 100), mode="linear", scale=0.64))
        self.assertEqual((metadata["input_height"], metadata["input_width"]), ("48", "64"))

    def test_resizing_that_is_nearly_the_sources(self):
        """What is not exactly the same is said."""
        plain = small_network.variant()
        for attributes, kind, producer, said in (
                ({"mode": "linear", "antialias": 1, "exclude_outside": 1}, 1, "test",
                 "its antialiased resizing is Pillow's here, which rounds pixels to 8 bits between "
                 "and after the two directions\n"),
                ({"mode": "linear", "antialias": 1}, 1, "pytorch",
                 "at its edges torch does the same, ONNX Runtime repeats the outermost pixels\n"),
                ({"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, 1, "test",
                 "its bicubic resizing is TensorFlow's here, whose weights come from a table"),
                ({"mode": "linear"}, 2, "test", "cuts fractions off; here they are kept\n")):
            with self.subTest(**attributes, kind=kind):
                writer = Writer()
                writer.write(plain, SHAPE)
                sizes = writer.constant("sizes", numpy.array([1, 3, 48, 64]))
                nodes = [node("Resize", ["pixels", "", "", sizes], "small", **attributes),
                         node("Cast", ["small"], "image", to=1)]
                _, _, out = self.imported(onnx_file.model(
                    [*nodes, *writer.nodes], writer.tensors, [1, 3, "h", "w"], "logits", producer,
                    "pixels", kind))
                self.assertIn(said, out)

    def test_padding_before_the_rest(self):
        """SAME_LOWER is what symmetric padding gives."""
        plain = small_network.variant(padding="symmetric")
        images = small_network.images()
        writer = Writer()
        data = writer.write(plain, SHAPE)
        lower = onnx_file.field(5, onnx_file.attribute("auto_pad", "SAME_LOWER"))
        pads = onnx_file.attribute("pads", [1, 1, 1, 1]), onnx_file.attribute("pads", [2] * 4)
        for attribute in pads:
            self.assertIn(onnx_file.field(5, attribute), data)
        for index, n in enumerate(writer.nodes):
            for attribute in pads:
                n = n.replace(onnx_file.field(5, attribute), lower)
            writer.nodes[index] = n
        _, metadata, _ = self.imported(onnx_file.model(writer.nodes, writer.tensors, SHAPE,
                                                       "logits"))
        self.assertEqual(metadata["padding"], "symmetric")
        self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))


class Refusing(Case):
    def refuse(self, operations, *parts, shape=None):
        self.refused(Writer().write(operations, shape or SHAPE), *parts)

    def changed(self, index_name, **changes):
        return [op._replace(**changes) if op.name == index_name else op
                for op in small_network.variant()]

    def test_the_first_difference_is_named(self):
        ones = numpy.ones
        maker = small_network.Maker(48, 64)
        maker.conv("stem", "image", 8, 7, (2, 2))
        maker.put(small_network.Pool("pool", "stem"), (8, 1, 1))
        maker.dense("logits", "pool", 5)
        self.refuse(maker.operations, "stem_conv/Conv, a 7x7 convolution, expected 3x3")
        self.refuse(self.changed("b2_depthwise", strides=(3, 3)), "b2_depthwise", "strides [3, 3]")
        self.refuse(self.changed("b2_depthwise", pads=(0, 0, 0, 0)), "b2_depthwise", "pads by")
        self.refuse(self.changed("b3_project", weight=ones((16, 40, 3, 3), numpy.float32),
                                 pads=(1, 1, 1, 1)), "b3_project", "expected a 1x1 convolution")
        self.refuse(self.changed("b1_excite_hard_sigmoid_0.2", kind="relu"), "b3_excite",
                    "another gate")
        self.refuse(self.changed("b3_expand_hard_swish", kind="relu"), "b3_expand", "has relu")
        self.refuse(self.changed("b3_add", b="b2_expand"), "channels meet")
        self.refuse(self.changed("b2_expand", weight=ones((24, 9, 1, 1), numpy.float32)),
                    "b2_expand", "do not fit an input of 8 channels")
        self.refuse(self.changed("logits", bias=ones(4, numpy.float32)), "logits", "bias of 4")
        self.refuse(small_network.variant(), "image", "expected an image", shape=[1, 5, 48, 64])
        self.refuse(small_network.variant(), "stem_conv", "[8, 3, 3, 3]", "an input of 4 channels",
                    shape=[1, 4, 48, 64])
        for last in ("b2_depthwise_hard_swish", "b3_scale", "maxpool"):
            self.refuse(small_network.until(small_network.variant(), last),
                        "is the last layer; a network may end with")
        self.refuse(small_network.until(small_network.variant(), "stem_hard_swish"),
                    "before the first row")
        self.refused(Writer().write(small_network.until(small_network.variant(), "pool"), SHAPE,
                                    softmax=True), "a softmax after pool")

    def test_operations_and_values(self):
        writer = Writer()
        writer.nodes.append(node("Sigmoid", ["image"], "swished"))
        data = writer.write([op._replace(x="swished") if op.name == "stem" else op
                             for op in small_network.variant()], SHAPE)
        self.refused(data, "follows a sigmoid")
        writer = Writer()
        writer.nodes.append(node("Einsum", ["image"], "x"))
        self.refused(writer.write([op._replace(x="x") if op.name == "stem" else op
                                   for op in small_network.variant()], SHAPE), "x/Einsum",
                     "operation Einsum is in no MobileNet")
        nan = [op._replace(bias=op.bias * math.nan) if op.name == "logits" else op
               for op in small_network.variant()]
        self.refuse(nan, "classifier.6.bias", "NaN or infinity")
        writer = Writer()
        writer.write(small_network.variant(), SHAPE)
        huge = onnx_file.field(1, 1 << 40) + onnx_file.field(8, "stem_w") + onnx_file.field(2, 1)
        self.refused(onnx_file.model(writer.nodes, [huge, *writer.tensors[1:]], SHAPE, "logits"),
                     "stem_w", "malformed shape")
        self.refused(onnx_file.model(writer.nodes, writer.tensors[1:], SHAPE, "logits"),
                     "its input stem_w is not there")

    def test_inputs_of_other_sizes_and_places(self):
        def refuse(operation, inputs, *parts, classes=5, before=(), second=b"", output="y",
                   **attributes):
            writer, plain = Writer(), small_network.variant()
            plain[-1] = plain[-1]._replace(weight=plain[-1].weight[:classes],
                                           bias=plain[-1].bias[:classes])
            writer.write(plain, SHAPE)
            names = [name if isinstance(name, str) else
                     writer.constant(f"c{i}", numpy.array(name)) for i, name in enumerate(inputs)]
            last = node(operation, names, "y", **attributes) + second
            self.refused(onnx_file.model([*writer.nodes, *before, last], writer.tensors, SHAPE,
                                         output), *parts)
        none = numpy.zeros(0, numpy.float32)
        refuse("Slice", ["logits", [0], [5], [1], [0]], "y/Slice: a slice in steps of 0")
        refuse("Clip", ["logits", none], "y/Clip: Clip with 0 numbers in place of one")
        refuse("Pad", ["logits", [0, 0, 0, 0], none], "y/Pad: Pad with 0 numbers")
        refuse("Max", ["logits", none], "y/Max: Max with 0 numbers")
        refuse("Max", [none, "logits"], "y/Max: Max with 0 numbers")
        five = numpy.ones(5, numpy.float32)
        for values in ([five[:3], five], [five, five[:3]], [five.reshape(5, 1), five]):
            refuse("BatchNormalization", ["logits", *values, five, five],
                   "y/BatchNormalization: a batch norm with ", " for 5 channels")
        for operation in ("Reshape", "Expand", "MatMul", "Gather", "QuantizeLinear"):
            refuse(operation, [five, "logits"], f"y/{operation}: its first input does not depend")
        refuse("Squeeze", ["logits"], "y/Squeeze: takes all axes away", classes=1, axes=[0, 1])
        for operation in ("DequantizeLinear", "Cast"):
            refuse("Relu", ["logits"], f"{operation}: an operation without outputs is in no Mobi",
                   before=[onnx_file.field(1, "logits") + onnx_file.field(4, operation)])
        kernel = numpy.ones((24, 24, 1, 1), numpy.float32)
        for operation, inputs, keys in (
                ("Conv", ["maxpool", kernel], {"strides": [1]}),
                ("MaxPool", ["maxpool"], {"kernel_shape": [2]}),
                ("MaxPool", ["maxpool"], {"kernel_shape": [2, 2], "strides": [2, 2, 2]}),
                ("AveragePool", ["maxpool"], {})):
            refuse(operation, inputs, f"y/{operation}: ", ", expected two", **keys)
        refuse("Shape", ["logits"], "its output does not depend on the image")
        refuse("Relu", ["logits"], "its output does not depend on the image",
               second=onnx_file.field(2, "z"), output="z")

    def test_two_inputs(self):
        writer = Writer()
        writer.write(small_network.variant(), SHAPE)
        nodes = [*writer.nodes, node("Add", ["logits", "other"], "sum")]
        self.refused(onnx_file.model(nodes, writer.tensors, SHAPE, "sum",
                                     image=["image", "other"]),
                     "its output depends on 2 inputs, expected one: image, other")

    def test_damaged_files(self):
        self.assert_survives(Writer().write(small_network.variant(), SHAPE), 150)


if __name__ == "__main__":
    unittest.main()
