"""The parts of bench/peers that compute something: the models of other runtimes, and the figures in
a report.  Runs in build/peers/venv where bench/peers/compare has made that; what a runtime that is
not installed would have to show is skipped."""

import contextlib
import copy
import io
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

# Of the tiny network; in bfloat16 as compare has it.
TOLERANCE = {"f32": 1e-5, "int8": 3e-2} | {dtype: agreement.TOLERANCE[dtype] for dtype in ("bf16", "f16")}
SOURCES = ("torchvision", "keras")


def load(name):
    try:
        return runtimes.load(name)
    except ImportError as error:
        raise unittest.SkipTest(f"{name}: {error}") from None


def folded(tiny):
    return network.from_description(tiny.description, tiny.tensors)


def integers_of(tiny, layers):
    """Calibrated with its image and a few others."""
    try:
        import quantization
    except ImportError as error:
        raise unittest.SkipTest(f"integers: {error}") from None
    others = numpy.random.default_rng(1).uniform(-1, 1, (7, *tiny.image.shape)).astype(numpy.float32)
    return quantization.calibrated(layers, numpy.concatenate([tiny.image[None], others]))


class Models(unittest.TestCase):
    """Every runtime computes what plain loops compute; in bfloat16 and of integers nearly, if it has
    that."""

    def check(self, name, dtypes=("f32", "bf16", "int8")):
        runtime = load(name)
        for source in SOURCES:
            tiny = Tiny(source)
            layers = folded(tiny)
            for dtype in dtypes:
                integers = integers_of(tiny, layers) if dtype == "int8" else None
                with self.subTest(source, dtype=dtype), tempfile.TemporaryDirectory() as folder:
                    runtime.write(layers, pathlib.Path(folder), integers)
                    for threads in (1, 2):
                        session = runtime.Session(pathlib.Path(folder), tiny.image, threads, dtype)
                        session.run()
                        if dtype == "f32":
                            self.assertEqual(session.dtype, "f32")
                        difference = agreement.difference(tiny.logits(), session.output())
                        self.assertLess(difference, TOLERANCE[session.dtype])
                        # What says that it computes in less than float32 does.
                        if session.dtype != "f32":
                            self.assertGreater(difference, 10 * TOLERANCE["f32"])

    def test_onnxruntime(self):
        self.check("onnxruntime")

    def test_openvino(self):
        self.check("openvino")
        # What it is asked for is not what it says.
        openvino, tiny = load("openvino"), Tiny("keras")
        with tempfile.TemporaryDirectory() as folder:
            openvino.write(folded(tiny), pathlib.Path(folder))
            session = openvino.Session(pathlib.Path(folder), tiny.image, 1, "int8")
        self.assertNotEqual(session.dtype, "int8")

    def test_litert(self):
        self.check("litert")

    def test_ncnn(self):
        self.check("ncnn")

    def test_nncf(self):
        self.check("nncf", ("int8",))
        with self.assertRaises(NotImplementedError):
            load("nncf").write(folded(Tiny("keras")), None)


class Streams(unittest.TestCase):
    """Streams give the same logits and count what they run."""

    def check(self, name, dtypes=("f32", "bf16", "int8")):
        runtime = load(name)
        tiny = Tiny("torchvision")
        layers = folded(tiny)
        with tempfile.TemporaryDirectory() as text:
            folder = pathlib.Path(text)
            for dtype in dtypes:
                runtime.write(layers, folder, integers_of(tiny, layers) if dtype == "int8" else None)
                with self.subTest(dtype):
                    streams = runtime.open_streams(folder, tiny.image, 2, dtype)
                    self.assertGreaterEqual(streams.run(0.05), 2)
                    self.assertEqual(streams.dtype,
                                     runtime.Session(folder, tiny.image, 1, dtype).dtype)
                    self.assertLess(agreement.difference(tiny.logits(), streams.output()),
                                    TOLERANCE[streams.dtype])

    def test_onnxruntime(self):
        self.check("onnxruntime")

    def test_openvino(self):
        self.check("openvino")

    def test_litert(self):
        self.check("litert")

    def test_ncnn(self):
        self.check("ncnn")

    def test_nncf(self):
        self.check("nncf", ("int8",))


