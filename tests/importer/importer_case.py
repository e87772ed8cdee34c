"""What the importer's tests share: running it, and looking at what it wrote."""
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "..", "..", "tools")
DATA = os.environ.get("MOBILENET_TEST_DATA", os.path.join(HERE, "..", "..", "..", "shared", "data"))
sys.path[:0] = [HERE, TOOLS, os.path.join(HERE, "..", "golden")]
sys.dont_write_bytecode = True

from importer import check, cli

_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I8": "i1", "U8": "u1"}


def written(path):
    """({name: array}, metadata) by the format's definition alone."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    assert (8 + length) % 8 == 0
    header = json.loads(data[8:8 + length])
    metadata, body = header.pop("__metadata__"), data[8 + length:]
    arrays, end = {}, 0
    for name, entry in header.items():
        dtype = numpy.dtype(_DTYPES[entry["dtype"]])
        assert entry["data_offsets"][0] == end and end % dtype.itemsize == 0
        begin, end = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(body[begin:end], dtype).reshape(entry["shape"])
    assert end == len(body)
    return arrays, metadata


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.output = self.path("out.safetensors")

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def run_importer(self, source, *options, check_it=False):
        """(exit status, standard output, standard error) in this process."""
        if not check_it:
            options = ("--no-check", *options)
        if isinstance(source, bytes):
            source = self.file("source", source)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.main([source, self.output, *options])
        return status, out.getvalue(), err.getvalue()

    def imported(self, source, *options):
        status, out, err = self.run_importer(source, *options)
        self.assertEqual((status, err), (0, ""))
        return (*written(self.output), out)

    def refused(self, source, *parts, options=()):
        """One line on standard error with all the parts, status 1, nothing written."""
        before = self.model_files()
        status, out, err = self.run_importer(source, *options)
        self.assertEqual((status, out), (1, ""), err)
        self.assertRegex(err, r"\Amobilenet-import: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, err)
        self.assertEqual(self.model_files(), before)

    def model_files(self):
        """{name: when it was written} of what is in the test's folder."""
        return {name: os.stat(self.path(name)).st_mtime_ns for name in os.listdir(self.folder)
                if "safetensors" in name}

    def assert_same(self, arrays, expected):
        self.assertEqual(list(arrays), list(expected))
        for name, array in arrays.items():
            numpy.testing.assert_array_equal(array, expected[name], name)

    def command(self):
        """The mobilenet command; skips where it is not built."""
        command = check.find_command()
        if command is None:
            self.skipTest("there is no mobilenet command: build it, or set MOBILENET_COMMAND")
        return command

    def logits(self, images):
        """What the library computes for [N,height,width,3] images."""
        return check.run(self.command(), self.output, images)

    def assert_backbone(self, metadata, stage, images, expected):
        """A model file without a classifier, whose output is that stage: it gives these features,
        and is refused where a classifier is needed."""
        table = json.loads(metadata["architecture"])
        self.assertIs(table["logits"], False)
        self.assertNotIn("classes", metadata)
        command = self.command()
        features = check.run(command, self.output, images, stage)
        if features.ndim == 2:
            expected = expected.reshape(len(images), -1)
        self.assertEqual(features.shape, expected.shape)
        self.assert_close(features, expected)
        numpy.save(self.path("x.npy"), images)
        done = subprocess.run([command, "run", self.output, "--input", self.path("x.npy"),
                               "--output", self.path("y.npy")], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("out.safetensors: has no classifier", done.stderr)
        self.assertFalse(os.path.exists(self.path("y.npy")))

    def assert_close(self, got, expected, tolerance=1e-5):
        """Within a part of the expected values' range."""
        span = numpy.ptp(expected)
        self.assertLessEqual(numpy.abs(got - expected).max(), tolerance * span)

    def assert_survives(self, data, count, *options):
        """Damaged in every way that a seed gives, a file is read or refused with one line."""
        generator = numpy.random.default_rng(7)
        outcomes = set()
        for _ in range(count):
            damaged = bytearray(data)
            kind = generator.integers(3)
            if kind == 0:
                del damaged[generator.integers(len(damaged)):]
            else:
                for _ in range(generator.integers(1, 8)):
                    # Mostly where the structure is.
                    end = len(damaged) if kind == 1 else min(len(damaged), 2000)
                    damaged[generator.integers(end)] = generator.integers(256)
            status, _, err = self.run_importer(bytes(damaged), *options)
            self.assertIn(status, (0, 1), err)
            if status:
                self.assertRegex(err, r"\Amobilenet-import: [^\n]+\n\Z")
            outcomes.add(status)
        self.assertIn(1, outcomes)
