#!/usr/bin/env python3
"""Importing quantised TensorFlow Lite files: what is computed of the model file, by numpy, are the
bytes that LiteRT computed (tests/golden/make_litert.py)."""
import json
import os
import unittest

import numpy

import small_network
from importer_case import HERE, Case

import integer_networks
import integers
from integer_file import IntegerWriter
from tflite_file import KINDS, Writer, vector

GOLDEN = os.path.join(HERE, "..", "golden", "litert")
WAYS = "float", "fixed"
# What is compared of networks that end with a plane.
STAGES = {"sum": "features.3.block.3.0.sum", "plane": "features.4.0"}


def computed(network, name, image):
    """The bytes that a case's file has for an image."""
    result = network.run(network.quantise(image) if image.dtype == numpy.float32 else image)
    if name in STAGES:
        result = network.values[STAGES[name]].reshape(-1)
    return network.probabilities(result) if "probabilities_scale" in network.tensors else result


class Bytes(Case):
    def test_all_are_those_of_litert(self):
        for name, write in integer_networks.CASES.items():
            golden, data = numpy.load(os.path.join(GOLDEN, f"{name}.npy")), write()
            for way, expected in zip(WAYS, golden):
                with self.subTest(name, way=way):
                    _, metadata, out = self.imported(data, "--rescale", way)
                    self.assertEqual((metadata["format"], metadata["rescaling"]),
                                     ("mobilenet/2", way))
                    self.assertIn(f"(integers, {way} rescaling)", out)
                    self.assertNotIn("in another way", out)
                    network = integers.Network(self.output)
                    for image, wanted in zip(integer_networks.images(name), expected):
                        numpy.testing.assert_array_equal(computed(network, name, image), wanted)

    def test_the_default_is_float(self):
        data = integer_networks.CASES["int8"]()
        self.imported(data)
        with open(self.output, "rb") as file:
            default = file.read()
        self.imported(data, "--rescale", "float")
        with open(self.output, "rb") as file:
            self.assertEqual(file.read(), default)


class Files(Case):
    def test_tensors(self):
        arrays, metadata, _ = self.imported(integer_networks.CASES["softmax"]())
        kinds = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
        self.assertEqual(metadata["probabilities"] if "probabilities" in metadata else "softmax",
                         "softmax")
        for name, kind in {
                "input_scale": ("float32", (1,)), "input_zero_point": ("int8", (1,)),
                "features.0.0.weight": ("int8", (8, 3, 3, 3)),
                "features.0.0.weight_scale": ("float32", (8,)),
                "features.0.0.bias": ("int32", (8,)),
                "features.0.0.multiplier": ("float32", (8,)),
                "features.0.0.output_scale": ("float32", (1,)),
                "features.0.0.output_zero_point": ("int8", (1,)),
                "features.0.0.lookup": ("int8", (256,)),
                "features.0.0.lookup_scale": ("float32", (1,)),
                "features.1.block.1.0.weight": ("int8", (8, 1, 3, 3)),
                "features.1.block.2.avgpool.output_scale": ("float32", (1,)),
                "features.1.block.2.scale.multiplier": ("float32", (1,)),
                "features.3.block.3.0.sum_multiplier": ("int32", (3,)),
                "features.3.block.3.0.sum_scale": ("float32", (1,)),
                "avgpool.output_zero_point": ("int8", (1,)),
                "classifier.6.weight": ("int8", (200, 9)),
                "probabilities_zero_point": ("int8", (1,)),
                "probabilities_table": ("float32", (256,))}.items():
            self.assertEqual(kinds[name], kind, name)
        self.assertNotIn("features.0.0.weight_zero_point", arrays)
        arrays, _, _ = self.imported(integer_networks.CASES["softmax"](), "--rescale", "fixed")
        kinds = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
        self.assertEqual(kinds["features.0.0.multiplier"], ("int32", (8, 2)))
        self.assertEqual(kinds["classifier.0.multiplier"], ("float64", (12,)))
        self.assertEqual(kinds["features.3.block.3.0.sum_multiplier"], ("int32", (3, 2)))
        self.assertEqual(kinds["probabilities_table"], ("int32", (256,)))
        arrays, _, _ = self.imported(integer_networks.CASES["ranges"]())
        self.assertEqual(arrays["features.1.block.0.0.output_range"].tolist(), [-100, 127])
        arrays, _, _ = self.imported(integer_networks.CASES["ranges-uint8"]())
        self.assertEqual(arrays["features.2.block.0.0.output_range"].tolist(), [30, 180])
        arrays, _, _ = self.imported(integer_networks.CASES["average-pool"]())
        self.assertNotIn("avgpool.output_scale", arrays)

    def test_integers_are_the_sources(self):
        writer = IntegerWriter("uint8")
        plain = integer_networks.relus()
        arrays, _, _ = self.imported(writer.write(plain, integer_networks.SHAPE,
                                                  small_network.images(), None))
        integer_weights, _, zeros = writer.weights(plain[0])
        numpy.testing.assert_array_equal(arrays["features.0.0.weight"], integer_weights)
        numpy.testing.assert_array_equal(arrays["features.0.0.weight_zero_point"], zeros)

    def test_what_a_graph_does_to_pixels_is_a_lookup(self):
        arrays, metadata, _ = self.imported(integer_networks.CASES["rescaled"]())
        self.assertEqual(arrays["input_lookup"].shape, (256,))
        # Pixels are given as (pixel / 255 - mean) / std.
        mean, std = (json.loads(metadata[key]) for key in ("mean", "std"))
        pixels = numpy.arange(256)
        for c in range(3):
            given = (pixels / 255 - mean[c]) / std[c]
            numpy.testing.assert_allclose(
                (given - arrays["image_shift"]) / arrays["image_scale"], pixels, atol=1e-3)
            numpy.testing.assert_allclose(given, pixels / 127.5 - 1, atol=0.01)
        arrays, _, _ = self.imported(integer_networks.CASES["normalised"]())
        self.assertEqual(arrays["input_lookup"].shape, (3, 256))
        self.assertEqual(arrays["image_scale"].shape, (3,))

    def test_as_floats(self):
        arrays, metadata, out = self.imported(integer_networks.CASES["int8"](), "--dequantise")
        self.assertNotIn("rescaling", metadata)
        self.assertIn("(quantised, here as floats)", out)
        self.assertEqual({array.dtype.name for array in arrays.values()}, {"float32"})
        plain = integer_networks.network()
        numpy.testing.assert_allclose(arrays["features.0.0.weight"], plain[0].weight, atol=0.01)

    def test_a_model_file_stays_what_it_is(self):
        self.imported(integer_networks.CASES["uint8"](), "--rescale", "fixed")
        with open(self.output, "rb") as file:
            before = file.read()
        self.imported(before)
        with open(self.output, "rb") as file:
            self.assertEqual(file.read(), before)
        self.refused(before, "a model file already: --rescale", options=("--rescale", "float"))

    def test_a_layer_that_litert_leaves_to_other_kernels(self):
        data = integer_networks.written(scales={
            "b1_expand": lambda s: s * numpy.r_[0, numpy.ones(len(s) - 1)]})
        said = "LiteRT's default rounds b1_expand_relu in another way"
        self.assertIn(said, self.imported(data)[2])
        arrays, _, out = self.imported(data, "--rescale", "fixed")
        self.assertNotIn(said, out)
        self.assertEqual(arrays["features.1.block.0.0.multiplier"][0].tolist(), [0, 0])


