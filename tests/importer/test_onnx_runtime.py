#!/usr/bin/env python3
"""Importing ONNX files, compared with ONNX Runtime, and files of torch, where these are installed."""
import io
import json
import subprocess
import unittest
import warnings

import numpy

from importer_case import Case
from importer import check

import onnx_file
import small_network
from onnx_file import Writer, node

try:
    import onnxruntime
    from PIL import Image
except ImportError:
    onnxruntime = None
try:
    import torch
    import torchvision
except ImportError:
    torch = None

SHAPE = [1, 3, 48, 64]


@unittest.skipIf(onnxruntime is None, "needs ONNX Runtime and Pillow")
class ByOnnxRuntime(Case):
    """Whatever the input is, the two are compared."""

    def compared(self, data, *options):
        self.command()
        source = self.file("model.onnx", data)
        status, out, err = self.run_importer(source, *options, check_it=True)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"compared with ONNX Runtime .* \d[.\d]*e-0[678] of the output's")

    def test_batches_and_elements(self):
        plain = small_network.variant()
        for batch in (1, 3, "n"):
            with self.subTest(batch=batch):
                self.compared(Writer().write(plain, [batch, *SHAPE[1:]], final="Sigmoid"))
        for kind, name in ((2, "uint8"), (7, "int64"), (11, "double")):
            with self.subTest(name):
                writer = Writer()
                writer.write(plain, SHAPE)
                nodes = [node("Cast", ["pixels"], "floats", to=1),
                         node("Mul", ["floats", writer.scalar("s", 1 / 64)], "image")]
                self.compared(onnx_file.model([*nodes, *writer.nodes], writer.tensors,
                                              [2, *SHAPE[1:]], "logits", image="pixels",
                                              kind=kind))

    def test_channels_outputs_and_ends(self):
        for channels in (1, 4):
            with self.subTest(channels=channels):
                plain = small_network.variant(channels=channels)
                self.compared(Writer().write(plain, [1, channels, 48, 64], final="LogSoftmax"))
        plain = small_network.variant(maximum=True, pool=False)
        writer = Writer()
        writer.write(plain, SHAPE, softmax=True)
        data = onnx_file.model(writer.nodes, writer.tensors, SHAPE, ["pool", "probabilities"])
        self.compared(data, "--output", "probabilities")
        self.compared(data, "--output", "pool")

    def test_external_data(self):
        writer = Writer()
        plain = small_network.variant()
        writer.write(plain, SHAPE)
        place = next(i for i, t in enumerate(writer.tensors) if b"stem_w" in t)
        weight = plain[0].weight
        self.file("weights", weight.tobytes())
        writer.tensors[place] = onnx_file.external("stem_w", weight, location="weights")
        self.compared(onnx_file.model(writer.nodes, writer.tensors, SHAPE, "logits"))

    def log_probabilities(self):
        """Of picture.png, by the library."""
        done = subprocess.run([self.command(), "classify", self.output, self.path("picture.png"),
                               "--json"], capture_output=True, check=True)
        classes = json.loads(done.stdout)[0]["classes"]
        classes.sort(key=lambda entry: entry["index"])
        return numpy.log([entry["probability"] for entry in classes])

    def test_resized_pictures(self):
        """Through the graph and through `mobilenet classify`; the other arithmetic is farther."""
        generator = numpy.random.default_rng(5)
        plain = small_network.variant()
        inside = {"exclude_outside": 1}
        smooth = {"mode": "linear", "antialias": 1, **inside}
        cubic = {"mode": "cubic", "cubic_coeff_a": -0.5, **inside}
        for attributes, limit, other in (
                ({"mode": "linear"}, 5e-7, "pillow"),
                ({"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, 5e-7, None),
                (cubic, 5e-6, "pillow"), (smooth, 2e-5, "tensorflow")):
            writer = Writer()
            writer.write(plain, SHAPE)
            sizes = writer.constant("sizes", numpy.array([1, 3, 48, 64]))
            nodes = [node("Mul", ["pixels", writer.scalar("s", 1 / 64)], "scaled"),
                     node("Resize", ["scaled", "", "", sizes], "image", **attributes)]
            data = onnx_file.model([*nodes, *writer.nodes], writer.tensors, [1, 3, "h", "w"],
                                   "logits", image="pixels", opset=18)
            session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
            for height, width in ((61, 83), (200, 90), (48, 64), (35, 400)):
                with self.subTest(**attributes, size=(height, width)):
                    pixels = generator.integers(0, 256, (height, width, 3)).astype(numpy.uint8)
                    Image.fromarray(pixels).save(self.path("picture.png"))
                    theirs = session.run(["logits"], {
                        "pixels": pixels.transpose(2, 0, 1)[None].astype(numpy.float32)})[0]

                    def ours(*options):
                        status, _, err = self.run_importer(self.file("m.onnx", data), *options)
                        self.assertEqual((status, err), (0, ""))
                        return self.log_probabilities()
                    theirs = check.log_softmax(theirs)[0]
                    self.assertLess(numpy.abs(ours() - theirs).max(), limit)
                    if other and (height, width) != (48, 64):
                        far = numpy.abs(ours("--resampling", other) - theirs).max()
                        self.assertGreater(far, 10 * limit)

    def test_what_it_cannot_run_is_not_compared(self):
        writer = Writer()
        writer.write(small_network.variant(), SHAPE)
        nodes = [node("Identity", ["pixels"], "image"), *writer.nodes]
        data = onnx_file.model(nodes, writer.tensors, SHAPE, "logits", image="pixels")
        data += onnx_file.field(8, onnx_file.field(2, 99))  # an operator set of the future
        status, out, err = self.run_importer(self.file("x", data), check_it=True)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("not compared: ", out)


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
