#!/usr/bin/env python3
"""Importing quantised ONNX files with their integers, compared with what ONNX Runtime computed of
them (tests/golden/make_onnx_integers.py)."""
import json
import os
import unittest
import zlib

import numpy

from importer_case import HERE, Case

import integer_networks
import integers
import onnx_file
import small_network
from onnx_file import node
from onnx_integer_file import CASES, SHAPE, case

from importer import check, onnx_arithmetic
from importer.integers import Quantisation

with open(os.path.join(HERE, "..", "golden", "onnx-integers.json"), encoding="utf-8") as file:
    RECORDED = json.load(file)


def crc(x):
    return f"{zlib.crc32(numpy.ascontiguousarray(x).tobytes()):08x}"


class Arithmetic(unittest.TestCase):
    def test_sums_and_products_of_all_bytes(self):
        a, b = numpy.meshgrid(numpy.arange(256), numpy.arange(256), indexing="ij")
        for name, function in (("QLinearAdd", onnx_arithmetic.add),
                               ("QLinearMul", onnx_arithmetic.multiply)):
            for kind in ("uint8", "int8"):
                for entry in RECORDED["pairs"][f"{name} {kind}"]:
                    with self.subTest(name, kind=kind, scales=entry["scales"]):
                        quantised = [Quantisation(numpy.float32(scale), zero, kind)
                                     for scale, zero in zip(entry["scales"], entry["zeros"])]
                        result = function(a, b, *quantised)
                        self.assertEqual(crc(result.astype(numpy.uint8)), entry["crc"])

    def test_floats_of_all_bytes(self):
        functions = {"HardSwish": lambda x, entry: onnx_arithmetic.hard_swish(x),
                     "HardSigmoid": lambda x, entry: onnx_arithmetic.hard_sigmoid(
                         x, entry["alpha"], entry["beta"]),
                     "Sigmoid": lambda x, entry: onnx_arithmetic.sigmoid(x)}
        for entry in RECORDED["floats"]:
            for of in entry["of"]:
                with self.subTest(entry["operation"], scale=of["scale"]):
                    quantised = Quantisation(numpy.float32(of["scale"]), of["zero"], "uint8")
                    x = onnx_arithmetic.dequantise(numpy.arange(256), quantised)
                    result = functions[entry["operation"]](x, entry)
                    self.assertEqual((crc(result), result.dtype), (of["crc"], numpy.float32))


