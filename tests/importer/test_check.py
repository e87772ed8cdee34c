#!/usr/bin/env python3
"""What the importer does with what it has imported: it runs it, and compares."""
import math
import os
import re
import stat
import time
import unittest
from unittest import mock

import numpy

from importer_case import Case

import onnx_file
import small_network
from importer import check, imported, sources
from onnx_file import Writer

PLAIN = small_network.variant()
SHAPE = [1, 3, 48, 64]


class Checking(Case):
    def setUp(self):
        super().setUp()
        self.source = self.file("model.onnx", Writer().write(PLAIN, SHAPE))

    def run_checked(self, reference):
        """The importer with its check, and that as the source's runtime."""
        with mock.patch.object(sources.onnx, "reference", lambda *_: reference):
            return self.run_importer(self.source, check_it=True)

    def need_command(self):
        if check.find_command() is None:
            self.skipTest("there is no mobilenet command: build it, or set MOBILENET_COMMAND")

    def test_a_runtime_that_agrees(self):
        self.need_command()
        reference = check.Reference("numpy", lambda images: small_network.evaluate_all(PLAIN,
                                                                                       images))
        status, out, err = self.run_checked(reference)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"checked: the library runs it on a seeded input, logits from -?\d")
        self.assertRegex(out, r"compared with numpy: largest difference \d[.\de-]+, "
                              r"\d[.\d]*e-0[67] of the output's range")

    def test_a_runtime_that_disagrees(self):
        self.need_command()
        reference = check.Reference(
            "numpy", lambda images: 1.01 * small_network.evaluate_all(PLAIN, images))
        status, _, err = self.run_checked(reference)
        self.assertEqual(status, 1)
        self.assertIn("the check failed: numpy and the imported model differ by", err)
        self.assertFalse(os.path.exists(self.output))

    def test_a_quantised_source(self):
        """Rounds to 8 bits, which is said; more is no rounding."""
        self.need_command()
        writer = Writer()
        writer.write(PLAIN, [1, 3, 48, 64])
        numbers = [writer.scalar("scale", 0.05),
                   writer.constant("zero", numpy.array(128, numpy.uint8))]
        nodes = [*writer.nodes, onnx_file.node("QuantizeLinear", ["logits", *numbers], "q"),
                 onnx_file.node("DequantizeLinear", ["q", *numbers], "y")]
        self.source = self.file("model.onnx", onnx_file.model(
            nodes, writer.tensors, [1, 3, 48, 64], "y"))
        for factor, status in ((1.05, 0), (3, 1)):
            reference = check.Reference(
                "numpy", lambda images: factor * small_network.evaluate_all(PLAIN, images))
            got, out, err = self.run_checked(reference)
            self.assertEqual(got, status, err)
            self.assertIn("compared with numpy: " if status == 0 else "the check failed: ", out + err)

    def test_probabilities_that_are_all_alike(self):
        """An untrained network's: rounded, they say nothing of the logits; but they are compared."""
        self.need_command()
        flat = [op._replace(weight=op.weight * 1e-9, bias=op.bias * 1e-9)
                if op.name == "logits" else op for op in PLAIN]
        self.source = self.file("model.onnx", Writer().write(flat, SHAPE, softmax=True))
        probabilities = numpy.full((2, 5), 0.2, numpy.float32)
        status, out, _ = self.run_checked(check.Reference("numpy", lambda images: probabilities))
        self.assertEqual(status, 0)
        self.assertIn("no more than a softmax's rounding: its classes are all alike", out)
        probabilities = numpy.array([[0.2, 0.2, 0.2, 0.19999, 0.20001]] * 2, numpy.float32)
        status, _, err = self.run_checked(check.Reference("numpy", lambda images: probabilities))
        self.assertEqual(status, 1)
        self.assertIn("the check failed: numpy and the imported model differ by", err)

    def test_what_a_runtime_throws(self):
        """The model is written all the same, and what was thrown is said."""
        self.need_command()

        def raises(error):
            def run(_):
                raise error
            return check.Reference("numpy", run)
        for reference, why in (
                (raises(RuntimeError("bad batch\nand more")), "RuntimeError: bad batch"),
                (raises(SystemExit(3)), "SystemExit: 3"), (raises(KeyError()), "KeyError"),
                (check.Reference("numpy", lambda _: os.abort()), "crashed (signal 6)"),
                (check.Reference("numpy", lambda _: os._exit(0)), "ended the process"),
                (check.Reference("numpy", lambda _: numpy.full((2, 5), math.nan)),
                 "numpy computes values that are not finite"),
                (check.Reference("numpy", lambda _: numpy.zeros((2, 7))),
                 "numpy computes [2, 7], the library [2, 5]"),
                (check.Reference("numpy", lambda _: "text"), "ValueError")):
            with self.subTest(why):
                status, out, err = self.run_checked(reference)
                self.assertEqual((status, err), (0, ""))
                self.assertRegex(out, r"(?m)^not compared: .*" + re.escape(why))
                self.assertNotIn("and more", out)
                self.assertTrue(os.path.exists(self.output))
        with mock.patch.object(sources.onnx, "reference", side_effect=ImportError("libx.so")):
            status, out, _ = self.run_importer(self.source, check_it=True)
        self.assertEqual(status, 0)
        self.assertIn("not compared: ImportError: libx.so", out)

    def test_a_runtime_that_does_not_end(self):
        self.need_command()
        with mock.patch.object(check, "_SECONDS", 0.2):
            status, out, _ = self.run_checked(check.Reference("numpy", lambda _: time.sleep(60)))
        self.assertEqual(status, 0)
        self.assertIn("not compared: it did not end in 0.2 seconds", out)

    def test_no_runtime_and_no_command(self):
        self.need_command()
        _, out, _ = self.run_checked("there is none")
        self.assertIn("not compared: there is none", out)
        with mock.patch.object(check, "find_command", lambda: None):
            status, out, _ = self.run_checked("there is none")
        self.assertEqual(status, 0)
        self.assertIn("not checked: there is no mobilenet command", out)

    def test_a_library_that_fails(self):
        command = self.file("mobilenet", "#!/bin/sh\necho 'x: no such network' >&2\nexit 1\n")
        os.chmod(command, os.stat(command).st_mode | stat.S_IXUSR)
        with mock.patch.dict(os.environ, {"MOBILENET_COMMAND": command}):
            status, _, err = self.run_checked("there is none")
        self.assertEqual(status, 1)
        self.assertIn("the check failed: x: no such network", err)
        self.assertFalse(os.path.exists(self.output))


