#!/usr/bin/python3
"""Files that are no model files: what the library says they are, and what to do about it.

usage: kinds.py MOBILENET [unittest's arguments]"""

import gzip
import io
import json
import os
import pathlib
import pickle
import sys
import zipfile

import numpy

from case import Case, main

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "importer"))
import checkpoint  # noqa: E402
import onnx_file  # noqa: E402
import small_network  # noqa: E402
import tflite_file  # noqa: E402


def zipped(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"\0" * 300)
    return data.getvalue()


def saved(array):
    data = io.BytesIO()
    numpy.save(data, array)
    return data.getvalue()


WEIGHTS = numpy.zeros((3, 2), "f4")
IMPORT = "tools/mobilenet-import FILE OUT.safetensors"

# What is in the file, parts of the message.
KINDS = {
    "weights.pth": (
        checkpoint.zipped(*checkpoint.state_dict({"a.weight": WEIGHTS})),
        ("a PyTorch checkpoint", IMPORT),
    ),
    "old.pth": (
        checkpoint.legacy(*checkpoint.state_dict({"a.weight": WEIGHTS})),
        ("a pickle, as PyTorch writes", IMPORT),
    ),
    "new.pkl": (pickle.dumps({"a": 1}, protocol=5), ("a pickle", IMPORT)),
    "script.pt": (zipped("m/code/x.py", "m/constants.pkl"), ("a TorchScript archive", IMPORT)),
    "m.keras": (
        zipped("metadata.json", "config.json", "model.weights.h5"), ("a Keras file", IMPORT),
    ),
    "m.ort": (b"\x18\0\0\0ORTM" + b"\0" * 20, ("an ONNX Runtime file", "import the ONNX file")),
    "m.xml": (b"<?xml version='1.0'?>\n<net name='m'>", ("XML, as OpenVINO writes networks",)),
    "names.txt": (b"tench\ngoldfish\n", ("text, no model: give the file that holds the weights",)),
    "page.pdf": (b"%PDF-1.7\n", ("a PDF document",)),
    "arrays.npz": (zipped("a.npy", "b.npy"), ("numpy arrays (.npz)",)),
    "other.zip": (zipped("readme.txt"), ("a zip archive", "unpack it first")),
    "m.onnx": (
        onnx_file.Writer().write(small_network.variant(), [1, 3, 48, 64]), ("an ONNX file", IMPORT),
    ),
    "m.tflite": (
        tflite_file.Writer().write(small_network.variant(padding="same", gate="hard_swish"), [1, 48, 64, 3]),
        ("a TensorFlow Lite file", IMPORT),
    ),
    "m.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), ("an HDF5 file, as Keras writes", IMPORT)),
    "saved_model.pb": (b"\x08\x01\x12\x80\x80\x01" + bytes(99), ("a TensorFlow graph", "Lite")),
    "frozen.pb": (b"\x0a\x20\x0a\x05input\x12\x0bPlaceholder" + bytes(99), ("a TensorFlow graph",)),
    "x.npy": (saved(WEIGHTS), ("a numpy array (.npy)", "mobilenet run")),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 14000000\n",
        ("a Git-LFS pointer", "git lfs pull"),
    ),
    "page": (b"\xef\xbb\xbf\n <!DOCTYPE HTML>\n<html>...", ("an HTML page", "/resolve/")),
    "page2": (b"<html><head></head></html>", ("an HTML page",)),
    "m.safetensors.gz": (gzip.compress(bytes(999)), ("compressed by gzip", "unpack it")),
    "cat.jpg": (b"\xff\xd8\xff\xe0" + bytes(99), ("a JPEG image",)),
    "index.json": (json.dumps({"weight_map": {}}).encode(), ("JSON", "beside it")),
}  # fmt: skip


class Kinds(Case):
    def test_are_named_with_the_remedy(self):
        for name, (data, parts) in KINDS.items():
            with self.subTest(name):
                pathlib.Path(name).write_bytes(data)
                errors = self.fail_with(1, f"mobilenet: {name}: {parts[0]}", "plan", name)
                for part in parts:
                    self.assertIn(part, errors)
                self.assertEqual(errors.count("\n"), 1)

    def test_every_beginning_is_an_error(self):
        """However little there is of a file."""
        for name, (data, _) in KINDS.items():
            for size in 1, 2, 3, 7, 8, 9, 15, 17, 40, 260, len(data) - 1:
                pathlib.Path("part").write_bytes(data[:size])
                self.fail_with(1, "mobilenet: part: ", "plan", "part")

    def test_model_files_are_not_taken_for_others(self):
        """A header of 640 bytes begins as a pickle does; what is wrong with it is said as before."""
        header = b"{" + b" " * 639
        pathlib.Path("m").write_bytes((640).to_bytes(8, "little") + header)
        self.fail_with(1, "mobilenet: m: header: ", "plan", "m")
        pathlib.Path("m").write_bytes(b"garbage\0, not a model")
        self.fail_with(1, "mobilenet: m: header: ", "plan", "m")

    def test_weights_of_another_program(self):
        header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
        pathlib.Path("m").write_bytes(len(header).to_bytes(8, "little") + header)
        self.assertIn(IMPORT, self.fail_with(1, "got pt", "plan", "m"))

    def test_folders(self):
        os.mkdir("folder")
        self.fail_with(1, "mobilenet: folder: a folder, not a file", "plan", "folder")
        pathlib.Path("folder", "saved_model.pb").write_bytes(b"")
        errors = self.fail_with(1, "folder: a TensorFlow SavedModel folder", "plan", "folder")
        self.assertIn("TFLiteConverter", errors)
        pathlib.Path("empty").write_bytes(b"")
        self.fail_with(1, "mobilenet: empty: an empty file", "plan", "empty")


if __name__ == "__main__":
    main()
