#!/usr/bin/env python3
"""Files that somebody made to do harm, or that are damaged in ways nobody thinks of: whatever is in
them, an import ends in a model file or in one line that says why not, soon, without running or
writing anything else, and without more memory than the file and the network take.

    test_hostile.py                  some examples of each property, the same ones each time
    test_hostile.py --examples N     N of each, others each time"""
import functools
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import unittest
import zipfile

import numpy
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from importer_case import TOOLS, Case

import checkpoint
import hostile
import integer_networks
import keras_file
import module_file
import onnx_file
import onnx_integer_file
import small_network
import tflite_file
from importer import hdf5, keras_store
from timm_network import safetensors, small_v1

_EXAMPLES = int(sys.argv[sys.argv.index("--examples") + 1]) if "--examples" in sys.argv else None
_SECONDS = 20  # of the processor's time, however busy the machine is
# What such a small file may need, numpy's own threads and the garbage of earlier examples included.
_MEMORY = 1 << 29


def examples(usual):
    """A property's settings; usual: how many examples where no number is given."""
    return settings(max_examples=_EXAMPLES or usual, derandomize=_EXAMPLES is None, database=None,
                    deadline=None, suppress_health_check=list(HealthCheck),
                    phases=(Phase.generate, Phase.shrink) if _EXAMPLES else (Phase.generate,),
                    print_blob=True)


# ---- What happens while a file is imported ----

_watched = None  # the folder of the import that runs
_seen = []
_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class", "exec",
              "socket.connect", "ctypes.dlopen", "os.remove", "os.rename", "os.rmdir",
              "os.mkdir", "shutil.rmtree", "webbrowser.open")


def _audit(event, arguments):
    if _watched is None:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else \
            mode and set(mode) & set("wax+")
        if writes and isinstance(path, str) and os.path.dirname(path) != _watched \
                and path != os.devnull:
            _seen.append(f"opens {path} to write")
    elif event == "subprocess.Popen":
        if list(arguments[1])[:2] != [sys.executable, hdf5.__file__]:
            _seen.append(f"runs {arguments[1]}")
    elif event in ("os.remove", "os.rename"):
        if any(os.path.dirname(path) != _watched for path in arguments[:1]):
            _seen.append(f"{event} {arguments}")
    elif event == "exec" and arguments[0].co_name == "<module>" \
            and arguments[0].co_filename.startswith(os.path.dirname(os.__file__)):
        pass  # a module of Python's own, imported when it is first needed
    elif event in _FORBIDDEN:
        _seen.append(f"{event} {arguments}")


sys.addaudithook(_audit)


class TooLong(BaseException):
    pass


def _too_long(*_):
    raise TooLong(f"not done after {_SECONDS} seconds")


class Hostile(Case):
    @classmethod
    def setUpClass(cls):
        signal.signal(signal.SIGPROF, _too_long)
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, resource.RLIM_INFINITY))

    @classmethod
    def tearDownClass(cls):
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

    def endures(self, data, name="source"):
        """Imports it; returns what was said."""
        global _watched
        source = self.file(name, data)
        if os.path.exists(self.output):
            os.remove(self.output)
        before = set(os.listdir(self.folder))
        del _seen[:]
        _watched = self.folder
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        try:
            status, _, err = self.run_importer(source)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            _watched = None
        self.assertEqual(_seen, [])
        left = set(os.listdir(self.folder)) - before
        if status == 0:
            self.assertEqual((err, left), ("", {"out.safetensors"}))
        else:
            self.assertEqual((status, left), (1, set()))
            self.assertRegex(err, r"\Amobilenet-import: [^\n]+\n\Z")
            self.assertNotIn("not enough memory", err)
            self.assertNotIn("malformed: ", err)  # what no check had looked for
        return err


# ---- Small files of each kind ----

SHAPE = [1, 3, 48, 64]


def _v1():
    return small_v1(padding="symmetric", epsilon=1e-5)[1]


@functools.lru_cache(None)
def _pickled():
    value, storages = checkpoint.state_dict(_v1())
    return checkpoint.zipped({"state_dict": value, "epoch": 3, "args": {"lr": 0.1}}, storages)


@functools.lru_cache(None)
def _module():
    return checkpoint.zipped(*module_file.module(_v1()))


@functools.lru_cache(None)
def _script():
    return module_file.script(_v1(), {"": "  training : bool\n  eps : Final[float] = 0.001\n"})


