#!/usr/bin/python3
"""The `mobilenet` command, run as its users run it: its command line, count and info.

usage: commands.py MOBILENET [unittest's arguments]"""

import json
import os
import re
import subprocess
import unittest

from case import FLOAT_ISAS, ISAS, NETWORKS, PROGRAM, Case, main

COMMANDS = ["classify", "run", "features", "embed", "evaluate", "count", "plan", "profile", "info",
            "init"]


class CommandLine(Case):
    def test_help_everywhere(self):
        output = self.succeed("--help")
        for command in COMMANDS:
            self.assertRegex(output, rf"(?m)^  {command} ")
            self.assertRegex(self.succeed(command, "--help"), rf"^Usage: mobilenet {command} ")
            self.assertTrue(self.succeed(command, "--usage").startswith("Usage: mobilenet"))

    def test_help_names_its_own_defaults_and_choices(self):
        isas = f"separated by commas: {', '.join(ISAS)} (default: all)"
        precision = "float32, bfloat16, int8 (of models of integers), or fastest: int8 of a model of integers"
        one = "Number of threads, 1 to 1024 (default 1)"
        networks = f"NETWORK is one of {', '.join(NETWORKS)}."
        network = ["1 to 1000000 (default 1000)", "each 32 to 1024 (default 224)", "0.1 to 4 (default 1)",
                   "same, symmetric or trailing (default", "torchvision or keras (default", networks]
        inspect = [isas, precision, one, "each 32 to 1024 (default: the model's own)", "1 to 1024, or `none'"]
        for command, phrases in {
            "classify": [isas, precision, one, "1 to 1000000 (default 5)", "(default: the model's)"],
            "run": [isas, precision, one],
            "features": [isas, precision, one, "nhwc or nchw", "default nhwc"],
            "embed": [isas, precision, one],
            "evaluate": [isas, precision, "1 to 1024, with an image each (default: one for each CPU that may be used)",
                         "0 to 1000 (default 10)", "1 to 1000000 (default 5)"],
            "count": network,
            "init": [*network, "0 to 2^64 - 1 (default 0)"],
            "info": [isas, precision],
            "plan": inspect,
            "profile": [*inspect, "1 to 100000 (default 50)"],
        }.items():
            text = " ".join(self.succeed(command, "--help").split())
            for phrase in phrases:
                self.assertIn(phrase, text)
            for other in set(COMMANDS) - {command}:
                self.assertNotIn(f"of {other}:", text)

    def test_version(self):
        output = self.succeed("--version")
        self.assertRegex(output, r"^mobilenet \d+\.\d+\.\d+\n$")
        self.assertEqual(self.succeed("count", "--version"), output)

    def test_what_is_written_is_not_named_as_something_else(self):
        model = self.init()
        for command, name, *arguments in (
            ("run", "y.csv", model, "--input", "x.npy", "--output"),
            ("run", "y.npz", model, "--input", "x.npy", "--output"),
            ("embed", "e.json", model, "a.png", "--output"),
            ("evaluate", "photos.json", model, ".", "--csv"),
            ("profile", "p.png", model, "--plot"),
            ("init", "m.onnx", "mobilenet_v1"),
        ):
            self.fail_with(2, f"'{name}': what is written is no ", command, *arguments, name)
        self.assertEqual(os.listdir(), [model])

    def test_usage_errors_exit_with_2(self):
        model = self.init()
        for message, *arguments in [
            ("missing command",),
            ("unknown command 'clasify'", "clasify"),
            ("unrecognized option '--verbose'", "--verbose"),
            ("unrecognized option '--frob'", "count", "--frob", "mobilenet_v1"),
            ("missing argument", "classify"),
            ("missing argument", "classify", model),
            ("--top: '0' is not a whole number from 1", "classify", model, "x", "--top", "0"),
            ("--top: '3x'", "classify", model, "x", "--top=3x"),
            ("--top: ' 3'", "classify", model, "x", "--top", " 3"),
            ("--threads: '0' is not", "classify", model, "x", "--threads", "0"),
            ("--threads: '1025' is not", "run", model, "--threads", "1025"),
            ("--threads: '99999999999999999999' is", "run", model, "--threads", "9" * 20),
            ("missing argument: MODEL", "run"),
            ("missing option: --input", "run", model),
            ("missing option: --output", "run", model, "--input", "x.npy"),
            ("too many arguments: 'b'", "run", model, "b"),
            ("missing argument: NETWORK", "count"),
            ("too many arguments: 'b'", "count", "mobilenet_v1", "b"),
            ("unknown network 'resnet'", "count", "resnet"),
            ("--width: '0' is not a number from 0.1 to 4", "count", "mobilenet_v1", "-w", "0"),
            ("--width: 'nan' is not", "count", "mobilenet_v1", "--width", "nan"),
            ("--width: '1,5' is not", "count", "mobilenet_v1", "--width", "1,5"),
            ("--classes: '0' is not", "count", "mobilenet_v1", "--classes", "0"),
            ("--resolution: '0' is not", "count", "mobilenet_v1", "--resolution", "0"),
            ("--resolution: '224x' is not", "count", "mobilenet_v1", "--resolution", "224x"),
            ("--resolution: '1x2x3' is not", "count", "mobilenet_v1", "--resolution", "1x2x3"),
            ("input_height: 31 is", "count", "mobilenet_v1", "--resolution", "31x32"),
            ("input_width: 1025 is", "count", "mobilenet_v1", "--resolution", "32x1025"),
            ("has width 1 only", "count", "mobilenet_v3_small_article", "--width", "0.5"),
            ("'onnx' is none of torchvision, keras", "count", "mobilenet_v1", "--source", "onnx"),
            ("is none of same, symmetric, trailing", "count", "mobilenet_v1", "--padding", "default"),
            ("torchvision does not have", "count", "mobilenet_v1", "--source", "torchvision"),
            ("--compare: 'grouped' is not 'standard'", "count", "mobilenet_v1", "--compare=grouped"),
            ("missing argument", "init"),
            ("missing argument", "init", "mobilenet_v1"),
            ("unknown network 'x'", "init", "x", "out"),
            ("--seed: '-1' is not", "init", "mobilenet_v1", "out", "--seed", "-1"),
            ("--seed: '18446744073709551616'", "init", "mobilenet_v1", "out", f"--seed={2**64}"),
            ("has width 1 only", "init", "mobilenet_v3_small_article", "out", "--width", "2"),
            ("too many arguments", "info", "x", "y"),
            ("--json: needs a MODEL", "info", "--json"),
            ("--isa: needs a MODEL", "info", "--isa", "scalar"),
            ("--precision: needs a MODEL", "info", "--precision", "fastest"),
        ]:
            with self.subTest(arguments):
                self.fail_with(2, message, *arguments)
        self.assertEqual(os.listdir(), [model])

    def test_unknown_names_list_the_known(self):
        errors = self.fail_with(2, "unknown network", "count", "mobilenet")
        for network in NETWORKS:
            self.assertIn(network, errors)
        for names in "avx3", "", "scalar,", "avx2 ", "AVX2":
            errors = self.fail_with(2, "--isa", "classify", "m", "x", "--isa", names)
            for isa in ISAS:
                self.assertIn(isa, errors)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_disk_behind_standard_output(self):
        for arguments in ["count", "mobilenet_v1"], ["count", "mobilenet_v1", "--json"], ["info"]:
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"mobilenet: standard output: ", done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1)


