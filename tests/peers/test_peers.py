"""The parts of bench/peers that compute something: the models of other runtimes, and the figures in
a report.  Runs in build/peers/venv where bench/peers/compare has made that; what a runtime that is
not installed would have to show is skipped."""

import contextlib
import io
import json
import os
import pathlib
import struct
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "bench" / "peers")]

import environment

if environment.PYTHON.exists() and not environment.is_active():
    os.execv(environment.PYTHON, [environment.PYTHON, *sys.argv])

import numpy

import agreement
import machine
import models
import ncnn_model
import network
import process
import report
import rounds
import runtimes
from tiny_network import Tiny

TOLERANCE = 1e-5
SOURCES = ("torchvision", "keras")


def load(name):
    try:
        return runtimes.load(name)
    except ImportError as error:
        raise unittest.SkipTest(f"{name}: {error}") from None


class Models(unittest.TestCase):
    """Every runtime computes what plain loops compute."""

    def check(self, name):
        runtime = load(name)
        for source in SOURCES:
            with self.subTest(source), tempfile.TemporaryDirectory() as folder:
                tiny = Tiny(source)
                layers = network.from_description(tiny.description, tiny.tensors)
                runtime.write(layers, pathlib.Path(folder))
                for threads in (1, 2):
                    session = runtime.Session(pathlib.Path(folder), tiny.image, threads)
                    session.run()
                    self.assertLess(agreement.difference(tiny.logits(), session.output()),
                                    TOLERANCE)

    def test_onnxruntime(self):
        self.check("onnxruntime")

    def test_openvino(self):
        self.check("openvino")

    def test_litert(self):
        self.check("litert")

    def test_ncnn(self):
        self.check("ncnn")


class Streams(unittest.TestCase):
    """Streams give the same logits and count what they run."""

    def check(self, name):
        runtime = load(name)
        with tempfile.TemporaryDirectory() as text:
            folder = pathlib.Path(text)
            tiny = Tiny("torchvision")
            runtime.write(network.from_description(tiny.description, tiny.tensors), folder)
            streams = runtime.open_streams(folder, tiny.image, 2)
            self.assertGreaterEqual(streams.run(0.05), 2)
            self.assertLess(agreement.difference(tiny.logits(), streams.output()), TOLERANCE)

    def test_onnxruntime(self):
        self.check("onnxruntime")

    def test_openvino(self):
        self.check("openvino")

    def test_litert(self):
        self.check("litert")

    def test_ncnn(self):
        self.check("ncnn")


class Folding(unittest.TestCase):
    def test_folded_weights_compute_the_same(self):
        for source in SOURCES:
            with self.subTest(source):
                tiny = Tiny(source)
                folded = network.from_description(tiny.description, tiny.tensors)
                parameters = [{"weight": layer.weight, "bias": layer.bias}
                              for layer in folded.layers]
                self.assertLess(agreement.difference(tiny.logits(), tiny.logits(parameters)),
                                TOLERANCE)


class NcnnFiles(unittest.TestCase):
    """What ncnn asks of its files; without ncnn."""

    def setUp(self):
        tiny = Tiny("torchvision")
        self.network = network.from_description(tiny.description, tiny.tensors)
        with tempfile.TemporaryDirectory() as text:
            folder = pathlib.Path(text)
            ncnn_model.write(self.network, folder / "param", folder / "bin")
            self.lines = (folder / "param").read_text().splitlines()
            self.size = (folder / "bin").stat().st_size

    def test_every_blob_is_written_then_read_once(self):
        unread = []
        blobs = 0
        for line in self.lines[2:]:
            _, _, inputs, outputs, *rest = line.split()
            names = rest[:int(inputs) + int(outputs)]
            for name in names[:int(inputs)]:
                self.assertIn(name, unread, line)
                unread.remove(name)
            unread += names[int(inputs):]
            blobs += int(outputs)
        self.assertEqual(unread, ["logits"])
        self.assertEqual(self.lines[:2], ["7767517", f"{len(self.lines) - 2} {blobs}"])

    def test_weights_have_a_tag_and_biases_none(self):
        weighted = [layer for layer in self.network.layers if layer.weight is not None]
        floats = sum(layer.weight.size + layer.bias.size for layer in weighted)
        self.assertEqual(self.size, 4 * (floats + len(weighted)))


class Safetensors(unittest.TestCase):
    def test_types(self):
        # 1.5 and -2 in each type.
        parts = {"a": ("F32", struct.pack("<2f", 1.5, -2)), "b": ("F16", b"\x00\x3e\x00\xc0"),
                 "c": ("BF16", b"\xc0\x3f\x00\xc0")}
        header, data = {"__metadata__": {"format": "mobilenet/1"}}, b""
        for name, (kind, part) in parts.items():
            header[name] = {"dtype": kind, "shape": [2, 1],
                            "data_offsets": [len(data), len(data) + len(part)]}
            data += part
        text = json.dumps(header).encode()
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack("<Q", len(text)) + text + data)
            file.flush()
            tensors = network.read_safetensors(file.name)
        self.assertEqual(list(tensors), ["a", "b", "c"])
        for tensor in tensors.values():
            numpy.testing.assert_array_equal(tensor, [[1.5], [-2]])


class FakeWorker:
    def __init__(self, runtime):
        self.runtime, self.closed = runtime, False
        self.version, self.difference = "1", 0.0

    def close(self):
        self.closed = True


