#!/usr/bin/env python3
"""Importing ONNX files: written here by hand, and by torch where it is installed."""
import io
import json
import math
import unittest
import warnings

import numpy

from importer_case import Case

import onnx_file
import small_network
from onnx_file import Writer, node

try:
    import torch
    import torchvision
except ImportError:
    torch = None

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

    def test_tensorflows_padding(self):
        for height, width in ((48, 64), (33, 47)):
            plain = small_network.variant(height, width, "same", pool=False)
            images = small_network.images(height, width)
            _, metadata, _ = self.imported(Writer().write(plain, [1, 3, height, width]))
            self.assert_close(self.logits(images), small_network.evaluate_all(plain, images))
            self.assertEqual(metadata["padding"], "same")

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

    def test_damaged_files(self):
        self.assert_survives(Writer().write(small_network.variant(), SHAPE), 150)


@unittest.skipIf(torch is None, "needs torch and torchvision")
class OfTorch(Case):
    def export(self, model, images, **options):
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(model, torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), file,
                              **options)
        return file.getvalue()

    def test_networks(self):
        images = small_network.images(96, 64, 1)
        keep = torch.onnx.TrainingMode.PRESERVE
        for name, network, options in (
                ("mobilenet_v2", "mobilenet_v2", {"opset_version": 11}),
                ("mobilenet_v2", "mobilenet_v2", {"opset_version": 13, "training": keep,
                                                  "do_constant_folding": False}),
                ("mobilenet_v3_small", "mobilenet_v3_small", {"opset_version": 14}),
                ("mobilenet_v3_large", "mobilenet_v3_large", {"opset_version": 9})):
            with self.subTest(name=name, options=options):
                torch.manual_seed(1)
                model = getattr(torchvision.models, name)(width_mult=0.5, num_classes=7).eval()
                for module in model.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
                        torch.nn.init.normal_(module.running_mean, 0, 0.2)
                with torch.no_grad():
                    expected = model(torch.from_numpy(
                        images.transpose(0, 3, 1, 2).copy())).numpy()
                _, metadata, out = self.imported(self.export(model, images, **options))
                self.assertEqual(metadata["network"], network)
                self.assertIn("width 0.5, 7 classes", out)
                self.assert_close(self.logits(images), expected, 1e-4)

    def test_another_network_is_refused(self):
        model = torchvision.models.resnet18().eval()
        data = self.export(model, small_network.images(64, 64, 1))
        self.refused(data, "not a MobileNet", "a 7x7 convolution, expected 3x3")


if __name__ == "__main__":
    unittest.main()