class Count(Case):
    def count(self, *arguments):
        return json.loads(self.succeed("count", *arguments, "--json"))

    def test_published_figures(self):
        """Parameters: without, with batch norm's statistics; millions of multiply-adds at 224."""
        for network, trainable, total, millions in [
            ("mobilenet_v1", None, 4253864, 569),
            ("mobilenet_v2", 3504872, 3538984, 300),
            ("mobilenet_v3_small_article", None, 2555742, None),
            ("mobilenet_v3_large", 5483032, None, 217),
            ("mobilenet_v3_small", 2542856, None, 56),
        ]:
            with self.subTest(network):
                counts = self.count(network)
                both = counts["parameters"] + counts["batch_norm_statistics"]
                if trainable is not None:
                    self.assertEqual(counts["parameters"], trainable)
                if total is not None:
                    self.assertEqual(both, total)
                if millions is not None:
                    self.assertAlmostEqual(counts["multiply_adds"] / 1e6, millions, delta=1)
                text = self.succeed("count", network)
                self.assertIn(f"{counts['parameters']:,} trainable", text)
                self.assertIn(f"{both:,} with batch norm's", text)
                self.assertRegex(text, rf"(?m)^total .* {counts['multiply_adds']:,} ")

    def test_totals_are_the_sums_of_the_layers(self):
        for network in NETWORKS:
            counts = self.count(network, "--resolution", "97x160", "--classes", "11")
            self.assertEqual(counts["input"], [97, 160])
            self.assertEqual(counts["layers"][-1]["output"], [1, 1, 11])
            for key in "parameters", "batch_norm_statistics", "multiply_adds", "flops":
                self.assertEqual(counts[key], sum(layer[key] for layer in counts["layers"]))
            self.assertEqual(counts["flops"], 2 * counts["multiply_adds"])
            names = [layer["name"] for layer in counts["layers"]]
            roles = [layer["role"] for layer in counts["layers"]]
            self.assertEqual((roles[0], roles[-1]), ("stem", "logits"))
            self.assertEqual(len(set(names)), len(names))

    def test_text_has_a_row_per_layer(self):
        counts = self.count("mobilenet_v3_small")
        text = self.succeed("count", "mobilenet_v3_small")
        for layer in counts["layers"]:
            shape = "x".join(map(str, layer["output"]))
            name = re.escape(layer["name"])
            row = (
                rf"(?m)^{name} +{layer['kind']} +{shape} +{layer['parameters']:,} "
                rf"+{layer['batch_norm_statistics']:,} +{layer['multiply_adds']:,} "
                rf"+{layer['flops']:,}$"
            )
            self.assertRegex(text, row)

    def test_options_reach_the_network(self):
        keras = self.count("mobilenet_v3_small", "--source", "keras", "--width", "0.75")
        torchvision = self.count("mobilenet_v3_small", "--width", "0.75")
        self.assertEqual(torchvision["source"], "torchvision")
        self.assertEqual(torchvision["parameters"], 1653920)
        self.assertEqual((keras["source"], keras["padding"]), ("keras", "same"))
        self.assertEqual(keras["parameters"], 2041872)
        padded = self.count("mobilenet_v2", "--padding", "same")
        self.assertEqual((padded["source"], padded["padding"]), ("torchvision", "same"))

    def test_comparison_with_standard_convolution(self):
        """Howard et al. 2017, table 4: 4,866 M multiply-adds and 29.3 M parameters for v1."""
        counts = self.count("mobilenet_v1", "--compare", "standard")
        standard = counts["standard"]
        self.assertEqual(round(standard["multiply_adds"] / 1e6), 4867)
        self.assertEqual(round(standard["parameters"] / 1e5), 293)
        self.assertEqual(len(standard["pairs"]), 13)
        for key in "parameters", "multiply_adds":
            self.assertAlmostEqual(standard[f"{key}_ratio"], counts[key] / standard[key], places=8)

    def test_pairs_follow_the_formula(self):
        for network, pairs in zip(NETWORKS, [13, 17, 11, 15, 11]):
            counts = self.count(network, "--compare", "standard")
            standard = counts["standard"]
            self.assertEqual(len(standard["pairs"]), pairs)
            saved = 0
            for pair in standard["pairs"]:
                kernel = pair["kernel"][0] * pair["kernel"][1]
                inputs, outputs = pair["input_channels"], pair["output_channels"]
                separable, whole = pair["separable"], pair["standard"]
                self.assertEqual(separable["weights"], inputs * (kernel + outputs))
                self.assertEqual(whole["weights"], inputs * kernel * outputs)
                formula = 1 / outputs + 1 / kernel
                self.assertAlmostEqual(pair["formula"], formula, places=8)
                self.assertAlmostEqual(pair["multiply_adds_ratio"], formula, places=8)
                self.assertEqual(
                    separable["multiply_adds"] * whole["weights"],
                    whole["multiply_adds"] * separable["weights"],
                )
                saved += whole["multiply_adds"] - separable["multiply_adds"]
            # Nothing else differs: squeeze-excite stays.
            self.assertEqual(standard["multiply_adds"] - counts["multiply_adds"], saved)

    def test_the_example_of_the_article(self):
        text = self.succeed("count", "mobilenet_v1", "--compare", "standard")
        self.assertIn("3 channels in and 4 out, 3x3: 108 weights", text)
        self.assertIn("39 in a separable pair (27 depthwise and 12 pointwise)", text)
        example = self.count("mobilenet_v1", "--compare", "standard")["standard"]["example"]
        self.assertEqual((example["standard_weights"], example["separable_weights"]), (108, 39))
        self.assertRegex(text, r"(?m)^3x3, 1024 -> 1024 .* 0\.1121 +0\.1121$")
        self.assertRegex(text, r"(?m)^whole network .*4,867,293,184 ")