@functools.lru_cache(None)
def _legacy():
    return checkpoint.legacy(*checkpoint.state_dict(_v1()))


@functools.lru_cache(None)
def _onnx():
    return onnx_file.Writer().write(small_network.variant(), SHAPE)


@functools.lru_cache(None)
def _onnx_decomposed():
    return onnx_file.Writer(decomposed=True, matmul=True, raw=False, clip_inputs=False).write(
        small_network.variant(gate="hard_sigmoid"), SHAPE, softmax=True)


@functools.lru_cache(None)
def _tflite(mode):
    network = small_network.variant(padding="same", norms=False, gate="hard_sigmoid")
    return tflite_file.Writer(mode).write(network, [1, 48, 64, 3])


@functools.lru_cache(None)
def _layers():
    return keras_file.classes(small_network.variant(padding="same"))


@functools.lru_cache(None)
def _keras():
    return keras_file.keras(_layers(), [None, 48, 64, 3])


_integers = functools.lru_cache(None)(lambda: integer_networks.CASES["softmax"]())


class Edits(Hostile):
    """Valid files with edits."""

    @examples(40)
    @given(st.data())
    def test_bytes(self, data):
        file = data.draw(st.sampled_from([_pickled, _legacy, _module, _script, _onnx, _integers,
                                          lambda: _tflite("channel"), lambda: safetensors(_v1()),
                                          self.model_file]))()
        self.endures(data.draw(hostile.edited_bytes(file)))

    @functools.lru_cache(None)
    def model_file(self):
        self.imported(safetensors(_v1()))
        with open(self.output, "rb") as file:
            return file.read()

    @examples(40)
    @given(st.data())
    def test_pickles(self, data):
        file = data.draw(st.sampled_from([_pickled, _module, _script]))()
        name = next(name for name in hostile.unzipped(file) if name.endswith("data.pkl"))
        self.endures(data.draw(hostile.edited_zip(file, name, hostile.edited_pickle)))

    @examples(80)
    @given(hostile.PROGRAMS, st.booleans())
    def test_programs(self, program, in_zip):
        self.endures(hostile.zipped({"a/data.pkl": program, "a/data/0": b"\0" * 64}) if in_zip
                     else program)

    @examples(40)
    @given(st.data())
    def test_safetensors(self, data):
        file = data.draw(st.sampled_from([lambda: safetensors(_v1()), self.model_file]))()
        length = int.from_bytes(file[:8], "little")
        header = json.loads(file[8:8 + length])
        text = data.draw(hostile.edited_json(header)).encode("utf-8", "surrogatepass")
        self.endures(len(text).to_bytes(8, "little") + text + file[8 + length:])

    @examples(40)
    @given(st.data())
    def test_metadata(self, data):
        """Of a model file: JSON in strings in JSON."""
        file = self.model_file()
        length = int.from_bytes(file[:8], "little")
        header = json.loads(file[8:8 + length])
        key = data.draw(st.sampled_from(sorted(header["__metadata__"])))
        try:
            value = json.loads(header["__metadata__"][key])
        except ValueError:
            value = header["__metadata__"][key]
        header["__metadata__"][key] = data.draw(hostile.edited_json([value]))[1:-1]
        text = json.dumps(header).encode()
        self.endures(len(text).to_bytes(8, "little") + text + file[8 + length:])

    @examples(60)
    @given(st.data())
    def test_onnx(self, data):
        file = data.draw(st.sampled_from([_onnx, _onnx_decomposed, _onnx_integers]))()
        for _ in range(data.draw(st.integers(1, 3))):
            file = data.draw(hostile.edited_message(file))
        self.endures(file)

    @examples(60)
    @given(st.data())
    def test_tflite(self, data):
        file = data.draw(st.sampled_from([lambda: _tflite("float"), lambda: _tflite("channel"),
                                          _integers]))()
        self.endures(data.draw(hostile.edited_flatbuffer(file)))

    @examples(60)
    @given(st.data())
    def test_keras_configurations(self, data):
        file = _keras()

        def edited(text):
            return hostile.edited_json(json.loads(text)).map(
                lambda text: text.encode("utf-8", "surrogatepass"))
        name = data.draw(st.sampled_from(["config.json"] * 7 + ["metadata.json"]))
        usual = keras_store.open_hdf5
        keras_store.open_hdf5 = _opened  # the weights are the same each time
        try:
            self.endures(data.draw(hostile.edited_zip(file, name, edited)))
        finally:
            keras_store.open_hdf5 = usual

    @examples(6)
    @given(st.data())
    def test_hdf5(self, data):
        file = data.draw(st.sampled_from([
            lambda: keras_file.h5(_layers(), [None, 48, 64, 3]),
            lambda: keras_file.h5_weights(_layers()), lambda: keras_file.weights_h5(_layers())]))()
        self.endures(data.draw(hostile.edited_bytes(file, 20000)))


