#!/usr/bin/env python3
"""Random networks, by the library on every instruction set and in every element, against ONNX
Runtime, LiteRT and double precision:

    campaign.py [--networks N] [--first SEED] [--table]

Needs onnxruntime and ai-edge-litert: tests/importer/graphs.sh's environment has them.  Each network
(random_network.py) is written as an ONNX and as a TensorFlow Lite file, of floats and of integers,
imported, and run by `mobilenet run`.  Floats are compared with the same network in double precision,
integers byte by byte with the runtime of their file.  Prints what is beyond the bounds and the
largest differences; --table: as docs/testing.md has them.  Exit status 1 where anything is."""
import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout

import numpy

import importer_case  # noqa: F401, finds the importer
import integer_file
import onnx_file
import onnx_integer_file
import random_network
import small_network
import tflite_file
from importer import check, cli

import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType

# Parts of the outputs' range that a network may be from double precision.  Elements of bfloat16 have
# 8 bits: each layer rounds its output by up to 2^-9 of itself.
BOUNDS = {"float32": 1e-5, "bfloat16": 0.02}
IMAGES = 3


def by_onnxruntime(data, images):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return numpy.concatenate([session.run(None, {name: image.transpose(2, 0, 1)[None]})[0].reshape(1, -1)
                              for image in images])


def by_litert(data, images, reference=False):
    options = {"experimental_op_resolver_type": OpResolverType.BUILTIN_REF} if reference else {}
    interpreter = Interpreter(model_content=data, num_threads=1, **options)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for image in images:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"]).reshape(1, -1))
    return numpy.concatenate(outputs)


def instruction_sets(command):
    """{precision: the instruction sets that have kernels of their own for it, and are usable here}."""
    lines = subprocess.run([command, "info"], capture_output=True, text=True, check=True).stdout
    usable = next(line for line in lines.splitlines() if "usable  " in line).split(None, 1)[1]
    result = {"float32": [], "bfloat16": [], "int8": []}
    for isa in usable.split(", "):
        said = subprocess.run([command, "info"], capture_output=True, text=True, check=True,
                              env=os.environ | {"MOBILENET_ISA": isa}).stdout
        chosen = {words[0]: words[1].strip(",") for words in map(str.split, said.splitlines())
                  if len(words) > 1}
        for precision, key in (("float32", "chosen"), ("bfloat16", "bfloat16"), ("int8", "int8")):
            if chosen.get(key) == isa:
                result[precision].append(isa)
    return result