class Rounds(unittest.TestCase):
    def run_with_a_failure_of(self, failing):
        workers = [FakeWorker(name) for name in ("mobilenet", "a", "b")]
        order = []

        def take(worker):
            order.append(worker.runtime)
            if worker.runtime == failing and len(order) > 3:
                raise process.WorkerFailed("for the test")
            return len(order), 0.125

        self.addCleanup(setattr, machine, "LOCK", machine.LOCK)
        machine.LOCK = os.devnull
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                return rounds.run(workers, 3, take), order
        finally:
            self.assertTrue(all(worker.closed for worker in workers))

    def test_everyone_has_a_turn_in_each(self):
        results, order = self.run_with_a_failure_of(None)
        self.assertEqual(order, ["mobilenet", "a", "b", "a", "b", "mobilenet",
                                 "b", "mobilenet", "a"])
        self.assertEqual({name: result["rounds"] for name, result in results.items()},
                         {"mobilenet": [1, 6, 8], "a": [2, 4, 9], "b": [3, 5, 7]})

    def test_who_fails_is_left_out(self):
        results, _ = self.run_with_a_failure_of("a")
        self.assertEqual(list(results), ["mobilenet", "b"])
        self.assertTrue(all(len(result["rounds"]) == 3 for result in results.values()))

    def test_nothing_goes_on_without_this_library(self):
        with self.assertRaises(process.WorkerFailed):
            self.run_with_a_failure_of("mobilenet")


class Figures(unittest.TestCase):
    RESULTS = {
        "dtype": "f32", "isa": "avx2", "restricted": False, "rounds": 3, "machine": {"CPU": "a CPU"},
        "latency": [
            {"model": "net", "threads": threads, "peak_gflops": 100, "floor_ms": 2 / threads,
             "handover_ns": [] if threads == 1 else [301, 99],
             "runtimes": {
                 "mobilenet": {"median": ours, "spread": 0.1, "disturbed": 0, "difference": 0,
                               "version": "1"},
                 "slow": {"median": 9, "spread": 0, "disturbed": 0, "difference": 2e-6,
                          "version": "2"},
                 "fast": {"median": 6, "spread": 0, "disturbed": 0, "difference": 1e-6,
                          "version": "3"}}}
            for threads, ours in ((1, 3.0), (2, 2.0))],
        "throughput": [{"model": "net", "cpus": 2, "runtimes": {
            name: {"median": median, "spread": 0, "disturbed": 0.5}
            for name, median in (("mobilenet", 300), ("slow", 100), ("fast", 200))}}],
        "busy": [{"model": "net", "cpus": 2, "runs": 300, "runtimes": {
            "mobilenet": {str(threads): {"mean_ms": mean, "p90_ms": 9, "slowest_ms": slowest}
                          for threads, mean, slowest in ((1, 12, 20), (2, 8, 30))},
            "slow": {"2": {"mean_ms": 9, "p90_ms": 10, "slowest_ms": 11}}}}],
        "cold": [],
    }

    def setUp(self):
        title, report.process.title = report.process.title, str
        self.addCleanup(setattr, report.process, "title", title)

    def test_report(self):
        text = report.markdown(self.RESULTS, [])
        # To the floor; ahead of the fastest; two threads over one; throughput over the best.
        for line in ("| `net` | 2.00 | 3.00 (1.50x) | 9.00 (4.50x) | 6.00 (3.00x) | 2.00x |",
                     "| `net` | 1.00 | 2.00 (2.00x) | 9.00 (9.00x) | 6.00 (6.00x) | 3.00x | 1.50x |",
                     "| `net` | 300 | 100 | 200 | 1.50x |",
                     "rounds is 10 %, the largest share of its CPUs that others took 0 %.",
                     "rounds is 0 %, the largest share of its CPUs that others took 50 %.",
                     "A cache line took 99 to 301 ns",
                     "| `net` | mobilenet | 1 | 12.0 | 9.0 | 20.0 | - |",
                     "| `net` | mobilenet | 2 | 8.0 | 9.0 | 30.0 | 0.67 / 1.00 / 1.50 |",
                     "| `net` | slow | 2 | 9.0 | 10.0 | 11.0 | - |",
                     "| `net` | 1 | 2.0e-06 | 1.0e-06 |"):
            self.assertIn(line, text)
        self.assertEqual(text.count("A cache line"), 1)

    def test_report_of_a_restricted_library(self):
        text = report.markdown(self.RESULTS | {"restricted": True}, [])
        for line in ("| `net` | 2.00 | 3.00 (1.50x) | 9.00 (4.50x) | 6.00 (3.00x) |",
                     "| `net` | 1.00 | 2.00 (2.00x) | 9.00 (9.00x) | 6.00 (6.00x) | 1.50x |",
                     "| `net` | 300 | 100 | 200 |",
                     "avx2 (this library); restricted to it, while"):
            self.assertIn(line + ("\n" if line.endswith("|") else ""), text)
        self.assertNotIn("ahead", text)

    def test_rounds(self):
        self.assertEqual([rounds.rotated([1, 2, 3], by) for by in (0, 1, 5)],
                         [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
        self.assertEqual(rounds.summary([(4, 0.0), (2, 0.5), (3, 0.25)]),
                         {"median": 3, "spread": 2 / 3, "rounds": [4, 2, 3], "disturbed": 0.5})

    def test_difference(self):
        ours = numpy.array([0, 2, 4], numpy.float32)
        self.assertEqual(agreement.difference(ours, ours + numpy.float32(1)), 0.25)
        self.assertEqual(agreement.difference(ours, ours[:2]), float("inf"))
        self.assertEqual(agreement.difference(ours, ours * numpy.float32("nan")), float("inf"))

    def test_list_of_models(self):
        self.assertEqual(models.parse("mobilenet_v1,mobilenet_v3_small"),
                         [("mobilenet_v1", None), ("mobilenet_v3_small", None)])
        with self.assertRaisesRegex(ValueError, "'mobilenet_v9'"):
            models.parse("mobilenet_v9")


if __name__ == "__main__":
    unittest.main()