class Integers(unittest.TestCase):
    """A quantised network is the same in every format."""

    def setUp(self):
        self.tiny = Tiny("torchvision")
        self.layers = folded(self.tiny)
        self.integers = integers_of(self.tiny, self.layers)

    def test_values_lie_on_their_steps(self):
        from quantization import Affine
        for low, high, inside in ((-1, 3, (-1, 0, 2.5, 3)), (0.5, 6, (0, 1, 6)), (-4, -1, (-4, -2, 0)),
                                  (0, 0, (0,))):
            affine = Affine.covering(low, high)
            for value in inside:
                back = float(affine.scale) * (int(affine.quantized(value)) - affine.zero_point)
                self.assertLessEqual(abs(back - value), 0.51 * affine.scale, (low, high, value))
            self.assertEqual(affine.quantized(0), affine.zero_point)
            self.assertEqual([affine.quantized(1e9), affine.quantized(-1e9)], [127, -128])
        self.assertEqual(Affine.covering(0, 6), Affine(numpy.float32(6 / 255), -128))

    def test_weights_are_within_half_a_step(self):
        for layer in self.layers.layers:
            if layer.weight is None:
                continue
            operands = self.integers.operands[layer.name]
            scale = operands.scale.astype(numpy.float64)[:, None, None, None]
            self.assertEqual(abs(operands.weight.astype(int)).max((1, 2, 3)).tolist(),
                             [127] * len(layer.weight))
            self.assertLess((abs(operands.weight * scale - layer.weight) / scale).max(), 0.5001)
            steps = self.integers.outputs[layer.input].scale * operands.scale
            self.assertLess((abs(operands.bias * steps.astype(float) - layer.bias) / steps).max(), 0.51)

    def test_channels_of_next_to_nothing(self):
        layer = self.layers.layers[0]
        layer.weight[0], layer.bias[0] = 0, 0
        layer.weight[1], layer.bias[1] = 1e-20, 5
        operands = integers_of(self.tiny, self.layers).operands[layer.name]
        self.assertEqual([operands.bias[0], operands.weight[0].any(), operands.weight[1].any()],
                         [0, False, False])
        self.assertGreater(operands.scale[0], 0)
        self.assertAlmostEqual(operands.bias[1] * float(operands.bias_scale[1]), 5, places=5)

    def test_clamps_are_in_the_ranges(self):
        clamped = [layer for layer in self.layers.layers if layer.activation.kind in ("relu", "relu6")]
        for layer in clamped:
            affine = self.integers.outputs[layer.name]
            self.assertEqual(affine.zero_point, -128)
            if layer.activation.kind == "relu6":
                self.assertLess(255 * affine.scale, 6.0001)
        self.assertGreater(len(clamped), 3)

    def onnx_file(self):
        """Its initializers by name."""
        load("onnxruntime")
        import onnx
        import onnx_int8_model
        with tempfile.NamedTemporaryFile() as file:
            onnx_int8_model.write(self.layers, file.name, self.integers)
            graph = onnx.load(file.name).graph
        return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def tflite_file(self):
        """(type, scales, zero points, quantised dimension, constant's bytes) by name."""
        load("litert")
        import tflite_int8_model
        from ai_edge_litert import schema_py_generated as schema
        with tempfile.NamedTemporaryFile() as file:
            tflite_int8_model.write(self.layers, file.name, self.integers)
            model = schema.ModelT.InitFromPackedBuf(pathlib.Path(file.name).read_bytes(), 0)
        (graph,) = model.subgraphs
        found = {}
        for tensor in graph.tensors:
            facts, data = tensor.quantization, model.buffers[tensor.buffer].data
            if facts is not None and facts.scale is not None:
                found[tensor.name.decode()] = (tensor.type, facts.scale, facts.zeroPoint,
                                               facts.quantizedDimension, data)
        return found, schema.TensorType

    def test_files_have_the_same_numbers(self):
        onnx = self.onnx_file()
        tflite, types = self.tflite_file()
        values = 0
        for name in onnx:
            if name.endswith(".integers"):
                tensor = name.removesuffix(".integers")
                kind, scales, zeros, dimension, data = tflite[tensor]
                self.assertEqual(kind, types.INT32 if "bias" in tensor else types.INT8)
                integers = onnx[name]
                depthwise = integers.ndim == 4 and integers.shape[1] == 1
                if "weight" in tensor:
                    self.assertEqual(dimension, 3 if depthwise else 0)
                if integers.ndim == 4:
                    integers = integers.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
                self.assertEqual(integers.tobytes(), bytes(data))
                numpy.testing.assert_array_equal(onnx[tensor + ".scale"], scales)
                self.assertFalse(zeros.any() or onnx[tensor + ".zero_point"].any())
            elif onnx[name].dtype == numpy.uint8:
                tensor = name.removesuffix(".zero_point").removesuffix(".flat")
                kind, scales, zeros, _, _ = tflite[tensor if tensor != "image" else "image.quantized"]
                self.assertEqual(kind, types.INT8)
                self.assertEqual([onnx[name]], zeros + 128)
                self.assertEqual([onnx[name.removesuffix("zero_point") + "scale"]], scales)
                values += 1
        # Of each layer, each sum, each hard activation; the flattened pool, and the image.
        self.assertEqual(values, len(self.layers.layers) + 2 + 5 + 2)

    def test_parts_of_hard_swish(self):
        tflite, _ = self.tflite_file()
        parts = [name.removesuffix(".part") for name in tflite if name.endswith(".part")]
        self.assertEqual(len(parts), 4)
        for name in parts:
            whole, part = tflite[name.removesuffix(".activation")], tflite[name + ".part"]
            self.assertEqual(part[2], whole[2])
            self.assertAlmostEqual(part[1][0] * 6, whole[1][0], delta=1e-6 * whole[1][0])
            clip = tflite[name + ".clip"]
            self.assertEqual(clip[2], [-128])
            self.assertLess(255 * clip[1][0], 6.0001)

    def test_runtimes_that_read_the_same_integers(self):
        """Each rounds in its own way, which is a step or two in the end."""
        bytes_ = {}
        for name in runtimes.SAME_INTEGERS:
            runtime = load(name)
            with tempfile.TemporaryDirectory() as folder:
                runtime.write(self.layers, pathlib.Path(folder), self.integers)
                session = runtime.Session(pathlib.Path(folder), self.tiny.image, 1, "int8")
                session.run()
            logits = session.output()
            bytes_[name] = self.integers.logits.quantized(logits).astype(int)
            # They are bytes in each.
            exact = (bytes_[name] - self.integers.logits.zero_point) * float(self.integers.logits.scale)
            self.assertLess(abs(logits - exact).max(), 1e-3 * self.integers.logits.scale)
        for name in runtimes.SAME_INTEGERS[1:]:
            self.assertLessEqual(abs(bytes_[name] - bytes_[runtimes.SAME_INTEGERS[0]]).max(), 3)

    def test_litert_leaves_all_to_xnnpack(self):
        litert = load("litert")
        with tempfile.TemporaryDirectory() as folder:
            litert.write(self.layers, pathlib.Path(folder), self.integers)
            session = litert.Session(pathlib.Path(folder), self.tiny.image, 1, "int8")
        details = session.interpreter._get_ops_details()
        written = {value for detail in details if detail["op_name"] == "DELEGATE"
                   for value in detail["outputs"]}
        self.assertEqual(written, {session.result["index"]})