class Campaign:
    def __init__(self, command):
        self.command = command
        self.isas = instruction_sets(command)
        self.largest = defaultdict(float)  # (whose, precision): a part of the range
        self.values, self.unequal = defaultdict(int), defaultdict(int)  # (source, instruction set)
        self.files = defaultdict(int)
        self.faults = []

    def fault(self, what):
        self.faults.append(what)
        print("FAILED " + what, flush=True)

    def imported(self, what, folder, data, *options):
        """The model file's path, None where the importer refuses."""
        source, model = os.path.join(folder, "source"), os.path.join(folder, "model.safetensors")
        with open(source, "wb") as file:
            file.write(data)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.main([source, model, "--no-check", *options])
        if status:
            self.fault(f"{what}: {err.getvalue().strip()}")
            return None
        return model

    def run(self, model, images, isa, precision, threads):
        folder = os.path.dirname(model)
        source, result = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
        numpy.save(source, images)
        subprocess.run([self.command, "run", model, "--input", source, "--output", result, "--isa",
                        isa, "--precision", precision, "--threads", str(threads)], check=True)
        return numpy.load(result)

    def floats(self, what, folder, data, images, exact, runtime, theirs):
        span = max(numpy.ptp(exact), numpy.abs(exact).max())

        def part(outputs):
            return float(numpy.abs(outputs - exact).max() / span)
        self.largest[runtime, "float32"] = max(self.largest[runtime, "float32"], part(theirs))
        model = self.imported(what, folder, data)
        self.files[runtime] += 1
        if not model:
            return
        for precision, bound in BOUNDS.items():
            for isa in self.isas[precision]:
                distance = part(self.run(model, images, isa, precision, 2))
                key = isa, precision
                self.largest[key] = max(self.largest[key], distance)
                if not distance <= bound:
                    self.fault(f"{what}, {isa}, {precision}: {distance:.1e} of the range")

    def integers(self, what, folder, data, images, runtime, theirs, *options):
        model = self.imported(what, folder, data, *options)
        self.files[runtime] += 1
        if not model:
            return
        for isa in self.isas["int8"]:
            ours = self.run(model, images, isa, "int8", 2)
            unequal = int((ours != theirs).sum())
            self.values[runtime, isa] += theirs.size
            self.unequal[runtime, isa] += unequal
            if unequal:
                self.fault(f"{what}, {isa}: {unequal} of {theirs.size} outputs differ")

    def network(self, seed, folder):
        def images_of(shape):
            return numpy.random.default_rng(seed).uniform(-1, 1, (IMAGES, *shape)).astype(
                numpy.float32)

        operations, shape = random_network.network(seed)
        images = images_of(shape)
        nchw = [1, shape[2], *shape[:2]]
        data = onnx_file.Writer().write(operations, nchw)
        self.floats(f"{seed}, ONNX", folder, data, images,
                    small_network.evaluate_all(operations, images), "ONNX Runtime",
                    by_onnxruntime(data, images))

        # TensorFlow Lite's files have neither batch norm nor other paddings and gates.
        operations, shape = random_network.network(seed, padding="same", norms=False,
                                                   gate="hard_sigmoid")
        images = images_of(shape)
        nhwc, nchw = [1, *shape], [1, shape[2], *shape[:2]]
        data = tflite_file.Writer().write(operations, nhwc, softmax=False)
        self.floats(f"{seed}, TensorFlow Lite", folder, data, images,
                    small_network.evaluate_all(operations, images), "LiteRT",
                    by_litert(data, images))

        random = numpy.random.default_rng(seed)
        kind, per_channel = ("int8", "uint8")[random.integers(2)], bool(random.integers(2))
        data = integer_file.IntegerWriter(kind, per_channel).write(operations, nhwc, images,
                                                                   None, True)
        for way in ("float", "fixed"):
            self.integers(f"{seed}, TensorFlow Lite, {kind}, {way}", folder, data, images,
                          f"LiteRT, {way}", by_litert(data, images, way == "fixed"), "--rescale",
                          way)
        data = onnx_integer_file.IntegerWriter(kind, per_channel=per_channel).write(
            operations, nchw, images)
        self.integers(f"{seed}, ONNX, {kind}", folder, data, images, "ONNX Runtime",
                      by_onnxruntime(data, images))

    def table(self):
        print("| | float32 | bfloat16 |\n|---|---|---|")
        names = list(dict.fromkeys(name for name, _ in self.largest))
        for name in names:
            cells = [f"{self.largest[name, p]:.1e}" if (name, p) in self.largest else ""
                     for p in BOUNDS]
            print(f"| {name} | {' | '.join(cells)} |")
        runtimes = list(dict.fromkeys(runtime for runtime, _ in self.values))
        print(f"\n| int8 | {' | '.join(runtimes)} |\n|---|{'---|' * len(runtimes)}")
        for isa in self.isas["int8"]:
            cells = [f"{self.unequal[r, isa]} of {self.values[r, isa]:,}" for r in runtimes]
            print(f"| {isa} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, metavar="SEED")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    command = check.find_command()
    if command is None:
        sys.exit("campaign: there is no mobilenet command: build it, or set MOBILENET_COMMAND")
    campaign = Campaign(command)
    for seed in range(options.first, options.first + options.networks):
        with tempfile.TemporaryDirectory() as folder:
            campaign.network(seed, folder)
    if options.table:
        campaign.table()
    files = sum(campaign.files.values())
    print(f"campaign: {options.networks} networks, {files} files, {len(campaign.faults)} findings")
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