class Refusing(Case):
    def writer(self, **options):
        writer = IntegerWriter(**options)
        self.operations = integer_networks.network()
        writer.write(self.operations, integer_networks.SHAPE, small_network.images(), None)
        return writer

    def refused_with(self, name, said, scale=None, zero=None, output="logits", **options):
        """Where that tensor is quantised in another way."""
        writer = self.writer(**options)
        parameters = writer.tensors[writer.index[name]][4]
        if scale is not None:
            parameters[2] = vector("f32", scale)
        if zero is not None:
            parameters[3] = vector("i64", zero)
        self.refused(writer.finish(output), f"source: {name}: {said}")

    def test_scales_and_zero_points(self):
        for scale, text in ((-0.5, "-0.5"), (float("nan"), "nan"), (float("inf"), "inf")):
            for name, scales in (("image", [scale]), ("b2_expand", [scale]), ("b3_add", [scale]),
                                 ("b1_expand_w", [0.1] * 7 + [scale]), ("logits", [scale])):
                with self.subTest(name, scale=scale):
                    self.refused_with(name, f"its scale is {text}, not finite and 0 or more",
                                      scales)
        for name, zero in (("image", 128), ("b2_expand_hard_swish", -129), ("pool", 1 << 40)):
            self.refused_with(name, f"its zero point {zero} is no int8", zero=[zero])
        self.refused_with("b1_expand_w", "its zero point 300 is no uint8", zero=[300],
                          kind="uint8")
        self.refused_with("b3_project", "its scale is 0, by which numbers are divided", [0.0])
        self.refused_with("b3_project", "2 scales, expected one", [0.1, 0.1])

    def test_weights(self):
        self.refused_with("stem_w", "its zero point is 4, expected 0 of an int8 CONV_2D",
                          zero=[0] * 7 + [4])
        self.refused_with("hidden1_w", "its zero point is 1, expected 0 of an int8 FULLY_CONNECTED",
                          zero=[1] * 12)
        self.refused_with("stem_w", "3 scales for shape [8, 3, 3, 3]", [0.1] * 3, [0] * 3)
        writer = self.writer(scales={"b1_expand": lambda s: s * 1e5})
        data = writer.finish("logits")
        self.refused(data, "b1_expand_w: its sums are multiplied by", "which XNNPACK refuses")
        self.imported(data, "--rescale", "fixed")
        os.unlink(self.output)
        for name, kind, said in (("stem_b", "uint32", "stem_b: a bias of uint32, expected int32"),
                                 ("stem_w", "uint8", "stem_w: uint8 weights, int8 input and int8")):
            writer = self.writer()
            writer.tensors[writer.index[name]][1] = ("u8", {**KINDS, "uint32": 15}[kind])
            self.refused(writer.finish("logits"), said)

    def behind(self, name, add, *said, **options):
        """With operators behind a tensor, which all that follow read instead."""
        writer = IntegerWriter(**options)

        def put(op):
            IntegerWriter.put(writer, op)
            if op.name == name:
                writer.index[name] = add(writer)
        writer.put = put
        data = writer.write(integer_networks.network(), integer_networks.SHAPE,
                            small_network.images(), None)
        if said:
            self.refused(data, *said)
        return data

    def test_operations(self):
        def by_channel(w):
            w.ranges["each"] = -1, 1
            w.operator("mul", [w.index["b2_project"], w.numbers("by", numpy.linspace(1, 2, 16))],
                       "each", shape=w.shapes["b2_project"])
            return w.index["each"]
        self.behind("b2_project", by_channel,
                    "each: 16 numbers for the channels of a quantised plane")

        def unknown(w):
            w.ranges["tanh"] = -1, 1
            w.operator("log_softmax", [w.index["logits"]], "tanh")
            return w.index["tanh"]
        self.behind("logits", unknown, "tanh: LOG_SOFTMAX of integers, of which there is no exact")

        def in_floats(w):
            w.operator("dequantize", [w.index["b2_project"]], "real", quantised=False)
            w.operator("relu", [w.index["real"]], "positive", quantised=False)
            w.ranges["again"] = 0, 3
            w.operator("quantize", [w.index["positive"]], "again")
            return w.index["again"]
        self.behind("b2_project", in_floats, "positive: computes with floats between integers")

        def largest(w):
            w.ranges["most"] = -1, 1
            w.operator("maximum", [w.index["b2_project"], w.numbers("number", [0.5])], "most")
            return w.index["most"]
        self.behind("b2_project", largest, "most: a maximum or minimum of numbers that are quantised")

        def requantised(w):
            w.ranges["again"] = -9, 9
            w.operator("quantize", [w.index["b3_add"]], "again", shape=w.shapes["b3_add"])
            return w.index["again"]
        self.behind("b3_add", requantised, "b3_add, a sum: its bytes become others")

        def before_the_expansion_alone(w):
            w.ranges["again"] = -9, 9
            w.operator("quantize", [w.index["b2_project"]], "again", shape=w.shapes["b2_project"])
            w.residual = w.index["b2_project"]
            return w.index["again"]
        writer = IntegerWriter()

        def put(op):
            if op.name == "b3_add":
                writer.index["b2_project"] = writer.residual
            IntegerWriter.put(writer, op)
            if op.name == "b2_project":
                writer.index[op.name] = before_the_expansion_alone(writer)
        writer.put = put
        self.refused(writer.write(integer_networks.network(), integer_networks.SHAPE,
                                  small_network.images(), None),
                     "b2_project, a 1x1 convolution is read in several ways")

    def test_pools_and_ends(self):
        self.refused_with("maxpool", "is quantised otherwise than its input", [0.5])
        writer = self.writer(average_pool=True)
        writer.tensors[writer.index["pool"]][4][2] = vector("f32", [0.5])
        self.refused(writer.finish("logits"), "pool: an average pool whose output is quantised")
        for end in ("softmax", "logistic"):
            writer = IntegerWriter()
            writer.write(integer_networks.network(), integer_networks.SHAPE,
                         small_network.images(), end)
            writer.tensors[writer.index["probabilities"]][4][2] = vector("f32", [0.01])
            self.refused(writer.finish(), "probabilities: probabilities with scale 0.01 and zero")

        def inverted(w):
            w.ranges["less"] = -255, 0
            w.operator("mul", [0, w.numbers("by", [-1.0])], "less")
            w.quantised["image"] = w.quantisation("less")
            w.index["image"] = w.index["less"]
        self.refused(integer_networks.written(before=inverted, image=integer_networks.PIXELS["int8"]),
                     "pixels: a quantised image is inverted before it is convolved")

    def test_options(self):
        self.refused(Writer().write(integer_networks.network()[:-1], integer_networks.SHAPE,
                                    softmax=False),
                     "--rescale: it has floats, no integers", options=("--rescale", "fixed"))
        self.refused(integer_networks.CASES["int8"](), "--rescale: it has floats, no integers",
                     options=("--rescale", "float", "--dequantise"))

    def test_damaged_files(self):
        self.assert_survives(integer_networks.CASES["several"](), 200)


if __name__ == "__main__":
    unittest.main()
