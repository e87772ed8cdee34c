#!/usr/bin/env python3
"""The importer's tables against the library's: every network, at widths that round in all ways."""
import os
import subprocess
import unittest

from importer_case import Case

from importer import networks, safetensors

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

    def test_tables(self):
        """The committed file is what the command writes."""
        path = os.path.join(os.path.dirname(networks.__file__), "networks.json")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.ask("count", "--table"))


if __name__ == "__main__":
    unittest.main()
