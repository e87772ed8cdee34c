#!/usr/bin/env python3
"""Importing timm's networks by their tensors' names: state dictionaries made here, and timm itself
where it is installed."""
import json
import unittest

import numpy

from importer_case import Case

import small_network
from checkpoint import state_dict, zipped
from timm_network import HS, RE, safetensors, small_rw, small_v1, small_v2, small_v3

try:
    import timm
    import torch
except ImportError:
    timm = None


class ByHand(Case):
    def imported_as(self, network, made, padding, epsilon, *options, name="model.safetensors"):
        operations, arrays = made(padding=padding, epsilon=epsilon)
        source = self.file(name, safetensors(arrays))
        _, metadata, out = self.imported(source, "--resolution", "64", *options)
        self.assertEqual((metadata["network"], metadata["padding"], metadata["resize"]),
                         (network, padding, "73"))
        images = small_network.images(64, 64)
        self.assert_close(self.logits(images), small_network.evaluate_all(operations, images))
        return metadata, out

    def test_networks_of_pytorch(self):
        self.imported_as("mobilenet_v1", small_v1, "symmetric", 1e-5)
        metadata, _ = self.imported_as(
            "mobilenet_v1", lambda **options: small_v1(head=32, **options), "symmetric", 1e-5)
        self.assertEqual(json.loads(metadata["mean"]), [0.5, 0.5, 0.5])
        self.assertEqual(json.loads(metadata["architecture"])["head"],
                         {"channels": 32, "activation": "relu6"})
        self.imported_as("mobilenet_v1", lambda **options: small_v1(activation="relu", **options),
                         "symmetric", 1e-5, "--activation", "relu")
        metadata, out = self.imported_as("mobilenet_v3_small", small_v3, "symmetric", 1e-5)
        self.assertEqual((metadata["interpolation"], metadata["format"]), ("bicubic", "mobilenet/2"))
        self.assertIn("taken for granted: symmetric padding, batch norm epsilon 1e-05", out)
        self.assertEqual(json.loads(metadata["mean"]), [0.485, 0.456, 0.406])
        self.imported_as("mobilenet_v2", small_v2, "symmetric", 1e-5)

    def test_networks_of_tensorflow(self):
        """By the file's name, or told."""
        metadata, _ = self.imported_as("mobilenet_v3_small", small_v3, "same", 1e-3,
                                       name="tf_mobilenetv3_small_100.safetensors")
        self.assertEqual(json.loads(metadata["mean"]), [0.5, 0.5, 0.5])
        self.imported_as("mobilenet_v3_small", small_v3, "same", 1e-3, "--padding", "same",
                         "--epsilon", "0.001")

    def test_minimal_networks(self):
        def minimal(**options):
            return small_v3(RE, False, 3, **options)
        metadata, _ = self.imported_as("mobilenet_v3_small", minimal, "symmetric", 1e-5)
        rows = json.loads(metadata["architecture"])["rows"]
        self.assertEqual({row["activation"] for row in rows}, {"relu"})

    def test_mobilenetv3_rw(self):
        metadata, out = self.imported_as("mobilenet_v3_large", small_rw, "symmetric", 1e-3)
        self.assertIn("of timm (mobilenetv3_rw): ", out)
        table = json.loads(metadata["architecture"])
        self.assertEqual(table["squeeze_activation"], "relu")
        self.assertEqual([row.get("squeeze_activation") for row in table["rows"]],
                         [None] * 10 + [HS] * 5)
        self.assertIs(table["rows"][0]["residual"], False)

    def test_networks_without_a_classifier(self):
        """num_classes=0 leaves conv_head; features_only does not."""
        images = small_network.images(64, 64)
        for make, head, last, stage in (
                (small_v3, True, "hidden_hard_swish", "classifier.0"),
                (small_v3, False, "head_hard_swish", "features.12.0"),
                (small_rw, True, "hidden_hard_swish", "classifier.0"),
                (small_rw, False, "head_hard_swish", "features.16.0"),
                (small_v2, True, "pool", "pool"), (small_v2, False, "s6b0_project", "block16")):
            epsilon = 1e-3 if make is small_rw else 1e-5
            operations, arrays = make(padding="symmetric", epsilon=epsilon)
            gone = ("classifier.",) if head else ("classifier.", "conv_head.", "bn2.")
            arrays = {name: array for name, array in arrays.items() if not name.startswith(gone)}
            with self.subTest(make=make.__name__, head=head):
                _, metadata, _ = self.imported(safetensors(arrays), "--resolution", "64")
                self.assert_backbone(metadata, stage, images, small_network.evaluate_maps(
                    small_network.until(operations, last), images))

    def test_configurations_of_the_hub(self):
        """config.json beside model.safetensors; beside other names it says nothing."""
        config = {"architecture": "tf_mobilenetv3_small_100", "num_classes": 6, "pretrained_cfg": {
            "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.125], "input_size": [3, 64, 64],
            "crop_pct": 0.8, "interpolation": "bicubic"}}
        operations, arrays = small_v3(padding="same", epsilon=1e-3)
        images = small_network.images(64, 64)
        self.file("config.json", json.dumps(config))
        source = self.file("model.safetensors", safetensors(arrays))
        _, metadata, out = self.imported(source)
        self.assert_close(self.logits(images), small_network.evaluate_all(operations, images))
        self.assertEqual([json.loads(metadata[key]) for key in (
            "mean", "std", "input_height", "input_width", "resize")],
            [[0.1, 0.2, 0.3], [0.5, 0.25, 0.125], 64, 64, 80])
        self.assertIn("config.json beside it: tf_mobilenetv3_small_100", out)
        self.assertEqual((metadata["interpolation"], metadata["format"]), ("bicubic", "mobilenet/2"))
        self.assertNotIn("taken for granted", out)
        _, metadata, _ = self.imported(source, "--padding", "symmetric", "--resize", "64")
        self.assertEqual((metadata["padding"], metadata["resize"]), ("symmetric", "64"))
        _, metadata, _ = self.imported(self.file("other.safetensors", safetensors(arrays)))
        self.assertEqual((metadata["padding"], metadata["input_height"]), ("symmetric", "224"))
        for text in ("", "{", "[]", '{"architecture": 7}', "\xff", "[" * 100000,
                     '{"architecture": "x", "pretrained_cfg": {"mean": [1, 2], "std": "x", '
                     '"input_size": [3, 1e9, 0], "crop_pct": 0, "interpolation": []}}'):
            self.file("config.json", text.encode("latin-1"))
            _, metadata, _ = self.imported(source)
            self.assertEqual(
                (metadata["padding"], metadata["input_height"], json.loads(metadata["mean"])),
                ("symmetric", "224", [0.485, 0.456, 0.406]))

    def test_checkpoints(self):
        operations, arrays = small_v2(padding="symmetric", epsilon=1e-5)
        self.imported(zipped(*state_dict(arrays)), "--resolution", "64")
        images = small_network.images(64, 64)
        self.assert_close(self.logits(images), small_network.evaluate_all(operations, images))


