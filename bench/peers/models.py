"""A folder for each network, with everything a worker needs:

    model.safetensors   the weights
    integers.*          of --dtype int8: the quantised network as TFLite has it, and imported from there
    network.json        the library's description of the network
    input.f32           a seeded input, [height][width][3] float32
    RUNTIME.*           the other runtimes' models, written from those
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy

import environment
import network
import process
import runtimes

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")
# A network by itself, or with width multiplier and input size.
SEEDED = re.compile(rf"({'|'.join(NETWORKS)})(?:_(\d+(?:\.\d+)?)_(\d+))?")
SEED, CALIBRATION_SEEDS = 1, range(2, 10)


class Model:
    def __init__(self, name, source, peers, dtype):
        """name: a network's, as SEEDED has it, or a model file's."""
        self.name, self.dtype = name, dtype
        self.folder = environment.BUILD / "models" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.floats = self.weights = self.folder / "model.safetensors"
        if source:
            shutil.copyfile(source, self.floats)
        else:
            _init(name, self.floats)
        description = _run(environment.RUNNER, "describe", "f32", self.floats)
        (self.folder / "network.json").write_text(description)
        self.description = json.loads(description)
        shape = self.description["input_shape"]
        self.input = self.folder / "input.f32"
        _seeded_input(shape, SEED).tofile(self.input)
        layers = network.load(self.floats, self.description)
        self.integers = None
        if dtype == "int8":
            images = numpy.stack([_seeded_input(shape, seed) for seed in CALIBRATION_SEEDS])
            self._quantize(layers, images)
        self.isa = json.loads(_run(environment.RUNNER, "describe", dtype, self.weights))["isa"]
        own = [process.OURS] if dtype == "f32" else [process.OURS, process.FLOATS]
        self.runtimes = own + self._write(layers, peers)

    @property
    def multiply_adds(self):
        return self.description["multiply_adds"]

    def output(self, runtime, mode):
        return self.folder / f"{runtime}.{mode}.f32"

    def _quantize(self, layers, images):
        """This library reads what LiteRT reads."""
        try:
            import quantization
            import tflite_int8_model
        except ImportError as error:
            sys.exit(f"compare: --dtype int8 needs onnxruntime and ai-edge-litert: {error}")
        self.integers = quantization.calibrated(layers, images)
        source = self.folder / "integers.tflite"
        tflite_int8_model.write(layers, source, self.integers)
        self.weights = source.with_suffix(".safetensors")
        _run(sys.executable, environment.IMPORTER, source, self.weights)

    def _write(self, layers, peers):
        """Those that the model could be written for."""
        written = []
        for peer in peers:
            try:
                runtimes.load(peer).write(layers, self.folder, self.integers)
                written.append(peer)
            except Exception as error:  # whatever a converter raises, the others go on
                print(f"compare: {self.name}: no model for {peer}: {error}", file=sys.stderr)
        return written


def _init(name, path):
    of, width, size = SEEDED.fullmatch(name).groups()
    options = ["--width", width, "--resolution", size] if width else []
    _run(environment.COMMAND, "init", of, path, "--seed", str(SEED), *options)


def _seeded_input(shape, seed):
    return numpy.random.default_rng(seed).uniform(-1, 1, shape).astype(numpy.float32)


def _run(*command):
    # The importer checks with the command that is compared, and no other.
    variables = os.environ | {"MOBILENET_COMMAND": str(environment.COMMAND)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if result.returncode:
        sys.exit(f"compare: {result.stderr.strip()}")
    return result.stdout


def parse(text):
    """(name, file or None) of each item of a comma-separated list of networks and files."""
    items = []
    for item in text.split(","):
        if SEEDED.fullmatch(item):
            items.append((item, None))
        elif item.endswith(".safetensors") and pathlib.Path(item).is_file():
            items.append((pathlib.Path(item).stem, pathlib.Path(item)))
        else:
            raise ValueError(f"'{item}' is neither a file nor one of {', '.join(NETWORKS)}, nor one of "
                             "these with _WIDTH_SIZE")
    return items
