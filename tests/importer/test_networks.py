#!/usr/bin/env python3
"""The importer's tables against the library's: every network, at widths that round in all ways."""
import json
import os
import subprocess
import unittest

from importer_case import Case

from importer import networks, safetensors, table

WIDTHS = (0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 0.9, 1.0, 1.1, 1.12, 1.3, 1.4, 1.75, 2.0, 3.3, 4.0)


class Tables(Case):
    def ask(self, *arguments):
        return subprocess.run([self.command(), *arguments], check=True, capture_output=True,
                              text=True).stdout

    def test_torchvisions_shapes(self):
        """Names and shapes, in the order of the file that `mobilenet init` writes."""
        for network in networks.NETWORKS:
            for width in WIDTHS:
                if width > 2 and network.name != "mobilenet_v2":
                    continue  # large files, and no other rule
                classes = 3 + round(width * 10)
                self.ask("init", network.name, self.output, "--seed", "1", "--width", str(width),
                         "--classes", str(classes), "--source", network.source)
                with open(self.output, "rb") as file:
                    tensors, metadata = safetensors.read(file.read())
                os.unlink(self.output)
                self.assertEqual([(name, tuple(t.shape)) for name, t in tensors.items()],
                                 list(network.layout(width, classes).items()),
                                 (network.name, width))
                self.assertEqual((metadata["padding"], float(metadata["batch_norm_epsilon"])),
                                 (network.padding, network.epsilon))

    def test_rows(self):
        """At width 1: kernels, strides, channels, squeeze-excites.  Activations are compared by what
        imported networks compute."""
        for name, rows in table.FAMILIES.items():
            layers = json.loads(self.ask("count", name, "--json"))["layers"]
            blocks = {}
            for layer in layers:
                if layer["block"] >= 0:
                    blocks.setdefault(layer["block"], {})[layer["role"]] = layer
            self.assertEqual(sorted(blocks), list(range(len(rows))), name)
            for row, (block, roles) in zip(rows, sorted(blocks.items())):
                depthwise, project = roles["depthwise"], roles["project"]
                self.assertEqual(
                    (row.kernel, row.strides, row.expand, row.channels, row.squeeze,
                     row.separable),
                    (depthwise["kernel"][0], tuple(depthwise["stride"]),
                     roles["expand"]["output"][2] if "expand" in roles else 0,
                     project["output"][2],
                     roles["squeeze"]["output"][2] if "squeeze" in roles else 0,
                     name == "mobilenet_v1"), (name, block))


if __name__ == "__main__":
    unittest.main()
