#!/usr/bin/env python3
"""Importing ONNX files whose weights are in a file beside them."""
import os
import tempfile
import unittest

from importer_case import Case

import onnx_file
import small_network
from onnx_file import Writer

SHAPE = [1, 3, 48, 64]


class External(Case):
    def setUp(self):
        super().setUp()
        self.plain = small_network.variant()
        self.writer = Writer()
        self.writer.write(self.plain, SHAPE)
        self.weight = next(op for op in self.plain if op.name == "stem").weight
        self.place = next(i for i, t in enumerate(self.writer.tensors) if b"stem_w" in t)

    def graph(self, **entries):
        tensors = list(self.writer.tensors)
        tensors[self.place] = onnx_file.external("stem_w", self.weight, **entries)
        return self.file("model.onnx", onnx_file.model(self.writer.nodes, tensors, SHAPE, "logits"))

    def test_are_read(self):
        images = small_network.images()
        raw = self.weight.tobytes()
        os.mkdir(self.path("inner"))
        os.symlink("model.onnx.data", self.path("link"))
        for name, content, entries in (
                ("model.onnx.data", raw, {}),
                ("model.onnx.data", b"before" + raw + b"behind",
                 {"offset": 6, "length": len(raw), "checksum": "0"}),
                ("inner/weights", raw, {}), ("link", raw, {})):
            with self.subTest(name=name, **entries):
                self.file("model.onnx.data" if name == "link" else name, content)
                self.imported(self.graph(location=name, **entries))
                self.assert_close(self.logits(images),
                                  small_network.evaluate_all(self.plain, images))

    def test_are_read_from_the_graphs_folder_alone(self):
        raw = self.weight.tobytes()
        with tempfile.TemporaryDirectory() as outside:
            secret = os.path.join(outside, "secret")
            with open(secret, "wb") as file:
                file.write(raw)
            os.symlink(secret, self.path("link"))
            os.symlink(outside, self.path("folder"))
            os.mkfifo(self.path("pipe"))
            os.mkdir(self.path("inner"))
            relative = os.path.relpath(secret, self.folder)
            for location in (secret, relative, "inner/../../x", "..", ".", "", "link",
                             "folder/secret", "pipe", "a\0b", "C:\\secret", "..\\secret"):
                with self.subTest(location):
                    self.refused(self.graph(location=location), "stem_w", "refused")

    def test_that_are_not_as_the_graph_says(self):
        raw = self.weight.tobytes()
        self.file("data", raw)
        for part, entries in (("is not beside the graph", {"location": "nothing"}),
                              ("864 bytes, but they end at 865", {"location": "data", "offset": 1,
                                                                  "length": len(raw)}),
                              ("no number", {"location": "data", "offset": "x"}),
                              ("but they end at", {"location": "data", "offset": -4}),
                              ("215 values", {"location": "data", "length": len(raw) - 4})):
            with self.subTest(**entries):
                self.refused(self.graph(**entries), "stem_w", part)


if __name__ == "__main__":
    unittest.main()