class Folding(unittest.TestCase):
    def test_folded_weights_compute_the_same(self):
        for source in SOURCES:
            with self.subTest(source):
                tiny = Tiny(source)
                parameters = [{"weight": layer.weight, "bias": layer.bias}
                              for layer in folded(tiny).layers]
                self.assertLess(agreement.difference(tiny.logits(), tiny.logits(parameters)),
                                TOLERANCE["f32"])


class NcnnFiles(unittest.TestCase):
    """What ncnn asks of its files; without ncnn."""

    def write(self, path_of_param, path_of_bin):
        ncnn_model.write(self.network, path_of_param, path_of_bin)

    def setUp(self):
        self.tiny = Tiny("torchvision")
        self.network = folded(self.tiny)
        with tempfile.TemporaryDirectory() as text:
            folder = pathlib.Path(text)
            self.write(folder / "param", folder / "bin")
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


class NcnnFilesOfIntegers(NcnnFiles):
    def write(self, path_of_param, path_of_bin):
        integers = integers_of(self.tiny, self.network)
        import ncnn_int8_model
        ncnn_int8_model.write(self.network, path_of_param, path_of_bin, integers)

    def test_weights_have_a_tag_and_biases_none(self):
        weighted = [layer for layer in self.network.layers if layer.weight is not None]
        # Each has its weights' scales, and one of what it reads; four write integers.
        floats = sum(2 * layer.bias.size + 1 for layer in weighted) + 4
        padded = sum(-(-layer.weight.size // 4) for layer in weighted)
        self.assertEqual(self.size, 4 * (floats + padded + len(weighted)))

    def test_integers_between_convolutions(self):
        kinds = {}
        for line in self.lines[2:]:
            kind, name, *rest = line.split()
            scales = [word for word in rest if word.startswith("8=")]
            if scales:
                kinds[name] = kind, scales[0]
        # A residual, a pool, or a fully connected layer reads floats.
        dense, whole, by_channel = "InnerProduct", "Convolution", "ConvolutionDepthWise"
        self.assertEqual(list(kinds.values()), [
            (whole, "8=102"), (by_channel, "8=101"), (whole, "8=2"), (whole, "8=102"),
            (by_channel, "8=1"), (dense, "8=2"), (dense, "8=2"), (whole, "8=2"), (whole, "8=2"),
            (by_channel, "8=101"), (whole, "8=2"), (dense, "8=2"), (dense, "8=2")])


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
        self.version, self.dtype, self.agreement = "1", "f32", {"difference": 0.0}

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

    def start(self, dtype, off, integers=None):
        """off: {runtime: (dtype, how far its last logit is off)}."""
        with tempfile.TemporaryDirectory() as text:
            model = types.SimpleNamespace(
                name="net", runtimes=list(off), dtype=dtype, integers=integers,
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
            self.assertAlmostEqual(worker.agreement["difference"], difference, delta=1e-6)
        with self.assertRaisesRegex(rounds.Disagreement, "^net: f f32 differs by 1.0e-02"):
            self.start("bf16", off | {"f": ("f32", 0.1)})
        with self.assertRaisesRegex(rounds.Disagreement, "mobilenet bf16.*, b bf16.*than 0.03"):
            self.start("bf16", off | {"mobilenet": ("bf16", 0.4), "b": ("bf16", float("nan"))})

    def test_float32(self):
        off = {"mobilenet": ("f32", 0.1), "f": ("f32", 0.101)}
        found = self.start("f32", off)[1].agreement
        self.assertEqual(list(found), ["difference"])
        self.assertAlmostEqual(found["difference"], 1e-4, delta=2e-6)
        with self.assertRaises(rounds.Disagreement):
            self.start("f32", off | {"f": ("f32", 0.2)})

    def test_integers(self):
        # A logit for each step of a fifth: 10.2 is another byte than 10.
        logits = types.SimpleNamespace(quantized=lambda values: numpy.rint(values * 5))
        integers = types.SimpleNamespace(logits=logits)
        off = {"mobilenet": ("int8", 0), "mobilenet_f32": ("f32", -0.1), "litert": ("int8", 0.05),
               "onnxruntime": ("int8", 0.2), "nncf": ("int8", 0.2), "ncnn": ("int8", 0)}
        found = [worker.agreement for worker in self.start("int8", off, integers)]
        self.assertEqual([one.get("equal") for one in found], [None, None, 11, 10, None, None])
        self.assertEqual(found[2]["logits"], 11)
        for one, difference in zip(found, (0.1, 0, 0.15, 0.3, 0.3, 0.1)):
            self.assertAlmostEqual(one["difference"], difference / 9.9, delta=1e-5)
        ours, theirs = numpy.arange(11.0), numpy.arange(11.0)
        theirs[-1] -= 0.1
        self.assertAlmostEqual(found[0]["cosine"], numpy.dot(ours, theirs) / numpy.linalg.norm(ours)
                               / numpy.linalg.norm(theirs), places=7)
        with self.assertRaisesRegex(rounds.Disagreement, "^net: nncf int8 differs .* more than 0.1"):
            self.start("int8", off | {"nncf": ("int8", float("inf"))}, integers)


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

    def test_report_of_integers(self):
        results = copy.deepcopy(self.RESULTS) | {"dtype": "int8"}
        for row in results["latency"]:
            for result in row["runtimes"].values():
                result |= {"dtype": "int8", "difference": 1e-2, "cosine": 0.99951}
            row["runtimes"]["fast"] |= {"equal": 997, "logits": 1000}
            row["runtimes"]["mobilenet_f32"] = row["runtimes"]["slow"] | {
                "median": 5.4, "dtype": "f32", "difference": 0, "cosine": 1.0}
        for row in results["throughput"]:
            row["runtimes"]["mobilenet_f32"] = row["runtimes"]["slow"] | {"dtype": "f32"}
        text = report.markdown(results, [])
        for line in ("# MobileNet on this library and on other runtimes, int8",
                     "| network | floor | mobilenet | slow | fast | mobilenet, float32 | "
                     "ahead of the fastest by | faster than float32 |",
                     "100-100 GOP/s each",
                     "| `net` | 1 | 1.0e-02; 0.99951 | 1.0e-02; 0.99951 | 1.0e-02; 0.99951 |",
                     "| network | threads | fast |", "| `net` | 2 | 997 of 1000 |"):
            self.assertIn(line, text)
        self.assertNotIn("997", report.markdown(self.RESULTS, []))

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
