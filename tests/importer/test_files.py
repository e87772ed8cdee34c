#!/usr/bin/env python3
"""Files of other kinds, labels as people have them, model files imported again, options for what is
done to images."""
import gzip
import io
import json
import os
import struct
import subprocess
import tarfile
import unittest
import zipfile

import numpy

from importer_case import Case, written

import small_network
from checkpoint import state_dict, zipped
from timm_network import safetensors, small_v1


def archive(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            file.writestr(name.replace("__", "/"), content)
    return data.getvalue()


class Kinds(Case):
    def test_files_are_named_with_the_remedy(self):
        array, packed, tar = io.BytesIO(), io.BytesIO(), io.BytesIO()
        numpy.save(array, numpy.ones(3))
        numpy.savez(packed, x=numpy.ones(3))
        with tarfile.open(fileobj=tar, mode="w") as file:
            file.addfile(tarfile.TarInfo("model.pth"))
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 7\n"
        for content, what, remedy in (
                (b"", "empty", "download it again"),
                (pointer, "a Git-LFS pointer", "git lfs pull"),
                ("<!DOCTYPE html><html><body>404", "an HTML page", "/resolve/"),
                ("\n <HTML lang='en'>", "an HTML page", "download the file itself"),
                (array.getvalue(), "a numpy array (.npy)", "`mobilenet run`"),
                (packed.getvalue(), "numpy arrays (.npz)", "import the checkpoint"),
                (gzip.compress(b"x"), "compressed by gzip", "gunzip"),
                (tar.getvalue(), "a tar archive", "unpack it"),
                (b"\xff\xd8\xff\xe0", "a JPEG image", "mobilenet classify"),
                (b"\x89PNG\r\n", "a PNG image", "mobilenet classify"),
                (b"GGUF\x03", "a GGUF file", "no MobileNet"),
                (b"\x18\0\0\0ORTM\0\0\0\0", "an ONNX Runtime file (.ort)", "made from"),
                ('{"weight_map": {}}', "the index of weights in several files", "as one file"),
                ('{"modelTopology": {}}', "a TensorFlow.js model", "Keras"),
                ('{"a": 1}', "JSON", "beside it"),
                ("class Net:\n    pass\n", "text", "holds the weights"),
                ("<?xml version='1.0'?><net>", "XML, as OpenVINO", "made from"),
                (b"\x0a\x12\x0a\x05input\x12\x0bPlaceholder", "a TensorFlow graph", "TFLiteConverter"),
                (archive(archive_format="pt2"), "a program of torch.export", "torch.export.load"),
                (archive(net__model_json="", net__tensors__0=""), "a zip archive", ""),
                (archive(a__weights="x", b="y"), "a zip archive, but of no framework", "import"),
                (b"PK\x03\x04 and no more", "zip archive", "")):
            with self.subTest(what):
                self.refused(content if isinstance(content, bytes) else content.encode(), what,
                             remedy)
        inner = archive(**{"deep__model.pth": "x"})
        self.refused(inner, "a zip archive: unpack it, and import deep/model.pth")
        self.refused(bytes(range(200, 256)) * 3, "none of: ")
        self.refused(self.file("model.ckpt-7.data-00000-of-00001", b"\x00" * 99),
                     "of a TensorFlow checkpoint: build the network in Keras")

    def test_folders(self):
        for name, content in (("saved_model.pb", "a TensorFlow SavedModel folder: convert it"),
                              ("model.safetensors", "a folder: import "),
                              ("Manifest.json", "a Core ML package"),
                              ("other", "a folder: give the file in it")):
            folder = self.path(f"folder of {name}")
            os.mkdir(folder)
            with open(os.path.join(folder, name), "wb"):
                pass
            self.refused(folder, content)
        self.refused(self.path("folder of model.safetensors"),
                     "folder of model.safetensors/model.safetensors")


class Labels(Case):
    def read(self, name, content, classes=5):
        arrays = small_v1(padding="symmetric", epsilon=1e-5)[1]
        arrays["classifier.weight"] = arrays["classifier.weight"][:classes]
        arrays["classifier.bias"] = arrays["classifier.bias"][:classes]
        _, metadata, _ = self.imported(
            zipped(*state_dict(arrays)), "--labels",
            self.file(name, content if isinstance(content, str) else json.dumps(content)))
        return json.loads(metadata["labels"])

    def test_texts(self):
        expected = ["cat", "dog", "7 up", "green frog", "a, b"]
        for content in (
                "cat\ndog\n7 up\ngreen frog\na, b\n",
                "0 cat\n1 dog\n2 7 up\n3 green frog\n4 a, b\n",
                "0: cat\n1: dog\n2: 7 up\n3: green frog\n4: a, b",
                "0,cat\n1,dog\n2,7 up\n3,green frog\n4,\"a, b\"\n",
                "id,name\n0,cat\n1,dog\n2,7 up\n3,green frog\n4,\"a, b\"\n",
                "1\tcat\n2\tdog\n3\t7 up\n4\tgreen frog\n5\ta, b\n",
                "4 a, b\n3 green frog\n2 7 up\n1 dog\n0 cat\n",
                "n00000001 cat\nn00000002 dog\nn00000003 7 up\nn00000004 green frog\n"
                "n00000005 a, b\n",
                "0 n00000001 cat\n1 n00000002 dog\n2 n00000003 7 up\n3 n00000004 green frog\n"
                "4 n00000005 a, b\n",
                "n00000001 1 cat\nn00000002 2 dog\nn00000003 3 7 up\nn00000004 4 green frog\n"
                "n00000005 5 a, b\n",
                "0=cat\n1=dog\n2=7 up\n3=green frog\n4=a, b\n",
                "{0: 'cat',\n 1: 'dog',\n 2: '7 up',\n 3: \"green frog\",\n 4: 'a, b'}\n"):
            with self.subTest(content):
                self.assertEqual(self.read("labels.txt", content), expected)
        ids = [f"n0000000{i}" for i in range(5)]
        self.assertEqual(self.read("ids.txt", "\n".join(ids)), ids)
        # Numbers that are no indices are names.
        self.assertEqual(self.read("n.txt", "10 cent\n20 cent\n50 cent\n1 euro\n2 euro\n"),
                         ["10 cent", "20 cent", "50 cent", "1 euro", "2 euro"])
        mixed = ["cat", "7 up", "8 ball", "9 pin", "7 seas"]
        self.assertEqual(self.read("n.txt", "\n".join(mixed)), mixed)

    def test_json(self):
        expected = ["cat", "dog", "frog", "newt", "toad"]
        numbered = dict(enumerate(expected))
        ids = [f"n0000000{i}" for i in range(5)]
        for content in (
                expected, numbered, {"id2label": numbered, "model_type": "x"},
                {name: i for i, name in numbered.items()},
                {name: str(i) for i, name in numbered.items()},
                {"class_to_idx": {name: i for i, name in reversed(numbered.items())}},
                {"label2id": {name: i for i, name in numbered.items()}},
                {str(i): [ids[i], name] for i, name in numbered.items()},
                {str(i): [name, "of another name"] for i, name in numbered.items()},
                {str(i + 1): name for i, name in numbered.items()},
                dict(reversed(list(zip(ids, expected)))),
                [[i, name] for i, name in zip(ids, expected)],
                [f"{i} {name}" for i, name in zip(ids, expected)],
                {"categories": [{"id": i, "name": name} for i, name in reversed(numbered.items())]},
                {"names": expected}):
            with self.subTest(content):
                self.assertEqual(self.read("labels.json", content), expected)
        self.assertEqual(self.read("l.json", {name: i for i, name in enumerate(ids)}), ids)
        # Digits are names, too.
        self.assertEqual(self.read("l.json", {"0": "1", "1": "2", "2": "0"}, 3), ["1", "2", "0"])

    def test_what_is_wrong_is_named(self):
        source = zipped(*state_dict(small_v1(padding="symmetric", epsilon=1e-5)[1]))
        for name, content, message in (
                ("a.txt", "0 a\n1 b\n2 c\n4 d\n5 e\n6 f\n", "'f' has the index 6, but there are 6"),
                ("a.txt", "0 a\n1 b\n2 c\n3 d\n3 e\n", "'d' and 'e' have both the index 3"),
                ("b.json", '{"a": 0, "b": 1, "c": 1}', "'b' and 'c' have both the index 1"),
                ("b.json", '{"a": 0, "b": 1, "c": 3}', "'c' has the index 3, but there are 3"),
                ("c.json", '{"id2label": 7}', "'id2label' has the index 7"),
                ("d.json", "[[], 1]", "a label is not a string"),
                ("e.json", '[{"x": 1}]', "a label is not a string")):
            self.refused(source, name, message, options=("--labels", self.file(name, content)))


class Again(Case):
    """A model file is changed without what it was made from."""

    def setUp(self):
        super().setUp()
        self.operations, self.arrays = small_v1(padding="symmetric", epsilon=1e-5)
        self.first = self.path("first.safetensors")
        labels = self.file("labels.txt", "a\nb\nc\nd\ne\nf\n")
        self.imported(safetensors(self.arrays), "--resolution", "64", "--labels", labels)
        os.rename(self.output, self.first)

    def test_as_it_is(self):
        arrays, metadata, out = self.imported(self.first)
        before, said = written(self.first)
        self.assert_same(arrays, before)
        self.assertEqual(metadata, said)
        self.assertIn("mobilenet_v1, a model file already, 6 classes", out)
        images = small_network.images(64, 64)
        self.assert_close(self.logits(images), small_network.evaluate_all(self.operations, images))

    def test_changes(self):
        names = self.file("names.txt", "u\nv\nw\nx\ny\nz\n")
        arrays, metadata, _ = self.imported(
            self.first, "--labels", names, "--probabilities", "sigmoid", "--mean", "0.1,0.2,0.3",
            "--std", "1", "--resize", "70", "--interpolation", "area", "--resampling", "tensorflow",
            "--fit", "letterbox", "--fill", "114,113,112", "--resolution", "96x64")
        self.assert_same(arrays, written(self.first)[0])
        expected = {
            "format": "mobilenet/2", "labels": '["u", "v", "w", "x", "y", "z"]',
            "probabilities": "sigmoid", "mean": "[0.1, 0.2, 0.3]", "std": "[1.0, 1.0, 1.0]",
            "resize": "70", "interpolation": "area", "resampling": "tensorflow", "fit": "letterbox",
            "fill": "[114.0, 113.0, 112.0]", "input_height": "96", "input_width": "64"}
        self.assertEqual({key: metadata[key] for key in expected}, expected)
        os.replace(self.output, self.path("second.safetensors"))
        self.assertEqual(self.imported(self.path("second.safetensors"))[1], metadata)
        os.replace(self.output, self.first)
        # And back: what is as in mobilenet/1 is written as mobilenet/1.
        _, metadata, _ = self.imported(
            self.first, "--probabilities", "softmax", "--interpolation", "bilinear", "--resampling",
            "pillow", "--fit", "crop", "--fill", "0", "--crop-ratio", "0.8")
        self.assertEqual((metadata["format"], metadata["resize"]), ("mobilenet/1", "80"))
        self.assertFalse({"probabilities", "interpolation", "resampling", "fit", "fill"}
                         & set(metadata))

    def test_what_the_older_format_does_not_know(self):
        """Keys of mobilenet/2 mean nothing in mobilenet/1, and do not come to mean something."""
        self.imported(self.first, "--interpolation", "bilinear")
        with open(self.output, "rb") as file:
            data = file.read()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        self.assertEqual(header["__metadata__"]["format"], "mobilenet/1")
        header["__metadata__"].update(probabilities="sigmoid", fit="cover", interpolation="area")
        text = json.dumps(header).encode()
        _, metadata, _ = self.imported(struct.pack("<Q", len(text)) + text + data[8 + length:])
        self.assertEqual(metadata["format"], "mobilenet/1")
        self.assertNotIn("probabilities", metadata)

    def test_networks_of_the_library(self):
        """Those of `mobilenet init` have batch norm, and names of their own."""
        for source in ("torchvision", "keras"):
            subprocess.run([self.command(), "init", "mobilenet_v2", self.first, "--width", "0.1",
                            "--classes", "6", "--source", source], check=True, capture_output=True)
            arrays, metadata, _ = self.imported(self.first, "--mean", "0.5,0.5,0.25")
            before, said = written(self.first)
            self.assert_same(arrays, before)
            self.assertEqual(json.loads(metadata["mean"]), [0.5, 0.5, 0.25])
            for key in ("batch_norm_epsilon", "width"):
                self.assertEqual(float(metadata.pop(key)), float(said.pop(key)))
            self.assertEqual({**metadata, "mean": ""}, {**said, **{
                key: metadata[key] for key in ("std", "resize")}, "mean": ""})

    def test_backbones(self):
        arrays = {name: array for name, array in self.arrays.items() if "classifier" not in name}
        self.imported(safetensors(arrays), "--resolution", "64")
        os.replace(self.output, self.first)
        _, metadata, out = self.imported(self.first, "--mean", "0")
        self.assertIn("no classifier", out)
        self.assertNotIn("classes", metadata)
        status, out, err = self.run_importer(self.first, check_it=True)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, "checked: |not checked: ")

    def test_what_a_model_file_cannot_have(self):
        for options, message in ((("--key", "x"), "--key is for its source"),
                                 (("--prefix", "x"), "--prefix is for its source"),
                                 (("--hidden-activation", "relu"), "--hidden-activation is for"),
                                 (("--epsilon", "0.1"), "its batch norm is folded")):
            self.refused(self.first, message, options=options)
        with open(self.first, "rb") as file:
            data = file.read()
        self.refused(data.replace(b"mobilenet/2", b"mobilenet/9"), "a newer importer is needed")
        self.assert_survives(data, 60)


if __name__ == "__main__":
    unittest.main()