class Networks(Case):
    def check(self, name):
        """What was imported computes what ONNX Runtime did, in every layer; returns the logits."""
        network = integers.Network(self.output)
        for image, recorded in zip(case(name)[2], RECORDED["networks"][name]):
            planes = set(recorded["planes"].values())
            output = network.run(network.quantise(image))
            self.assertEqual(output.tobytes().hex(), recorded["output"])
            for layer, values in network.values.items():
                self.assertIn(crc(values), planes, layer)
        scale, zero, _ = network.layer("classifier.6").quantisation("output")
        outputs = [list(bytes.fromhex(recorded["output"]))
                   for recorded in RECORDED["networks"][name]]
        return scale * (numpy.array(outputs) - zero).astype(numpy.float32)

    def test_every_layer(self):
        for name in CASES:
            with self.subTest(name):
                _, data, images = case(name)
                _, metadata, out = self.imported(data)
                self.assertEqual((metadata["format"], metadata["rescaling"],
                                  metadata["arithmetic"]), ("mobilenet/2", "float", "onnx"))
                self.assertIn("mobilenet_v3_variant of ONNX (test, integers, float rescaling)", out)
                logits = self.check(name)
                if check.find_command():
                    numpy.testing.assert_array_equal(self.logits(images), logits)

    def test_between_dequantising_and_quantising(self):
        """The same file as of QLinear operations."""
        for name in CASES:
            with self.subTest(name):
                expected, metadata, _ = self.imported(case(name)[1])
                arrays, other, _ = self.imported(case(name, qdq=True)[1])
                self.assertEqual(other, metadata)
                self.assert_same(arrays, expected)
                self.check(name)

    def test_casts_to_the_type_that_numbers_have(self):
        """As torch exports what it has quantised."""
        for name in ("uint8", "int8", "averaged"):
            with self.subTest(name):
                expected, metadata, _ = self.imported(case(name)[1])
                kind = CASES[name][1].get("kind", "uint8")
                arrays, other, _ = self.imported(case(name, qdq=True, cast=kind)[1])
                self.assertEqual(other, metadata)
                self.assert_same(arrays, expected)
        self.refused(case("uint8", qdq=True, cast="int8")[1], "the image becomes int8")

    def test_probabilities_that_are_quantised(self):
        """The logits' integers stay; what is computed of them is not rounded again."""
        expected, metadata, _ = self.imported(case("uint8")[1])
        for qdq in (False, True):
            for kind in ("Softmax", "Sigmoid"):
                with self.subTest(kind, qdq=qdq):
                    writer, _, _ = case("uint8", qdq)
                    writer.nodes.pop()  # dequantises the logits
                    logits = writer.operands("logits")
                    writer.quantised_by("ends", 0, 1)
                    if qdq:
                        writer.through_floats(kind, ["logits"], "ends")
                    else:
                        writer.put(f"QLinear{kind}", [*logits, *writer.quantised_by("ends")],
                                   "ends_q", **({"axis": 1, "opset": 13} if kind == "Softmax"
                                                else {}))
                    writer.put("DequantizeLinear", writer.operands("ends"), "output")
                    arrays, other, out = self.imported(writer.model([1, 3, *SHAPE], opset=17))
                    self.assert_same(arrays, expected)
                    self.assertEqual(other["rescaling"], metadata["rescaling"])
                    self.assertEqual(other.get("probabilities", "softmax"), kind.lower())
                    self.assertIn("not rounded to 8 bits", out)

    def test_the_source_s_own_integers(self):
        for name, scales, zeros in (("uint8", 8, 0), ("int8", 1, 0), ("uint8 weights", 1, 1)):
            with self.subTest(name):
                writer, data, _ = case(name)
                arrays, _, _ = self.imported(data)
                weight, scale, bias = (arrays[f"features.0.0.{key}"] for key in
                                       ("weight", "weight_scale", "bias"))
                self.assertEqual((weight.dtype.name, weight.shape, scale.shape),
                                 (writer.weight_kind, (8, 3, 3, 3), (scales,)))
                zero = arrays.get("features.0.0.weight_zero_point", numpy.zeros(0, int))
                self.assertEqual(zero.size, zeros)
                stem = integer_networks.network("symmetric")[0]
                steps = numpy.broadcast_to(scale, 8).reshape(8, 1, 1, 1)
                floats = (weight - (float(zero[0]) if zeros else 0)) * steps
                self.assertLess(numpy.abs(floats - stem.weight).max(), scale.max() * 0.501)
                units = arrays["input_scale"] * scale
                self.assertLess(numpy.abs(bias * units - stem.bias).max(), units.max() * 0.501)

    def test_where_lookups_and_averaged_floats_are(self):
        arrays, _, _ = self.imported(case("averaged")[1])
        for layer in ("features.3.block.2.avgpool", "avgpool"):
            self.assertEqual(arrays[f"{layer}.values"].shape, (256,))
        self.assertIn("features.3.block.2.scale.lookup", arrays)
        self.assertNotIn("features.3.block.1.0.lookup", arrays)
        # What nothing rounds in floats: a ReLU's bytes are averaged.
        self.assertNotIn("features.1.block.2.avgpool.values", arrays)
        arrays, _, _ = self.imported(case("uint8")[1])
        self.assertIn("features.3.block.1.0.lookup", arrays)
        self.assertNotIn("features.3.block.2.scale.lookup", arrays)

    def test_weights_that_the_graph_quantises_itself(self):
        """As quantisation-aware training exports them."""
        expected, _, _ = self.imported(case("uint8")[1])
        writer, _, images = case("uint8", qdq=True)
        nodes, constants = [], []
        for op in integer_networks.network("symmetric"):
            if hasattr(op, "weight"):
                name = f"{op.name}_w"
                constants.append(onnx_file.tensor(f"{name}_float", op.weight.astype("float32")))
                nodes.append(node("QuantizeLinear", [f"{name}_float", f"{name}_scale",
                                                     f"{name}_zero"], name, axis=0))
        ours = {f"{op.name}_w".encode() for op in integer_networks.network("symmetric")}
        writer.tensors = [t for t in writer.tensors if not any(
            onnx_file.field(8, name) in t for name in ours)] + constants
        writer.nodes = nodes + writer.nodes
        arrays, _, _ = self.imported(writer.model([1, 3, *SHAPE], opset=17))
        self.assert_same(arrays, expected)
        self.assertEqual(len(images), 2)

    # ---- What is refused, and what becomes floats ----

    def changed(self, name, tensor=None, value=None, qdq=False, **options):
        """A case's file with another constant."""
        writer, _, _ = case(name, qdq)
        found = [i for i, t in enumerate(writer.tensors) if onnx_file.field(8, tensor) in t]
        self.assertEqual(len(found), 1)
        writer.tensors[found[0]] = onnx_file.tensor(tensor, value)
        return writer.model([1, 3, *SHAPE], opset=17, **options)

    def test_scales_that_are_none(self):
        for value in (numpy.nan, numpy.inf, -0.5):
            for tensor, shape in (("stem_scale", ()), ("head_w_scale", (24,))):
                with self.subTest(tensor, value=value):
                    data = self.changed("uint8", tensor, numpy.full(shape, value, numpy.float32))
                    self.refused(data, f"{tensor.replace('w_scale', 'w')}", "its scale is ",
                                 "not finite and 0 or more")
        self.refused(self.changed("uint8", "stem_scale", numpy.array(0, numpy.float32)),
                     "stem_scale: 0, by which numbers are divided")

    def test_scales_and_zero_points_of_other_numbers(self):
        def numbers(count, kind=numpy.float32):
            return numpy.ones(count, kind)
        for tensor, value, said in (
                ("stem_w_zero", numbers(3, numpy.int8), "stem_q/QLinearConv: 3 scales or zero poi"),
                ("stem_w_scale", numbers(3), "3 scales or zero points for shape [8, 3, 3, 3]"),
                ("stem_w", numpy.ones((), numpy.int8), "8 scales or zero points for shape []"),
                ("image_scale", numbers(2), "stem_q/QLinearConv: 2 and 8 scales for a bias of 8"),
                ("stem_b", numbers(3, numpy.int32), "1 and 8 scales for a bias of 3")):
            with self.subTest(tensor):
                self.refused(self.changed("uint8", tensor, value), said)

    def test_a_weight_scale_of_zero(self):
        """Legal: its outputs are the zero point."""
        scales = numpy.full(24, 0.01, numpy.float32)
        scales[3] = 0
        arrays, _, _ = self.imported(self.changed("uint8", "head_w_scale", scales))
        self.assertEqual(arrays["features.4.0.multiplier"][3], 0)
        self.assertGreater(arrays["features.4.0.multiplier"][4], 0)

    def test_a_bias_that_32_bits_do_not_hold(self):
        bias = numpy.full(8, 1e9, numpy.float32)
        writer, _, _ = case("uint8", qdq=True)
        writer.tensors.append(onnx_file.tensor("large", bias))
        writer.nodes = [n.replace(onnx_file.field(1, "stem_bf"), onnx_file.field(1, "large"))
                        for n in writer.nodes]
        self.refused(writer.model([1, 3, *SHAPE], opset=17), "large: beyond 32 bits")

    def test_fixed_point(self):
        self.refused(case("uint8")[1], "--rescale fixed", "ONNX Runtime rescales in floats",
                     options=("--rescale", "fixed"))

    def test_as_floats(self):
        """Each the number that the file's integer stands for."""
        integers_of, _, _ = self.imported(case("uint8")[1])
        arrays, metadata, _ = self.imported(case("uint8")[1], "--dequantise")
        self.assertEqual((metadata["format"], "rescaling" in metadata), ("mobilenet/1", False))
        for layer in ("features.0.0", "features.1.block.2.fc1", "classifier.3"):
            weight, scale = (integers_of[f"{layer}.{key}"] for key in ("weight", "weight_scale"))
            floats = weight * scale.reshape((-1,) + (1,) * (weight.ndim - 1)).astype(float)
            numpy.testing.assert_array_equal(arrays[f"{layer}.weight"], floats.astype("float32"))

    def test_what_is_not_in_integers_throughout_becomes_floats(self):
        images = small_network.images(*SHAPE)
        expected = small_network.evaluate_all(integer_networks.network("symmetric"), images)
        several = self.changed("uint8", "b2_expand_scale", numpy.array([0.05, 0.05], numpy.float32))
        other = self.changed("uint8", "hidden1_hard_swish_zero", numpy.array(31, numpy.uint16))
        writer, _, _ = case("uint8", qdq=True)
        last = writer.nodes[-2]  # quantises the logits
        self.assertIn(b"QuantizeLinear", last)
        writer.nodes[-2:] = []
        unrounded = writer.model([1, 3, *SHAPE], "logits_y", opset=17)
        for data, reason in ((several, "b2_expand_scale has 2 elements"),
                             (other, "numbers of uint16"), (unrounded, "logits")):
            with self.subTest(reason):
                arrays, metadata, out = self.imported(data)
                self.assertRegex(out, f"quantised, here as floats: .*{reason}")
                self.assertNotIn("rescaling", metadata)
                self.assertEqual({array.dtype.name for array in arrays.values()}, {"float32"})
                if check.find_command() and data is unrounded:
                    worst = numpy.abs(self.logits(images) - expected).max()
                    self.assertLess(worst, 0.1 * numpy.ptp(expected))


if __name__ == "__main__":
    unittest.main()