_opened = functools.lru_cache(4)(keras_store.open_hdf5)


@functools.lru_cache(None)
def _onnx_integers():
    return onnx_integer_file.case("int8")[1]


class Bombs(Case):
    """Small files that stand for much, each in a process whose memory is measured: it has as much as
    docs/importing.md says, 160 times what is parsed and 128 MB, of which Python with numpy takes 37."""

    def bursts(self, data, *parts):
        """Refused with a message with these parts, soon, and with little memory."""
        most = 128 + 160 * len(data) // (1 << 20)
        source = self.file("source", data)
        command = [sys.executable, os.path.join(TOOLS, "mobilenet-import"), source, self.output]
        script = ("import resource, subprocess, sys; resource.setrlimit(resource.RLIMIT_CPU, (%d,) * 2); "
                  "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, "
                  "done.returncode, done.stderr)")
        done = subprocess.run([sys.executable, "-c", script % _SECONDS, *command],
                              capture_output=True, text=True, check=True)
        megabytes, status, err = done.stdout.split(" ", 2)
        self.assertRegex(err.strip(), r"\Amobilenet-import: [^\n]+\Z")
        self.assertEqual(status, "1")
        for part in parts:
            self.assertIn(part, err)
        self.assertLessEqual(int(megabytes), most, err)
        self.assertEqual(os.listdir(self.folder), ["source"])

    def test_zip(self):
        """Zeros where the weights are, more of them than are used; a pickle of lists; a size that is
        not what it unpacks to."""
        value, storages = checkpoint.state_dict(_v1())
        shape = _v1()["classifier.weight"].shape
        zeros = numpy.zeros(1 << 25, numpy.float32)
        value["classifier.weight"] = checkpoint.tensor("0", zeros, shape=shape, strides=(shape[1], 1))
        members = {f"a/data/{key}": checkpoint.stored(array) for key, array in storages.items()}
        self.bursts(hostile.zipped({**members, "a/data.pkl": checkpoint.pickled(value),
                                    "a/data/0": zeros.tobytes()}, zipfile.ZIP_DEFLATED),
                    "a/data/0 unpacks to 134217728 bytes")
        self.bursts(hostile.zipped({"a/data.pkl": b"\x80\x02" + b"]" * (1 << 23) + b"."},
                                   zipfile.ZIP_DEFLATED), "a/data.pkl unpacks to 8388611 bytes")
        lie = bytearray(hostile.zipped({"a/data.pkl": bytes(1 << 27)}, zipfile.ZIP_DEFLATED))
        for place in (22, lie.rindex(b"PK\1\2") + 24):
            struct.pack_into("<I", lie, place, 100)
        self.bursts(bytes(lie), "a/data.pkl is damaged")
        self.bursts(hostile.zipped({"a/data.pkl": bytes(1 << 17)}, zipfile.ZIP_LZMA),
                    "by another method than deflate")

    def test_pickles(self):
        """A byte for each set, tuples that hold the one before twice, lists in lists."""
        self.bursts(b"\x80\x04(" + b"\x8f" * (1 << 19) + b"l.", "no state dict")
        self.bursts(b"\x80\x02})" + b"2\x86" * 60 + b"X\1\0\0\0as.", "no state dict")
        self.bursts(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".", "no state dict")

    def test_hdf5(self):
        """Chunks that are not in the file, chunks of compressed zeros, a group in itself twice."""
        def absent(file):
            for i in range(9):
                file.create_dataset(f"layers/conv2d_{i}/vars/0", (1 << 28,), "f4", chunks=(1 << 20,))
        self.bursts(keras_file._hdf5(absent), "layers/conv2d_0/vars/0", "refused")
        self.bursts(keras_file._hdf5(lambda file: file.create_dataset(
            "layers/conv2d/vars/0", data=numpy.zeros(3 << 23, "f4"), compression="gzip")),
            "layers/conv2d/vars/0", "refused")

        def cycle(file):
            group = file.create_group("layers")
            group["conv2d"] = group["conv2d_1"] = file["/"]
        self.bursts(keras_file._hdf5(cycle), "more than 20000 members")

    def test_onnx(self):
        stem = onnx_file.node("Conv", ["image", "w"], "m0", pads=[1] * 4, strides=[2, 2])
        weight = onnx_file.tensor("w", numpy.ones((8, 3, 3, 3), numpy.float32))

        def bursts(message, nodes, *tensors, output="y"):
            self.bursts(onnx_file.model(nodes, [weight, *tensors], SHAPE, output), message)
        def chain(operation, first, times=2, count=40):
            return [onnx_file.node(operation, [f"{first}{i}"] * times, f"{first}{i + 1}",
                                   **({"axis": 0} if operation == "Concat" else {}))
                    for i in range(count)]
        convolved = onnx_file.node("Conv", ["image", "c40"], "y")
        bursts("Concat makes a constant of", [*chain("Concat", "c"), convolved],
               onnx_file.tensor("c0", numpy.ones(9, numpy.float32)))
        bursts("ConstantOfShape makes a constant of", [
            onnx_file.node("ConstantOfShape", ["s"], "c40"), convolved],
            onnx_file.tensor("s", numpy.array([1 << 40], numpy.int64)))
        bursts("constants beyond all measure", [
            *chain("Neg", "c", 1, 120), onnx_file.node("Conv", ["image", "c120"], "y")],
               onnx_file.tensor("c0", numpy.ones(1 << 18, numpy.float32)))
        last = onnx_file.node("Relu", ["m40"], "y")
        bursts("m8/Mul: more operations", [stem, *chain("Mul", "m"), last])
        bursts("channels of the image", [
            onnx_file.node("Concat", ["image"] * 2, "m0", axis=1),
            *(onnx_file.node("Concat", [f"m{i}"] * 2, f"m{i + 1}", axis=1) for i in range(40)), last])
        bursts("5001 outputs", [stem, *chain("Relu", "m", 1, 5000)],
               output=[f"m{i}" for i in range(5001)])
        bursts("100000 nodes", [b""] * 100_000)
        bursts("malformed shape", [], onnx_file.field(1, b"\x80\x02" * (1 << 18))
               + onnx_file.field(2, 7) + onnx_file.field(8, "x"))

    def test_tflite(self):
        """Operators that are all the same one, which has as many outputs as there are operators."""
        count = 20_000
        data = bytearray(b"\0" * 8)

        def put(*numbers):
            data.extend(struct.pack(f"<{len(numbers)}I", *numbers))
            return len(data) - 4 * len(numbers)

        def table(**fields):
            """Of fields f0 to f4, 4 bytes each, that lead to places behind it."""
            slots = [8 + 4 * i if f"f{i}" in fields else 0 for i in range(5)]
            vtable = len(data)
            data.extend(struct.pack("<8H", 16, 32, *slots, 0))
            start = put(len(data) - vtable, 0, 0, 0, 0, 0, 0, 0)
            return start, {name: start + slots[int(name[1])] for name in fields}

        def lead(place, to):
            struct.pack_into("<I", data, place, to - place)
        root, of_root = table(f2=0, f4=0)
        struct.pack_into("<I4s", data, 0, root, b"TFL3")
        graphs = put(1, 0)
        lead(of_root["f2"], graphs)
        lead(of_root["f4"], put(0))
        graph, of_graph = table(f0=0, f1=0, f2=0, f3=0)
        lead(graphs + 4, graph)
        for field in ("f0", "f1", "f2"):
            lead(of_graph[field], put(0))
        operators = put(count, *[0] * count)
        lead(of_graph["f3"], operators)
        operator, of_operator = table(f1=0, f2=0)
        for i in range(count):
            lead(operators + 4 + 4 * i, operator)
        lead(of_operator["f1"], put(0))
        lead(of_operator["f2"], put(count, *range(count)))
        self.bursts(bytes(data), "refer to the same bytes again and again")

    def test_json(self):
        text = b'{"a":[' + b"{}," * (1 << 20) + b"1]}"
        self.bursts(len(text).to_bytes(8, "little") + text, "no dtype, shape")
        text = hostile.DEEP.encode()
        self.bursts(hostile.zipped({"config.json": text}), "not JSON")


if __name__ == "__main__":
    if "--examples" in sys.argv:
        at = sys.argv.index("--examples")
        del sys.argv[at:at + 2]
    unittest.main()