class Refusing(Case):
    def test_what_differs_is_named(self):
        _, arrays = small_v3(padding="symmetric", epsilon=1e-5)
        for name, change, message in (
                ("blocks.2.1.bn2.running_var", None, "blocks.2.1.bn2.running_var is missing"),
                ("blocks.2.1.conv_pwl.weight", numpy.ones((8, 40, 1, 1), numpy.float32),
                 "blocks.2.1.conv_pwl: weights [8, 40, 1, 1]"),
                ("extra.weight", numpy.ones(1, numpy.float32), "extra.weight is not a tensor"),
                ("blocks.7.0.conv.weight", numpy.ones(1, numpy.float32), "its stages are not"),
                ("blocks.1.0.conv_dw.weight", numpy.ones((16, 1, 7, 7), numpy.float32),
                 "blocks.1.0 has a 7x7 depthwise"),
                ("conv_head.bias", None, "conv_head.bias is missing"),
                ("bn1.running_var", -arrays["bn1.running_var"], "a variance is negative")):
            changed = dict(arrays)
            if change is None:
                del changed[name]
            else:
                changed[name] = change
            self.refused(safetensors(changed), message)

    def test_damaged_files(self):
        _, arrays = small_v3(padding="symmetric", epsilon=1e-5)
        self.assert_survives(safetensors(arrays), 60)


@unittest.skipIf(timm is None, "needs timm")
class OfTimm(Case):
    def test_networks(self):
        for name in ("mobilenetv2_050", "mobilenetv2_110d", "mobilenetv3_small_050",
                     "mobilenetv3_large_075", "mobilenetv3_rw", "tf_mobilenetv3_small_minimal_100"):
            with self.subTest(name):
                torch.manual_seed(1)
                network = timm.create_model(name, pretrained=False, num_classes=6).eval()
                arrays = {key: value.numpy() for key, value in network.state_dict().items()
                          if not key.endswith("num_batches_tracked")}
                source = self.file(name + ".safetensors", safetensors(arrays))
                images = small_network.images(96, 64)
                self.imported(source, "--resolution", "96x64")
                with torch.no_grad():
                    expected = network(torch.from_numpy(
                        images.transpose(0, 3, 1, 2).copy())).numpy()
                self.assert_close(self.logits(images), expected, 1e-4)


if __name__ == "__main__":
    unittest.main()
