#!/usr/bin/python3
"""--precision, in every command that runs a model.

usage: precision.py MOBILENET [unittest's arguments]"""

import json
import os

import numpy

from case import Case, main
from models import write_bmp

COMMANDS = {  # that run the model m.safetensors, with what they need
    "classify": ["m.safetensors", "a.bmp", "--json"],
    "run": ["m.safetensors", "-i", "x.npy", "-o", "y.npy"],
    "features": ["m.safetensors", "-i", "x.npy", "-o", "f", "--stage", "pool"],
    "embed": ["m.safetensors", "a.bmp", "-o", "e.npy"],
    "evaluate": ["m.safetensors", "photos", "--csv", "r.csv"],
    "plan": ["m.safetensors"],
    "profile": ["m.safetensors", "--rounds", "1"],
    "info": ["m.safetensors"],
}


class Precision(Case):
    def setUp(self):
        super().setUp()
        self.init("mobilenet_v3_small")
        random = numpy.random.default_rng(5)
        numpy.save("x.npy", random.standard_normal((2, 40, 48, 3)).astype("f4"))
        os.makedirs("photos/3")
        for name in "a.bmp", "photos/3/b.bmp":
            write_bmp(name, random.integers(0, 256, (50, 60, 3), "u1"))

    def values(self, command, *options):
        """What a command computes, as floats."""
        output, _ = self.run_command(command, *COMMANDS[command], *options)
        if command == "classify":
            classes = json.loads(output)[0]["classes"]
            return numpy.array([c["probability"] for c in sorted(classes, key=lambda c: c["index"])])
        if command == "evaluate":
            with open("r.csv") as table:
                header, row = (line.strip().split(",") for line in table)
            return numpy.array([float(row[header.index("probability")])])
        return numpy.load({"run": "y.npy", "features": "f/pool.npy", "embed": "e.npy"}[command])

    def test_results_are_those_of_the_precision(self):
        for command in "classify", "run", "features", "embed", "evaluate":
            with self.subTest(command):
                default = self.values(command)
                numpy.testing.assert_array_equal(self.values(command, "--precision", "float32"), default)
                numpy.testing.assert_array_equal(self.values(command, "--precision", "default"), default)
                rounded = self.values(command, "--precision", "bfloat16")
                self.assertFalse(numpy.array_equal(rounded, default))
                self.assertLess(numpy.abs(rounded - default).max(), 0.05 * numpy.abs(default).max())
                fastest = self.values(command, "--precision", "fastest")
                self.assertTrue(any(numpy.array_equal(fastest, x) for x in (default, rounded)))

    def test_info_plan_and_profile_say_it(self):
        for command in "info", "plan", "profile":
            with self.subTest(command):
                said = {}
                for asked in "default", "float32", "bfloat16", "fastest":
                    arguments = [command, *COMMANDS[command], "--precision", asked]
                    result = json.loads(self.succeed(*arguments, "--json"))
                    said[asked] = result["precision"]
                    kernels = result["kernels"] if command == "info" else result["kernels"]["name"]
                    text = self.succeed(*arguments)
                    self.assertIn(
                        f"{said[asked]} packed for {kernels}" if command == "info"
                        else f"{kernels} kernels in {said[asked]}: blocks", text,
                    )  # fmt: skip
                self.assertEqual(said["default"], "float32")
                self.assertEqual(said["float32"], "float32")
                self.assertEqual(said["bfloat16"], "bfloat16")
                self.assertIn(said["fastest"], ("float32", "bfloat16"))

    def test_scalar_code_has_nothing_for_bfloat16(self):
        info = self.json("info", "--precision", "fastest", "--isa", "scalar")
        self.assertEqual((info["precision"], info["kernels"]), ("float32", "scalar"))

    def json(self, command, *options):
        return json.loads(self.succeed(command, *COMMANDS[command], *options, "--json"))

    def test_half_the_bytes(self):
        full, half = (
            self.json("info", "--precision", name)["bytes"] for name in ("float32", "bfloat16")
        )
        self.assertEqual(full["file"], half["file"])
        self.assertLess(half["loaded"], 0.62 * full["loaded"])  # tables and biases stay

    def test_the_image_is_converted_where_kernels_do_not_read_it(self):
        arguments = ["plan", "m.safetensors", "--precision", "bfloat16", "--isa", "scalar"]
        step = json.loads(self.succeed(*arguments, "--json"))["steps"][0]
        self.assertEqual((step["kind"], step["layers"]), ("convert", []))
        self.assertEqual(step["output"], [40, 48, 3])
        self.assertRegex(
            self.succeed(*arguments), r"(?m)^ *0 +- +features\.0\.0 +convert +40x48x3 .* 0 +\d[\d,]*$"
        )

    def test_unknown_names(self):
        for command, arguments in COMMANDS.items():
            for name in "bf16", "", "BFLOAT16", "float32,bfloat16":
                self.fail_with(
                    2, f"--precision: '{name}' is none of default, float32, bfloat16, int8, fastest",
                    command, *arguments, "--precision", name,
                )  # fmt: skip


if __name__ == "__main__":
    main()