class Info(Case):
    def parse(self, **options):
        output = self.succeed("info", **options)
        self.assertIn("CPU: ", output)
        return dict(re.findall(r"(?m)^  (built in|usable|chosen|bfloat16) +(.*)$", output))

    def test_cpus_are_those_that_may_be_used(self):
        allowed = sorted(os.sched_getaffinity(0))
        pattern = r"(?m)^  CPUs +(\d+) of (\d+) usable(?: \(affinity (\d+)(?:, quota [\d.]+)?\))?$"
        usable, online, affinity = re.search(pattern, self.succeed("info")).groups()
        self.assertEqual(int(online), os.sysconf("SC_NPROCESSORS_ONLN"))
        self.assertEqual(int(affinity or online), len(allowed))
        self.assertLessEqual(int(usable), len(allowed))
        self.addCleanup(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, allowed[:1])
        alone = self.succeed("info")
        self.assertEqual(re.search(pattern, alone)[1], "1")
        if int(online) > 1:
            self.assertEqual(re.search(pattern, alone)[3], "1")

    def test_chooses_the_best_usable(self):
        info = self.parse()
        built, usable = info["built in"].split(", "), info["usable"].split(", ")
        self.assertEqual(built[0], "scalar")
        self.assertLessEqual(set(usable), set(built))
        floats = [isa for isa in usable if isa in FLOAT_ISAS]
        self.assertTrue(info["chosen"].startswith(f"{floats[-1]}, the best usable one"))
        self.assertIn(info["bfloat16"].split()[0], usable)
        self.assertEqual(self.parse(environment={"MOBILENET_ISA": ""}), info)

    def test_obeys_the_environment(self):
        info = self.parse(environment={"MOBILENET_ISA": "scalar"})
        self.assertRegex(info["chosen"], "^scalar, .* in MOBILENET_ISA=scalar ")
        self.assertEqual(info["bfloat16"], "scalar (channel blocks of 1)")

    def test_reports_a_wrong_environment(self):
        _, errors = self.run_command("info", status=1, environment={"MOBILENET_ISA": "avx3"})
        self.assertTrue(errors.startswith("mobilenet: MOBILENET_ISA: 'avx3'"))
        for isa in ISAS:
            self.assertIn(isa, errors)


if __name__ == "__main__":
    main()
