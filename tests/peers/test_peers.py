"""The parts of bench/peers that compute something: the models of other runtimes, and the figures in
a report.  Runs in build/peers/venv where bench/peers/compare has made that; what a runtime that is
not installed would have to show is skipped."""

import contextlib
import copy
import io
import itertools
import json
import os
import pathlib
import struct
import sys
import tempfile
import types
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


def tolerance(session):
    return TOLERANCE if session.dtype == "f32" else agreement.TOLERANCE[session.dtype]


class Models(unittest.TestCase):
    """Every runtime computes what plain loops compute; in bfloat16 nearly, if it has that."""

    def check(self, name):
        runtime = load(name)
        for source, dtype in itertools.product(SOURCES, ("f32", "bf16")):
            with self.subTest(source, dtype=dtype), tempfile.TemporaryDirectory() as folder:
                tiny = Tiny(source)
                layers = network.from_description(tiny.description, tiny.tensors)
                runtime.write(layers, pathlib.Path(folder))
                for threads in (1, 2):
                    session = runtime.Session(pathlib.Path(folder), tiny.image, threads, dtype)
                    session.run()
                    if dtype == "f32":
                        self.assertEqual(session.dtype, "f32")
                    difference = agreement.difference(tiny.logits(), session.output())
                    self.assertLess(difference, tolerance(session))
                    # What says that it computes in bfloat16 does.
                    if session.dtype == "bf16":
                        self.assertGreater(difference, 10 * TOLERANCE)

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
            for dtype in ("f32", "bf16"):
                with self.subTest(dtype):
                    streams = runtime.open_streams(folder, tiny.image, 2, dtype)
                    self.assertGreaterEqual(streams.run(0.05), 2)
                    self.assertEqual(streams.dtype,
                                     runtime.Session(folder, tiny.image, 1, dtype).dtype)
                    self.assertLess(agreement.difference(tiny.logits(), streams.output()),
                                    tolerance(streams))

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
        self.version, self.dtype, self.difference = "1", "f32", 0.0

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


class Start(unittest.TestCase):
    """Workers are held to this library's float32, each as its type allows."""

    def start(self, dtype, off):
        """off: {runtime: (dtype, how far its last logit is off)}."""
        with tempfile.TemporaryDirectory() as text:
            model = types.SimpleNamespace(
                name="net", runtimes=list(off), dtype=dtype,
                output=lambda runtime, mode: pathlib.Path(text) / runtime)

            class Worker(FakeWorker):
                def __init__(self, runtime, mode, of, arguments, cpus):
                    super().__init__(runtime)
                    workers.append(self)
                    logits = numpy.arange(11, dtype=numpy.float32)
                    logits[-1] += off[runtime][1]
                    logits.tofile(arguments[0])

                def answer(self):
                    return {"version": "1", "dtype": off[self.runtime][0]}

            workers = []
            saved = process.Worker, process.title
            process.Worker, process.title = Worker, lambda runtime, dtype: f"{runtime} {dtype}"
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    return rounds.start("latency", model, 1)
            except rounds.Disagreement:
                self.assertTrue(all(worker.closed for worker in workers))
                raise
            finally:
                process.Worker, process.title = saved

    def test_bfloat16(self):
        off = {"mobilenet": ("bf16", 0.1), "mobilenet_f32": ("f32", 0), "b": ("bf16", -0.2),
               "f": ("f32", 1e-3)}
        workers = self.start("bf16", off)
        self.assertEqual([worker.dtype for worker in workers], ["bf16", "f32", "bf16", "f32"])
        for worker, difference in zip(workers, (0.01, 0, 0.02, 1e-4)):
            self.assertAlmostEqual(worker.difference, difference, delta=1e-6)
        with self.assertRaisesRegex(rounds.Disagreement, "^net: f f32 differs by 1.0e-02"):
            self.start("bf16", off | {"f": ("f32", 0.1)})
        with self.assertRaisesRegex(rounds.Disagreement, "mobilenet bf16.*, b bf16.*than 0.03"):
            self.start("bf16", off | {"mobilenet": ("bf16", 0.4), "b": ("bf16", float("nan"))})

    def test_float32(self):
        off = {"mobilenet": ("f32", 0.1), "f": ("f32", 0.101)}
        self.assertAlmostEqual(self.start("f32", off)[1].difference, 1e-4, delta=2e-6)
        with self.assertRaises(rounds.Disagreement):
            self.start("f32", off | {"f": ("f32", 0.2)})


class Figures(unittest.TestCase):
    RESULTS = {
        "dtype": "f32", "isa": "avx2", "restricted": False, "rounds": 3, "machine": {"CPU": "a CPU"},
        "latency": [
            {"model": "net", "threads": threads, "peak_gflops": 100, "floor_ms": 2 / threads,
             "handover_ns": [] if threads == 1 else [301, 99],
             "runtimes": {
                 "mobilenet": {"median": ours, "spread": 0.1, "disturbed": 0, "difference": 0,
                               "version": "1", "dtype": "f32"},
                 "slow": {"median": 9, "spread": 0, "disturbed": 0, "difference": 2e-6,
                          "version": "2", "dtype": "f32"},
                 "fast": {"median": 6, "spread": 0, "disturbed": 0, "difference": 1e-6,
                          "version": "3", "dtype": "f32"}}}
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
        load = runtimes.load
        self.addCleanup(setattr, runtimes, "load", load)
        runtimes.load = lambda name: types.SimpleNamespace(NAME=name)

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

    def test_report_in_bfloat16(self):
        results = copy.deepcopy(self.RESULTS) | {"dtype": "bf16"}
        for part, floats in (("latency", 5.4), ("throughput", 150)):
            for row in results[part]:
                for name in ("mobilenet", "fast"):
                    row["runtimes"][name]["dtype"] = "bf16"
                row["runtimes"] = {
                    "mobilenet": row["runtimes"].pop("mobilenet"),
                    "mobilenet_f32": row["runtimes"]["slow"] | {"median": floats, "dtype": "f32"},
                    **row["runtimes"]}
        text = report.markdown(results, [])
        # This library's float32 is nobody to be ahead of.
        for line in ("# MobileNet on this library and on other runtimes, bfloat16",
                     "| network | floor | mobilenet | mobilenet, float32 | slow, float32 | fast | "
                     "ahead of the fastest by | faster than float32 |",
                     "| `net` | 2.00 | 3.00 (1.50x) | 5.40 (2.70x) | 9.00 (4.50x) | 6.00 (3.00x) | "
                     "2.00x | 1.80x |",
                     "| 6.00 (6.00x) | 3.00x | 2.70x | 1.50x |",
                     "| `net` | 300 | 150 | 100 | 200 | 1.50x | 2.00x |",
                     "| network | threads | mobilenet | slow, float32 | fast |",
                     "| `net` | 1 | 0.0e+00 | 2.0e-06 | 1.0e-06 |",
                     "| Versions | mobilenet 1, slow 2, fast 3 |"):
            self.assertIn(line, text)
        self.assertNotIn("float32", report.markdown(self.RESULTS, []).replace(
            "# MobileNet on this library and on other runtimes, float32", "").replace(
            "this library's in float32", ""))

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
        self.assertEqual(models.parse("mobilenet_v2_0.35_96,mobilenet_v1_1_128"),
                         [("mobilenet_v2_0.35_96", None), ("mobilenet_v1_1_128", None)])
        for wrong in ("mobilenet_v9", "mobilenet_v2_0.35", "mobilenet_v2_96_x"):
            with self.assertRaisesRegex(ValueError, f"'{wrong}'"):
                models.parse(wrong)


if __name__ == "__main__":
    unittest.main()