class Differences(unittest.TestCase):
    def test_logits_that_the_source_hides_behind_an_activation(self):
        logits = numpy.array([[1.0, -2.0, 4.0], [0.0, 3.0, -5.0]])
        exponents = numpy.exp(logits)
        softmax = exponents / exponents.sum(1, keepdims=True)
        worst, span = check.difference("softmax", True, logits, softmax)
        self.assertLess(worst, 1e-12)
        self.assertAlmostEqual(span, numpy.ptp(numpy.log(softmax)))
        shifted = logits + [[0.5], [0.25]]  # a softmax does not show it
        self.assertLess(check.difference("softmax", True, shifted, softmax)[0], 1e-12)
        worst, _ = check.difference("log_softmax", True, shifted, numpy.log(softmax))
        self.assertLess(worst, 1e-12)
        worst, _ = check.difference("sigmoid", True, logits, 1 / (1 + numpy.exp(-logits)))
        self.assertLess(worst, 1e-12)
        worst, span = check.difference(None, True, logits + 0.1, logits)
        self.assertAlmostEqual(worst, 0.1)
        self.assertEqual(span, 9)

    def test_preprocessing(self):
        """value * scale + shift on pixels from 0 to 255, or from 0 to 1."""
        for scale, shift, mean, std in ((1 / 127.5, -1, 0.5, 0.5), (1 / 255, 0, 0, 1),
                                        (1 / 0.229, -0.485 / 0.229, 0.485, 0.229),
                                        (1.0, -127.5, 0.5, 1 / 255)):
            got = imported.preprocessing_of((scale,) * 3, (shift,) * 3)
            numpy.testing.assert_allclose(got, [[mean] * 3, [std] * 3], atol=1e-12)


if __name__ == "__main__":
    unittest.main()
